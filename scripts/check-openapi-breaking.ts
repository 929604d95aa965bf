/** `npm run openapi:breaking`: fails where `openapi/openapi.json` breaks clients of the newest released document. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { reviveJson, type JsonObject } from '../src/core/json.ts';
import { breakingChanges } from './support/breaking-changes.ts';
import { newestVersion } from './support/newest-version.ts';

const FOLDER = join(import.meta.dirname, '..', 'openapi');
const RELEASED = join(FOLDER, 'released');

const newest = newestVersion(existsSync(RELEASED) ? readdirSync(RELEASED) : []);
if (newest === null) console.log('nothing was released yet, so nothing can break');
else {
  const changes = breakingChanges(read(join(RELEASED, `${newest}.json`)), read(join(FOLDER, 'openapi.json')));
  for (const change of changes) console.error(change);
  console.log(`${changes.length} breaking changes since ${newest}`);
  process.exitCode = changes.length === 0 ? 0 : 1;
}

function read(file: string): JsonObject {
  return reviveJson<JsonObject>(readFileSync(file, 'utf8'));
}
