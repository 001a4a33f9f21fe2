// node shots.mjs PAGE.html FOLDER: how the page looks, at three widths, light and dark, and on paper.
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { launch, open, timelineReady } from './browser.mjs';

const [page_file, folder] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const browser = await launch();
for (const [width, height] of [[360, 740], [1280, 900], [3840, 2160]]) {
  for (const scheme of ['light', 'dark']) {
    const { page, context } = await open(browser, `file://${resolve(page_file)}#op=0`, { width, height, scheme });
    await timelineReady(page).catch(() => undefined);
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${folder}/${width}-${scheme}.png`, fullPage: true });
    await context.close();
  }
}
const { page } = await open(browser, `file://${resolve(page_file)}`);
await page.emulateMedia({ media: 'print' });
await page.pdf({ path: `${folder}/print.pdf`, format: 'A4' });
await browser.close();
