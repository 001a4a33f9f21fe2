// The timeline: what is drawn, and what mouse, fingers and keys do to it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { launch, open, timelineReady } from './browser.mjs';

const at = (name) => `file://${process.env.NEUROLENS_PAGES}/${name}.html`;
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser.close(); });

async function ready(name, options) {
  const opened = await open(browser, at(name), options);
  await timelineReady(opened.page);
  const canvas = opened.page.locator('.timeline-canvas');
  await canvas.scrollIntoViewIfNeeded();
  await opened.page.waitForTimeout(50);
  return { ...opened, canvas };
}
/** The window in ns; nulls: everything. */
const shown = async (page) => {
  await page.waitForTimeout(250);  // the address follows a moment later
  const hash = new URLSearchParams(new URL(page.url()).hash.slice(1));
  const number = (key) => (hash.has(key) ? Number(hash.get(key)) : null);
  return { from: number('from'), to: number('to') };
};
const kSpan = 20_240_000;
const event = (page) => page.locator('#event').textContent();

test('events have the colour of their type where they are, and the back is empty elsewhere', async () => {
  const { page, canvas } = await ready('small');
  const pixels = await canvas.evaluate((element) => {
    const context = element.getContext('2d');
    const y = 24 + 18 + 20 + 8;  // second lane of the first thread
    return [0.05, 0.32, 0.2].map((share) => [...context.getImageData(Math.round(element.width * share), y, 1, 1).data.slice(0, 3)]);
  });
  assert.deepEqual(pixels[0], [0x00, 0x72, 0xb2], 'conv1, the first of the palette');
  assert.deepEqual(pixels[1], [0xff, 0xff, 0xff], 'between two iterations');
  assert.deepEqual(pixels[2], [0x00, 0x72, 0xb2], 'conv2');
  assert.equal(await page.locator('#timeline .legend li').count() > 3, true);
});

test('keys zoom, pan and go from event to event', async () => {
  const { page, canvas } = await ready('small');
  await canvas.focus();
  assert.deepEqual(await shown(page), { from: null, to: null });
  for (let i = 0; i < 4; ++i) await page.keyboard.press('w');
  const zoomed = await shown(page);
  assert.ok(zoomed.to - zoomed.from < kSpan * 0.25);
  await page.keyboard.press('d');
  const panned = await shown(page);
  assert.ok(panned.from > zoomed.from);
  assert.ok(Math.abs((panned.to - panned.from) - (zoomed.to - zoomed.from)) < 1);
  await page.keyboard.press('a');
  await page.keyboard.press('s');
  assert.ok((await shown(page)).to - (await shown(page)).from > zoomed.to - zoomed.from);
  await page.keyboard.press('0');
  assert.deepEqual(await shown(page), { from: null, to: null });
  await page.keyboard.press('ArrowRight');
  assert.match(await event(page), /model_run: 6\.24 ms/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  assert.match(await event(page), /op /);
  assert.ok(await page.locator('#selected').isVisible(), 'the op of the event is selected');
  await page.keyboard.press('Enter');
  const fitted = await shown(page);
  assert.ok(fitted.to - fitted.from < kSpan / 3);
  await page.keyboard.press('Escape');
  assert.match(await event(page), /No event/);
});

test('mouse: wheel, drag, shift-drag, click', async () => {
  const { page, canvas } = await ready('small');
  const box = await canvas.boundingBox();
  const y = box.y + 24 + 18 + 28;
  const middle = box.x + box.width / 2;
  await page.mouse.move(middle, y);
  await page.keyboard.down('Control');
  await page.mouse.wheel(0, -300);
  await page.keyboard.up('Control');
  const zoomed = await shown(page);
  assert.ok(zoomed.to - zoomed.from < kSpan * 0.6);
  assert.ok(Math.abs((zoomed.from + zoomed.to) / 2 - kSpan / 2) < kSpan * 0.02, 'around the pointer');
  await page.mouse.down();
  await page.mouse.move(middle + 100, y, { steps: 5 });
  await page.mouse.up();
  assert.ok((await shown(page)).from < zoomed.from);
  await page.click('#zoom-all');
  assert.deepEqual(await shown(page), { from: null, to: null });
  await page.keyboard.down('Shift');
  await page.mouse.move(box.x + box.width * 0.25, y);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, y, { steps: 5 });
  await page.mouse.up();
  await page.keyboard.up('Shift');
  const piece = await shown(page);
  assert.ok(Math.abs(piece.from - kSpan * 0.25) < kSpan * 0.01 && Math.abs(piece.to - kSpan * 0.5) < kSpan * 0.01);
  await page.click('#zoom-all');
  await page.mouse.click(box.x + box.width * 0.05, y);
  assert.match(await event(page), /^conv1: 6\.24|^conv1: 3\.1/);
  assert.match(await page.locator('#selected h3').textContent(), /conv1/);
  const now = await canvas.boundingBox();  // the panel of the op has moved it
  await page.mouse.move(now.x + now.width * 0.2, now.y + 24 + 18 + 28);
  assert.match(await page.locator('.tip').textContent(), /conv2/);
});

test('search finds, counts and steps', async () => {
  const { page } = await ready('small');
  await page.fill('#timeline-search', 'CONV2');
  assert.equal(await page.locator('#timeline-hits').textContent(), '3 events');
  await page.focus('#timeline-search');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('#timeline-hits').textContent(), '1 of 3');
  assert.match(await event(page), /^conv2/);
  await page.keyboard.press('Shift+Enter');
  assert.equal(await page.locator('#timeline-hits').textContent(), '3 of 3');
  await page.fill('#timeline-search', 'absent');
  assert.equal(await page.locator('#timeline-hits').textContent(), '0 events');
});

test('one marked event among thousands in a pixel shows', async () => {
  const { page, canvas } = await ready('events');
  await page.fill('#timeline-search', 'MatMul_43');
  await page.waitForTimeout(50);
  const hits = Number((await page.locator('#timeline-hits').textContent()).replace(/\D/g, ''));
  assert.ok(hits > 100);
  const accent = await canvas.evaluate((element) => {
    const y = 24 + 18 + 20 + 8;
    const { data } = element.getContext('2d').getImageData(0, y, element.width, 1);
    let count = 0;
    for (let i = 0; i < data.length; i += 4) if (data[i] === 0x0b && data[i + 1] === 0x5c && data[i + 2] === 0xad) ++count;
    return count;
  });
  assert.ok(accent > 30, `${accent} pixels`);
});

test('fingers pan and pinch', async () => {
  const { page, canvas } = await ready('small', { width: 360, touch: true });
  const box = await canvas.boundingBox();
  const client = await page.context().newCDPSession(page);
  const touch = (type, points) => client.send('Input.dispatchTouchEvent', { type, touchPoints: points.map((x, id) => ({ x, y: box.y + 60, id })) });
  await touch('touchStart', [box.x + 140, box.x + 180]);
  for (let i = 1; i <= 6; ++i) await touch('touchMove', [box.x + 140 - 12 * i, box.x + 180 + 12 * i]);
  await touch('touchEnd', []);
  const zoomed = await shown(page);
  assert.ok(zoomed.from !== null && zoomed.to - zoomed.from < kSpan * 0.7);
});

test('200,000 events: names at the deepest zoom are the right ones', async () => {
  const { page, canvas, watch } = await ready('events');
  await canvas.focus();
  // Zoom in on an event found by search, then ask which event lies under its middle.
  await page.fill('#timeline-search', 'MatMul_43');
  await page.focus('#timeline-search');
  await page.keyboard.press('Enter');
  const name = (await event(page)).split(':')[0];
  assert.match(name, /MatMul_43/);
  await canvas.focus();
  await page.keyboard.press('Enter');
  await page.waitForTimeout(100);
  const box = await canvas.boundingBox();
  const tops = await page.evaluate(() => {
    const scroll = document.querySelector('.timeline-scroll');
    return scroll.scrollTop;
  });
  await page.mouse.move(box.x + box.width / 2, box.y + 24 + 18 + 28 - tops);
  assert.match(await page.locator('.tip').textContent(), /MatMul_43/);
  assert.deepEqual(watch.errors, []);
});
