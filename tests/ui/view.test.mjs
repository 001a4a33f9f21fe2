// `neurolens view` as a person uses it: a store of real Runs, a browser, real sockets.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, open } from './browser.mjs';

const program = process.env.NEUROLENS_PROGRAM;
const folder = join(process.env.NEUROLENS_PAGES, 'view');
const example = JSON.parse(readFileSync(new URL('../../schema/examples/run-1.0.0.json', import.meta.url), 'utf8'));
let browser;
let server;
let address;
const running = [];

/** A Run like the example, slower by `factor`, as a file that the store takes. */
function runFile(number, factor, name = 'sample-mlp') {
  const run = structuredClone(example);
  run.run_id = `0000000${number}-0000-4000-8000-00000000000${number}`;
  run.created_at = `2026-02-0${number}T12:00:00.000Z`;
  run.workload.name = name;
  run.samples.iterations.duration_ns = run.samples.iterations.duration_ns.map((ns) => Math.round(ns * factor));
  const path = join(folder, `${number}.run.json`);
  const draft = `${path}.draft.json`;
  run.content_hash = '0'.repeat(64);
  writeFileSync(draft, JSON.stringify(run));
  // The refusal of a wrong hash names the right one.
  const { stdout, stderr } = spawnSync(program, ['validate', draft], { encoding: 'utf8' });
  run.content_hash = /whose hash is ([0-9a-f]{64})/.exec(stdout + stderr)[1];
  writeFileSync(draft, JSON.stringify(run));
  renameSync(draft, path);
  return path;
}
const store = join(folder, 'store');
const add = (path) => execFileSync(program, ['store', 'add', path, '--store', store], { stdio: 'pipe' });

async function start(args) {
  const child = spawn(program, ['view', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  const url = await new Promise((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (data) => { said += data; if (said.includes('\n')) resolve(said.trim()); });
    child.stderr.on('data', (data) => { said += data; });
    child.on('exit', (code) => reject(new Error(`view ended with ${code}: ${said}`)));
  });
  return { child, url };
}

const skip = program ? false : 'the program is not built';
before(async () => {
  if (skip) return;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [number, factor, name] of [[1, 1], [2, 1.5], [3, 1, '<img src=x onerror=alert(1)>']]) add(runFile(number, factor, name));
  browser = await launch();
  ({ child: server, url: address } = await start(['--store', store]));
});
after(async () => {
  for (const child of running) child.kill('SIGTERM');
  await browser?.close();
});

const quiet = (watch) => {
  assert.deepEqual(watch.errors, []);
  assert.deepEqual(watch.requests.filter((url) => !url.startsWith(address)), [], 'it talks to its own server only');
};
const names = (page) => page.locator('#run-grid .grid-body [role="row"] [role="gridcell"]:first-child').allTextContents();

test('lists, filters and opens', { skip }, async () => {
  const { page, watch } = await open(browser, address);
  assert.match(address, /^http:\/\/127\.0\.0\.1:\d+\/$/);
  assert.equal((await names(page)).length, 3);
  assert.ok((await names(page)).some((name) => name.startsWith('<img src')));
  await page.fill('#run-search', 'sample-mlp');
  assert.deepEqual(await names(page), ['sample-mlp', 'sample-mlp']);
  await page.click('#run-grid [data-sort="latency"]');
  await page.focus('#run-grid');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await page.waitForSelector('#headline');
  assert.match(page.url(), /run=00000002/);  // the slower one comes first
  assert.ok(await page.locator('#op-grid').isVisible());
  await page.click('#all-runs');
  await page.waitForSelector('#run-grid');
  quiet(watch);
});

test('compares any two, by keyboard', { skip }, async () => {
  const { page, watch } = await open(browser, address);
  await page.fill('#run-search', '2026-02-01');
  await page.focus('#run-grid');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('b');
  await page.fill('#run-search', '2026-02-02');
  await page.focus('#run-grid');
  await page.keyboard.press('Home');
  await page.keyboard.press('c');
  await page.waitForSelector('#comparison');
  assert.match(await page.locator('#comparison').textContent(), /1\.5\d*×/);
  assert.ok(page.url().includes('baseline=00000001'));
  await page.selectOption('#against', '');
  await page.waitForSelector('#comparison', { state: 'detached' });
  quiet(watch);
});

test('shows the trend and gives the Run away', { skip }, async () => {
  const { page, watch } = await open(browser, address);
  await page.selectOption('#trend-model', 'sample-mlp');
  // Drawn anew whenever the list is read again: wait for the two points, not for a moment with them.
  await page.waitForFunction(() => document.querySelectorAll('#trend-plot svg .point').length === 2);
  await page.goto(`${address}#run=00000001`);
  await page.waitForSelector('#download');
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#download')]);
  assert.equal(JSON.parse(readFileSync(await download.path(), 'utf8')).run_id, '00000001-0000-4000-8000-000000000001');
  quiet(watch);
});

test('a Run added meanwhile appears, in the list and where the latest is followed', { skip }, async () => {
  const { page } = await open(browser, address);
  const { page: latest } = await open(browser, `${address}#run=@latest`);
  await latest.waitForSelector('#headline');
  add(runFile(4, 2));
  await page.waitForFunction(() => document.querySelector('#run-count')?.textContent.startsWith('4 Runs'), null, { timeout: 10_000 });
  await latest.waitForFunction(() => document.querySelector('#about')?.textContent.includes('00000004-'), null, { timeout: 10_000 });
});

test('a named file is shown without a store, and shown anew when it changes', { skip }, async () => {
  const path = runFile(5, 1);
  const { url, child } = await start([path, '--store', store]);
  const { page } = await open(browser, `${url}#run=file:0`);
  await page.waitForSelector('#headline');
  const before = await page.locator('#headline .number').textContent();
  runFile(5, 3);
  await page.waitForFunction((old) => document.querySelector('#headline .number')?.textContent !== old, before, { timeout: 10_000 });
  child.kill('SIGTERM');
});

test('refuses other hosts, paths and methods', { skip }, async () => {
  for (const path of ['../../etc/passwd', 'api/run?run=../../../etc/passwd', 'api/run?run=file:7', 'api/findings?run=/etc/passwd', 'api/run?run=file:../1']) {
    const response = await fetch(address + path);
    assert.equal(response.status, 404, path);
    assert.match(response.headers.get('content-security-policy'), /default-src 'none'/);
  }
  assert.equal((await fetch(address, { method: 'POST' })).status, 405);
  assert.match((await fetch(address)).headers.get('content-security-policy'), /script-src 'sha256-[^;]*; style-src 'sha256-.*connect-src 'self'.*frame-ancestors 'none'/);
});

test('Ctrl-C ends it', { skip }, async () => {
  const ended = new Promise((resolve) => { server.on('exit', (code) => resolve(code)); });
  server.kill('SIGINT');
  assert.equal(await ended, 0);
});
