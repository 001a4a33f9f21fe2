// node measure.mjs NEUROLENS FOLDER: sizes and times of the reports of report_runs' two Runs. See METHOD.md.
import { execFileSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { launch, open, timelineReady } from '../../tests/ui/browser.mjs';

const [program, folder] = process.argv.slice(2).map((path) => resolve(path));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const row = (what, value, bound) => console.log(`${what.padEnd(62)} ${value.padStart(12)}   ${bound}`);
const megabytes = (path) => `${(statSync(path).size / 1e6).toFixed(2)} MB`;

function make(name, rounds) {
  const out = join(folder, `${name}.html`);
  const times = [];
  for (let i = 0; i < rounds; ++i) {
    const begin = process.hrtime.bigint();
    execFileSync(program, ['report', join(folder, `${name}.run.json`), '--html', out], { stdio: 'ignore' });
    times.push(Number(process.hrtime.bigint() - begin) / 1e6);
  }
  return { out, ms: median(times) };
}

const kWatch = `
  globalThis.longTasks = [];
  new PerformanceObserver((list) => { for (const e of list.getEntries()) longTasks.push([Math.round(e.startTime), Math.round(e.duration)]); })
    .observe({ type: 'longtask', buffered: true });
`;

/** Opens a report anew; ms from navigation to a page that answers, and to a drawn timeline. */
async function opened(browser, file) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript(kWatch);
  await page.goto(`file://${file}`, { waitUntil: 'commit' });
  await page.waitForSelector('html[data-ready="true"]');
  const ready = await page.evaluate(() => performance.now());
  await timelineReady(page);
  const drawn = await page.evaluate(() => performance.now());
  return { page, context, ready, drawn };
}

/** Zooms and pans by keys; each frame's time to draw as the timeline itself measures it, and between frames. */
async function frames(page) {
  return page.evaluate(async () => {
    const canvas = document.querySelector('.timeline-canvas');
    canvas.scrollIntoView();
    canvas.focus();
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const press = (key) => canvas.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    const draw = [];
    const between = [];
    await next(); await next();
    let last = performance.now();
    const keys = [...'wwwwwwddddddaaaaaasssssswwwwwwwwwwwwddddddddddssssssssssss'.repeat(2)];
    for (const key of keys) {
      press(key);
      const now = await next();
      await next();
      draw.push(Number(canvas.dataset.frame));
      between.push((performance.now() - last) / 2);
      last = performance.now();
      void now;
    }
    return { draw, between };
  });
}

const browser = await launch();
console.log('what'.padEnd(62), 'measured'.padStart(12), '  asked');
const ops = make('ops', 11);
row('10,000 ops: neurolens report --html, whole process, median of 11', `${ops.ms.toFixed(0)} ms`, '< 100 ms');
row('10,000 ops: size', megabytes(ops.out), '< 3 MB');
const small = await opened(browser, ops.out);
row('10,000 ops: the page answers after', `${small.ready.toFixed(0)} ms`, '');
await small.context.close();

const events = make('events', 3);
row('1,000,000 events: neurolens report --html, median of 3', `${events.ms.toFixed(0)} ms`, '');
row('1,000,000 events: size', megabytes(events.out), '< 40 MB');
const ready = [];
const drawn = [];
let last;
for (let i = 0; i < 3; ++i) {
  await last?.context.close();
  last = await opened(browser, events.out);
  ready.push(last.ready);
  drawn.push(last.drawn);
}
row('1,000,000 events: the page answers after, median of 3', `${median(ready).toFixed(0)} ms`, '');
row('1,000,000 events: timeline drawn and answering, median of 3', `${median(drawn).toFixed(0)} ms`, '< 2000 ms');
const long = await last.page.evaluate(() => globalThis.longTasks);
row('1,000,000 events: longest task of the main thread', `${Math.max(0, ...long.map((task) => task[1]))} ms`, '50 ms aimed at');
for (const width of [1280, 3840]) {
  await last.page.setViewportSize({ width, height: width === 1280 ? 900 : 2160 });
  await last.page.waitForTimeout(200);
  const { draw, between } = await frames(last.page);
  const sorted = [...draw].sort((a, b) => a - b);
  row(`timeline frame at ${width} px: median of ${draw.length}`, `${median(draw).toFixed(1)} ms`, '< 16 ms');
  row(`timeline frame at ${width} px: 95 % / worst`, `${sorted[Math.floor(0.95 * sorted.length)].toFixed(1)} / ${sorted.at(-1).toFixed(1)} ms`, '');
  row(`time between frames at ${width} px: median`, `${median(between).toFixed(1)} ms`, '');
}
await browser.close();
