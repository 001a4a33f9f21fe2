// axe-core over the whole page, light and dark, wide and narrow, with everything unfolded.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { launch, open, timelineReady } from './browser.mjs';

const at = (name) => `file://${process.env.NEUROLENS_PAGES}/${name}.html`;
const axe = readFileSync(fileURLToPath(new URL('node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8');
let browser;
before(async () => { browser = await launch(); });
after(async () => { await browser.close(); });

for (const [name, width, scheme] of [['small', 1280, 'light'], ['small', 1280, 'dark'], ['small', 360, 'light'], ['hostile', 360, 'dark'], ['program', 1280, 'light']]) {
  test(`${name}, ${width} px, ${scheme}: no serious finding`, async () => {
    const { page } = await open(browser, `${at(name)}#op=0`, { width, scheme });
    await timelineReady(page);
    for (const details of await page.locator('details').all()) await details.evaluate((element) => { element.open = true; });
    await page.waitForTimeout(100);
    await page.evaluate(axe);  // the debugger's door: the page's policy is not weakened for it
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    const bad = violations.filter((violation) => ['serious', 'critical'].includes(violation.impact));
    assert.deepEqual(bad.map((v) => [v.id, v.nodes.slice(0, 3).map((node) => node.html.slice(0, 160)), v.nodes[0].failureSummary]), []);
  });
}
