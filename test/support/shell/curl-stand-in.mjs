// What the documents use of curl, for machines without it: [-sS] [-X METHOD] [-H HEADER]… [-d BODY | -d @FILE] URL
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    silent: { type: 'boolean', short: 's' },
    'show-error': { type: 'boolean', short: 'S' },
    request: { type: 'string', short: 'X' },
    header: { type: 'string', short: 'H', multiple: true },
    data: { type: 'string', short: 'd' },
  },
});
const headers = (values.header ?? []).map((header) => header.split(/:\s*/, 2));
const { data } = values;
const body = data?.startsWith('@') ? readFileSync(data.slice(1), 'utf8') : data;
const response = await fetch(positionals[0], {
  method: values.request ?? (body === undefined ? 'GET' : 'POST'),
  headers,
  ...(body === undefined ? {} : { body }),
});
process.stdout.write(await response.text());
