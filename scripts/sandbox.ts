/**
 * Runs the simulated vendors as a process of their own, until SIGTERM or SIGINT:
 *
 *   npx node scripts/sandbox.ts [--control <port>] [--ai-tutor <port>] [--b3os <port>] [--draft-and-goal <port>]
 *     [--interactly <port>]
 *
 * Its one line of output is JSON: `{ "control": { "origin" }, "vendors": { "<kind>": { "base_url", "origin", "key" } } }`.
 */
import { parseArgs } from 'node:util';
import { systemClock } from '../src/core/clock.ts';
import { createSystemRandom } from '../src/core/random.ts';
import { startSandbox } from '../src/sandbox/start-sandbox.ts';
import { VENDOR_SANDBOXES } from '../src/sandbox/vendors.ts';

const names = ['control', ...VENDOR_SANDBOXES.map(({ kind }) => kind)] as const;

function readPorts(): Partial<Record<(typeof names)[number], number>> {
  const options = Object.fromEntries(names.map((name) => [name, { type: 'string' as const }]));
  const { values } = parseArgs({ options, strict: true });
  const given = Object.entries(values).map(([name, text]) => [name, readPort(name, text)] as const);
  return Object.fromEntries(given);
}

function readPort(name: string, text: unknown): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new RangeError(`--${name}: expected a port, 0 to 65535`);
}

const sandbox = await startSandbox({
  clock: systemClock,
  random: createSystemRandom(),
  host: '127.0.0.1',
  ports: readPorts(),
});
const vendors = Object.values(sandbox.vendors).map(({ kind, baseUrl, origin, key }) => [
  kind,
  { base_url: baseUrl, origin, key },
]);
process.stdout.write(`${JSON.stringify({ control: sandbox.control, vendors: Object.fromEntries(vendors) })}\n`);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void sandbox.close());
}
