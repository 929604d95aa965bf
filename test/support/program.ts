import { join } from 'node:path';
import { ROOT } from './documents.ts';

/** What the tests start as `rungate`: the source as it is, or the build that `RUNGATE_TEST_PROGRAM` names. */
export const PROGRAM = process.env['RUNGATE_TEST_PROGRAM'] ?? join(ROOT, 'src/main.ts');
