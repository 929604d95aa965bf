/** `npm run generate`: writes every generated file; with `--check`, fails where one is stale. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

const GENERATORS = [
  'generate-catalog.ts',
  'generate-command-line-doc.ts',
  'generate-config-schema.ts',
  'generate-errors-doc.ts',
  'generate-metrics-doc.ts',
  'generate-metrics-monitoring.ts',
  'generate-openapi.ts',
  // From the document, so after it.
  'generate-openapi-client.ts',
  'generate-providers-doc.ts',
  'generate-sandbox-doc.ts',
  'generate-settings-doc.ts',
];

let failed = 0;
for (const generator of GENERATORS) {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, generator), ...process.argv.slice(2)], {
    stdio: 'inherit',
  });
  if (status !== 0) failed += 1;
}
process.exitCode = failed === 0 ? 0 : 1;
