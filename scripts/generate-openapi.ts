/** Writes `openapi/openapi.json` and `openapi/admin.json`, the APIs' descriptions, from the routes and their schemas. */
import { VERSION } from '../src/app/version.ts';
import type { Json, JsonObject } from '../src/core/json.ts';
import { sortedJson } from './support/sorted-json.ts';
import { describedAdminApi, describedApi } from './support/described-api.ts';
import { writeOrCheck } from './support/generated-file.ts';

const NOTE = 'By scripts/generate-openapi.ts. Do not edit; run `npm run generate`.';

function render(described: JsonObject): string {
  const document: Json = { ...described, 'x-generated': NOTE };
  return JSON.stringify(sortedJson(document), null, 2);
}

const DOCUMENTS = { 'openapi/openapi.json': describedApi, 'openapi/admin.json': describedAdminApi };
for (const [path, describe] of Object.entries(DOCUMENTS)) {
  await writeOrCheck({ path, render: () => render(describe(VERSION)) }, import.meta.filename);
}
