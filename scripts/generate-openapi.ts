/** Writes `openapi/openapi.json`, the API's description, from the routes and their schemas. */
import { VERSION } from '../src/app/version.ts';
import type { Json } from '../src/core/json.ts';
import { sortedJson } from './support/sorted-json.ts';
import { describedApi } from './support/described-api.ts';
import { writeOrCheck } from './support/generated-file.ts';

const NOTE = 'By scripts/generate-openapi.ts. Do not edit; run `npm run generate`.';

function render(): string {
  const document: Json = { ...describedApi(VERSION), 'x-generated': NOTE };
  return JSON.stringify(sortedJson(document), null, 2);
}

await writeOrCheck({ path: 'openapi/openapi.json', render }, import.meta.filename);
