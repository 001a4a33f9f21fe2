// node run.mjs MAKE_PAGE FOLDER [NEUROLENS]: makes the pages and runs the browser tests. 77: skipped.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [make_page, folder, program = ''] = process.argv.slice(2);
const kSkipped = 77;
const skip = (why) => { console.log(`skipped: ${why}`); process.exit(kSkipped); };

if (!existsSync(join(here, 'node_modules/playwright-core'))) {
  const got = spawnSync('npm', ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: here, encoding: 'utf8' });
  if (got.status !== 0) skip('npm could not fetch playwright-core and axe-core (tests/ui/package-lock.json)');
}
const { browserPath } = await import('./browser.mjs');
if (!browserPath()) skip('chromium is missing (apt-get install chromium)');

const documents = await import('./documents.mjs');
mkdirSync(folder, { recursive: true });
const pages = {
  small: documents.small(), hostile: documents.hostile(), program: documents.program(),
  ops: documents.withOps(documents.small(), 10_000), events: documents.withEvents(documents.withOps(documents.small(), 500), 200_000, 6),
};
for (const [name, document] of Object.entries(pages)) {
  const from = join(folder, `${name}.json`);
  writeFileSync(from, JSON.stringify(document));
  const made = spawnSync(make_page, [from, join(folder, `${name}.html`)], { encoding: 'utf8' });
  if (made.status === kSkipped) skip(made.stderr.trim());
  if (made.status !== 0) { console.error(made.stderr); process.exit(1); }
}
if (program) {
  const run = join(here, '../../schema/examples/run-1.0.0.json');
  const made = spawnSync(program, ['report', run, '--baseline', run, '--html', join(folder, 'example.html')], { encoding: 'utf8' });
  if (made.status !== 0) { console.error(made.stderr); process.exit(1); }
}
const tests = ['report.test.mjs', 'timeline.test.mjs', 'access.test.mjs', 'view.test.mjs'].map((name) => join(here, name));
const done = spawnSync(process.execPath, ['--test', ...tests], {
  stdio: 'inherit', env: { ...process.env, NEUROLENS_PAGES: folder, NEUROLENS_PROGRAM: program, NEUROLENS_MAKE_PAGE: make_page },
});
process.exit(done.status ?? 1);
