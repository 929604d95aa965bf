/** `npm run build`: the program with the packages that it needs, bundled into `dist/`. See docs/operations.md. */
import { join } from 'node:path';
import { buildProgram } from './support/build-program.ts';

await buildProgram(join(import.meta.dirname, '../dist'));
