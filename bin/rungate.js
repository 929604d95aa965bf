#!/usr/bin/env node
// Plain JavaScript, so that Node's compile cache is on before it meets the first TypeScript file: stripping types takes
// some 30 MB in each thread and 100 ms at each start, and what lies in the cache is stripped already. A directory of
// our own, because whoever may write to the cache decides what we run; where nothing can be written, nothing is cached.
// NODE_COMPILE_CACHE, where it is set, comes first: Node.js has turned the cache on before it comes here.
//
// Loading the program would leave a server 20 MB of young heap that it has no use for, so that heap stays as it is until
// the server takes over its runs: ADR 0014. Compiled code is good only under the flags that it was made with. So commands,
// which share the server's cache, have the same flag; and what is compiled into Node.js is loaded before it.
//
// Nothing is imported before the version of Node.js is known to be one that has it.
const NODE_MIN = 24;
const { node: version } = process.versions;
if (Number.parseInt(version, 10) < NODE_MIN) {
  process.stderr.write(
    `rungate: this is Node.js ${version}, and version ${NODE_MIN} or later is needed; \`npm ci\` in a checkout installs it\n`,
  );
  process.exit(1);
}
const [{ enableCompileCache }, path, { setFlagsFromString }] = await Promise.all([
  import('node:module'),
  import('node:path'),
  import('node:v8'),
  import('node:crypto'),
  import('node:https'),
  import('node:sqlite'),
  import('node:stream/web'),
  import('node:worker_threads'),
]);

setFlagsFromString('--semi-space-growth-factor=1');
enableCompileCache(path.join(import.meta.dirname, '../node_modules/.cache/rungate'));
await import('../src/main.ts');
