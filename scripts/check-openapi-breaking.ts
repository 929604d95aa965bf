/** `npm run openapi:breaking`: fails where a document in `openapi/` breaks clients of its newest released version. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reviveJson, type JsonObject } from '../src/core/json.ts';
import { breakingChanges } from './support/breaking-changes.ts';
import { newestVersion } from './support/newest-version.ts';

const FOLDER = join(import.meta.dirname, '..', 'openapi');
const RELEASED = join(FOLDER, 'released');

/** Each document, and what comes before the version in the names of its released ones. */
const DOCUMENTS = { 'openapi.json': '', 'admin.json': 'admin-' };

for (const [name, prefix] of Object.entries(DOCUMENTS)) {
  const newest = newestVersion(existsSync(RELEASED) ? readdirSync(RELEASED) : [], prefix);
  if (newest === null) console.log(`${name}: nothing was released yet, so nothing can break`);
  else {
    const released = read(join(RELEASED, `${prefix}${newest}.json`));
    const changes = breakingChanges(released, read(join(FOLDER, name)));
    for (const change of changes) console.error(`${name}: ${change}`);
    console.log(`${name}: ${changes.length} breaking changes since ${newest}`);
    if (changes.length > 0) process.exitCode = 1;
  }
}

function read(file: string): JsonObject {
  return reviveJson<JsonObject>(readFileSync(file, 'utf8'));
}
