/**
 * `npm run test:browser`: a page in a real browser gets a token from its own backend (`examples/browser`), starts a run,
 * follows it by `EventSource`, is reloaded and goes on; pages of other origins get nothing. It needs Chromium, which
 * it installs where it may (Debian's package, as root); `RUNGATE_TEST_CHROMIUM` names another one.
 */
import { launchChromium } from '../test/browser/chromium.ts';
import { playInBrowser } from '../test/browser/play.ts';
import { startBrowserWorld } from '../test/browser/world.ts';
import { reportChecks } from '../test/support/processes/checks.ts';

const browser = await launchChromium();
console.log(`Chromium ${browser.version()}`);
try {
  await using world = await startBrowserWorld();
  const { text, failed } = reportChecks(await playInBrowser(browser, world));
  console.log(text);
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  await browser.close();
}
