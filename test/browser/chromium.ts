import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Page } from 'playwright-core';

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const INSTALL_MINUTES = 4;
const IN_PAGE = fileURLToPath(new URL('in-page.js', import.meta.url));
/** Beside what Playwright sets itself: a profile of its own, and nothing that talks to anybody. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Starts the system's Chromium, which root has installed where it is missing. Throws what to do where it cannot be. */
export async function launchChromium(): Promise<Browser> {
  const executablePath = process.env['RUNGATE_TEST_CHROMIUM'] ?? PATHS.find(existsSync) ?? installed();
  return chromium.launch({ executablePath, args: FLAGS });
}

/** Opens a page at `url` that has `ask` and `listen` of `in-page.js`. */
export async function openPage(browser: Browser, url: string): Promise<Page> {
  const context = await browser.newContext();
  await context.addInitScript({ path: IN_PAGE });
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

function installed(): string {
  const path = PATHS[0] as string;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    throw new Error(
      'there is no Chromium here: install the package `chromium`, or set RUNGATE_TEST_CHROMIUM to a browser',
    );
  }
  console.log('installing the package `chromium`, because there is no browser');
  for (const words of [['update'], ['install', '-y', '--no-install-recommends', 'chromium']]) {
    const { status, stderr } = spawnSync('apt-get', words, {
      encoding: 'utf8',
      timeout: INSTALL_MINUTES * 60_000,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    if (status !== 0) throw new Error(`apt-get ${words.join(' ')} failed: ${stderr.slice(-500)}`);
  }
  if (!existsSync(path)) throw new Error(`apt-get has installed chromium, and there is no ${path}`);
  return path;
}
