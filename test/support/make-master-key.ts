import { systemClock } from '../../src/core/clock.ts';
import { createSystemRandom } from '../../src/core/random.ts';
import { openMasterKeys } from '../../src/vault/open-master-keys.ts';
import { memoryCredentialStore } from './memory-stores.ts';

// Run in a process of its own: opens the master key of the data directory named by its argument and reports it.
const nothing = () => {};
const keys = await openMasterKeys(
  { value: null, file: null, command: null, dataDir: process.argv[2] ?? '', mayMake: true },
  {
    store: memoryCredentialStore(),
    clock: systemClock,
    random: createSystemRandom(),
    log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
  },
);
process.send?.((await keys.newest()).fingerprint, () => process.disconnect());
