import { join } from 'node:path';
import { ROOT } from './documents.ts';

/** A build that is tested instead of the source: the path of its `bin/rungate.js`. */
const BUILT = process.env['RUNGATE_TEST_PROGRAM'];

/** What the tests start as `rungate`. */
export const PROGRAM = BUILT ?? join(ROOT, 'src/main.ts');
/** The same by way of the file that its users start. */
export const LAUNCHER = BUILT ?? join(ROOT, 'bin/rungate.js');
