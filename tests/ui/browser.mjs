// A page in Debian's chromium, watched: what it logs, what it asks the network for, what it lets through.
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const kPlaces = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export const browserPath = () => process.env.NEUROLENS_CHROMIUM ?? kPlaces.find((path) => existsSync(path));

export const launch = () => chromium.launch({
  executablePath: browserPath(),
  args: ['--no-sandbox', '--disable-dev-shm-usage', '--force-color-profile=srgb'],
});

/** Opens `url`; `watch` collects everything that a quiet page does not do. */
export async function open(browser, url, { width = 1280, height = 900, scheme = 'light', touch = false } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: scheme, hasTouch: touch, acceptDownloads: true, reducedMotion: 'reduce',
  });
  const page = await context.newPage();
  const watch = { errors: [], requests: [], dialogs: [] };
  page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) watch.errors.push(message.text()); });
  page.on('pageerror', (error) => watch.errors.push(String(error)));
  page.on('request', (request) => { if (!/^(blob|data):/.test(request.url())) watch.requests.push(request.url()); });
  page.on('dialog', (dialog) => { watch.dialogs.push(dialog.message()); void dialog.dismiss(); });
  await page.goto(url);
  await page.waitForSelector('html[data-ready="true"]');
  return { page, watch, context };
}

/** The timeline is drawn after the rest. */
export const timelineReady = (page) => page.waitForSelector('#timeline-holder[data-ready="true"]');
