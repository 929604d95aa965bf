import { systemClock } from '../../../src/core/clock.ts';
import { openStore, type StoreOptions } from '../../../src/store/open-store.ts';

// A process of its own that opens the store named by its arguments, says `open`, and stays until it is killed.
const [path, role] = process.argv.slice(2);
const log = { debug() {}, info() {}, warn() {}, error() {} };
await openStore({
  url: `sqlite:${path}`,
  clock: systemClock,
  log,
  role: role as StoreOptions['role'],
  writer: 'worker',
});
process.stdout.write('open\n');
setInterval(() => {}, 60_000);
