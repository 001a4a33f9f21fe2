// The report as a reader uses it: by mouse and by keyboard, from a file, without network.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { launch, open, timelineReady } from './browser.mjs';
import { kHostile } from './documents.mjs';

const at = (name) => `file://${process.env.NEUROLENS_PAGES}/${name}.html`;
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser.close(); });

const quiet = (watch, url) => {
  assert.deepEqual(watch.errors, [], 'the console stays empty');
  assert.deepEqual(watch.requests.map((request) => request.split('#')[0]), [url], 'nothing but the file itself was asked for');
  assert.deepEqual(watch.dialogs, []);
};
const rows = (page) => page.locator('#op-grid .grid-body [role="row"]');
const firstCell = async (page) => (await rows(page).first().locator('[role="gridcell"]').first().textContent());
const names = async (page) => (await page.locator('#op-grid .grid-body [role="row"] [role="gridcell"]:first-child').allTextContents());

test('every panel renders and nothing else happens', async () => {
  const { page, watch } = await open(browser, at('small'));
  await timelineReady(page);
  for (const [id, title] of [['findings', 'What to do'], ['hotspots', 'Where the time goes'], ['timeline', 'When'], ['roofline', 'How close to the hardware'],
    ['critical-path', 'Critical path'], ['iterations', 'How sure'], ['memory', 'Memory'], ['comparison', 'Against the baseline'],
    ['history', 'History'], ['about', 'What was measured'], ['unknown', 'What is not known']]) {
    assert.equal(await page.locator(`#${id} h2`).textContent(), title);
    assert.ok((await page.locator(`#${id}`).boundingBox()).height > 60, `${id} has a body`);
  }
  const order = await page.locator('main > section').evaluateAll((all) => all.map((section) => section.id));
  assert.deepEqual(order.slice(0, 3), ['findings', 'hotspots', 'timeline']);
  assert.match(await page.locator('#headline').textContent(), /6\.15 ms per inference 95 % \[6\.09 ms, 6\.21 ms\]/);
  assert.match(await page.locator('#headline').textContent(), /regressed/);
  for (const id of ['roofline-plot', 'path-plot', 'iterations-histogram', 'iterations-course', 'counter-0', 'waterfall', 'history-plot']) {
    assert.ok(await page.locator(`#${id} svg *`).count() > 5, `${id} is drawn`);
    await page.locator(`#${id} details summary`).click();
    await page.waitForSelector(`#${id} tbody tr`);
  }
  quiet(watch, at('small'));
});

test('what `neurolens report` writes', { skip: !process.env.NEUROLENS_PROGRAM && 'the program is not built' }, async () => {
  const { page, watch } = await open(browser, at('example'));
  await timelineReady(page);
  assert.match(await page.locator('#headline').textContent(), /sample-mlp/);
  assert.ok(await rows(page).count() > 0);
  assert.ok(await page.locator('.why').count() > 5, 'numbers explain themselves');
  assert.match(await page.locator('#comparison').textContent(), /this Run/);
  await page.focus('#op-grid');
  await page.keyboard.press('ArrowDown');
  assert.match(await page.locator('#selected table').textContent(), /kernel_.*occupancy_ratio|occupancy_ratio.*kernel_/, 'kernels and their counters');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  const bytes = readFileSync(await download.path());
  assert.deepEqual([...bytes.subarray(0, 4)], [0x28, 0xb5, 0x2f, 0xfd], 'a zstd file');
  for (const details of await page.locator('details').all()) await details.evaluate((element) => { element.open = true; });
  quiet(watch, at('example'));
});

test('a program without a model shows its stacks and says what is missing', async () => {
  const { page, watch } = await open(browser, at('program'));
  await page.waitForSelector('#flame-plot svg');
  assert.equal(await page.locator('#flame-plot rect').count(), 5);
  await page.locator('#flame-plot details summary').click();
  assert.match(await page.locator('#flame-plot tbody tr').first().textContent(), /axpy.*9\.00 ms50\.0 %/);
  assert.match(await page.locator('#roofline').textContent(), /not in the Run/);
  assert.match(await page.locator('#critical-path').textContent(), /not known/);
  assert.equal(await page.locator('#comparison').count(), 0);
  quiet(watch, at('program'));
});

test('the table sorts by mouse and by keyboard', async () => {
  const { page } = await open(browser, at('small'));
  assert.equal(await firstCell(page), 'conv1');
  await page.click('#op-grid [data-sort="time"]');
  assert.match(await firstCell(page), /pool/);
  assert.equal(await page.locator('#op-grid [aria-sort="ascending"]').count(), 1);
  await page.locator('#op-grid [data-sort="name"]').focus();
  await page.keyboard.press('Enter');
  assert.equal(await firstCell(page), 'add1');
  await page.locator('#op-grid [data-sort="name"]').focus();
  await page.keyboard.press('Enter');
  assert.equal(await firstCell(page), 'relu1');
  // What is missing comes last, whichever way.
  await page.click('#op-grid [data-sort="roof"]');
  assert.match((await names(page)).at(-1), /pool/);
  await page.click('#op-grid [data-sort="roof"]');
  assert.match((await names(page)).at(-1), /pool/);
});

test('filters, search and groups', async () => {
  const { page } = await open(browser, at('small'));
  await page.keyboard.press('/');
  await page.keyboard.type('bn1');  // an original node of conv1
  assert.deepEqual(await names(page), ['conv1']);
  await page.fill('#op-search', 'no such op');
  assert.match(await page.locator('#op-grid').textContent(), /No op passes/);
  await page.click('#clear-filters');
  await page.selectOption('#type-filter', 'Conv');
  assert.deepEqual(await names(page), ['conv1', 'conv2']);
  await page.selectOption('#bound-filter', 'DRAM');
  assert.match(await page.locator('#op-count').textContent(), /^0 lines/);
  await page.click('#clear-filters');
  await page.selectOption('#group-by', 'type');
  assert.match(await rows(page).first().textContent(), /^Conv5\.590/);
  await page.focus('#op-grid');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  assert.deepEqual(await names(page), ['conv1', 'conv2']);
  await page.click('#clear-filters');
  await page.selectOption('#group-by', 'node');
  assert.ok((await names(page)).includes('bn1'));
});

test('an op selected somewhere is selected everywhere, and the address keeps it', async () => {
  const { page, context } = await open(browser, at('small'));
  await timelineReady(page);
  await page.focus('#op-grid');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  assert.match(await page.locator('#selected h3').textContent(), /conv2/);
  assert.equal(await page.locator('#roofline .chosen').count(), 1);
  assert.equal(await page.locator('#critical-path .chosen-piece').count(), 1);
  await page.waitForFunction(() => location.hash.includes('op=2'));
  await page.selectOption('#type-filter', 'Conv');
  await page.waitForFunction(() => location.hash.includes('type=Conv'));
  const second = await context.newPage();
  await second.goto(page.url());
  await second.waitForSelector('html[data-ready="true"]');
  assert.match(await second.locator('#selected h3').textContent(), /conv2/);
  assert.deepEqual(await names(second), ['conv1', 'conv2']);
  await page.locator('#roofline .mark').last().click();
  assert.match(await page.locator('#selected h3').textContent(), /conv1/);
  await page.keyboard.press('Escape');
  assert.ok(await page.locator('#selected').isHidden());
});

test('a finding leads to its ops', async () => {
  const { page } = await open(browser, at('small'));
  await page.locator('#findings button.link').nth(1).click();
  assert.match(await page.locator('#op-count').textContent(), /^2 lines.*many-tiny-ops/);
});

test('10,000 ops: only what is in sight exists, and every op can be reached', async () => {
  const { page, watch } = await open(browser, at('ops'));
  assert.equal(await page.locator('#op-grid').getAttribute('aria-rowcount'), '10001');
  assert.ok(await rows(page).count() < 60);
  await page.focus('#op-grid');
  await page.keyboard.press('End');
  assert.equal(await page.locator('#op-grid [aria-selected="true"]').getAttribute('aria-rowindex'), '10001');
  await page.keyboard.press('Home');
  assert.equal(await page.locator('#op-grid [aria-selected="true"]').getAttribute('aria-rowindex'), '2');
  await page.fill('#op-search', 'Softmax_9997');
  assert.equal(await rows(page).count(), 1);
  quiet(watch, at('ops'));
});

test('hostile texts stay texts', async () => {
  const { page, watch } = await open(browser, at('hostile'));
  await timelineReady(page);
  for (const details of await page.locator('details').all()) await details.evaluate((element) => { element.open = true; });
  for (let op = 0; op < 6; ++op) {
    await page.evaluate((index) => { location.hash = `op=${index}`; }, op);
    await page.waitForTimeout(30);
  }
  await page.selectOption('#group-by', 'node');
  await page.selectOption('#group-by', 'type');
  await page.selectOption('#group-by', 'op');
  assert.equal(await page.evaluate(() => window.hacked), undefined);
  assert.equal(await page.locator('main img, main script, main svg[onload], main iframe').count(), 0);
  assert.ok((await names(page)).some((name) => name.startsWith('</script>')));
  const text = await page.evaluate(() => document.body.innerText);
  for (const [name, character] of [['a direction mark', '\u202e'], ['an isolate', '\u2066'], ['escape', '\u001b'], ['null', '\u0000']]) {
    assert.ok(!text.includes(character), `${name} is spelt out`);
  }
  assert.ok(text.includes('\\u202e'));
  assert.ok(kHostile.length > 10);
  quiet(watch, at('hostile'));
});

test('the Run and the plots can be taken away', async () => {
  const { page, watch } = await open(browser, at('small'));
  const take = async (act) => {
    const [download] = await Promise.all([page.waitForEvent('download'), act()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const run = await take(() => page.click('#download'));
  assert.equal(run.name, 'small.run.json.zst');
  assert.equal(run.bytes.toString(), 'abc');
  const svg = await take(() => page.locator('#roofline-plot .tools button').first().click());
  assert.match(svg.bytes.toString(), /^<svg[^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
  assert.ok(!svg.bytes.toString().includes('var('), 'the file needs no style sheet');
  const png = await take(() => page.locator('#waterfall .tools button').last().click());
  assert.equal(png.bytes.subarray(1, 4).toString(), 'PNG');
  assert.ok(png.bytes.length > 2000);
  await timelineReady(page);
  const image = await take(() => page.click('#timeline-png'));
  assert.equal(image.bytes.subarray(1, 4).toString(), 'PNG');
  quiet(watch, at('small'));
});

test('the policy lets nothing in', async () => {
  const { page } = await open(browser, at('small'));
  const outcome = await page.evaluate(async () => {
    const script = document.createElement('script');
    script.textContent = 'window.hacked = 6';
    document.body.appendChild(script);
    const holder = document.createElement('div');
    holder.innerHTML = '<img src="x" onerror="window.hacked = 7">';
    document.body.appendChild(holder);
    const asked = await fetch('http://127.0.0.1:9/').then(() => 'let through', () => 'refused');
    await new Promise((resolve) => setTimeout(resolve, 100));
    return { hacked: window.hacked, asked };
  });
  assert.deepEqual(outcome, { hacked: undefined, asked: 'refused' });
});

test('help, theme and paper', async () => {
  const { page } = await open(browser, at('small'));
  await page.keyboard.press('?');
  assert.ok(await page.locator('dialog[open]').isVisible());
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('dialog[open]').count(), 0);
  const back = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await back();
  await page.click('#theme');
  assert.notEqual(await back(), light);
  await page.emulateMedia({ media: 'print' });
  assert.equal(await back(), 'rgb(255, 255, 255)');
  assert.ok(await page.locator('nav').isHidden());
});

for (const width of [360, 1280, 3840]) {
  test(`nothing is wider than a window of ${width}`, async () => {
    const { page } = await open(browser, at('hostile'), { width });
    await timelineReady(page);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
    assert.ok((await names(page)).length > 0);
  });
}
