#!/usr/bin/env node
// Plain JavaScript, so that Node's compile cache is on before it meets the first TypeScript file: stripping types takes
// some 30 MB in each thread and 100 ms at each start, and what lies in the cache is stripped already. A directory of
// our own, because whoever may write to the cache decides what we run; where nothing can be written, nothing is cached.
// NODE_COMPILE_CACHE, where it is set, comes first: Node.js has turned the cache on before it comes here.
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

// Loading the program would leave the server 20 MB of young heap that it has no use for. ADR 0014; src/app/young-heap.ts.
if (process.argv[2] === 'serve') setFlagsFromString('--semi-space-growth-factor=1');
enableCompileCache(join(import.meta.dirname, '../node_modules/.cache/rungate'));
await import('../src/main.ts');
