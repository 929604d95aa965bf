/** Writes `docs/errors.md`, every error code, from the catalogue in `src/core/error-catalogue.ts`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CATALOGUE, type CatalogueEntry, type ErrorCode } from '../src/core/error-catalogue.ts';
import { startErrorCode } from '../src/runs/answers.ts';
import { writeOrCheck } from './support/generated-file.ts';
import { code, table } from './support/markdown.ts';

const SOURCE = join(import.meta.dirname, '..', 'src');

const INTRODUCTION = `# Errors

Every refusal has one form, and a run that failed or timed out has the same object as its \`error\`:

\`\`\`json
{
  "error": {
    "code": "upstream_rate_limited",
    "message": "AI Tutor is limiting this account; retry in 12 s.",
    "status": 429,
    "source": "upstream",
    "retryable": true,
    "retry_after_s": 12,
    "provider": "ai-tutor",
    "upstream": { "status": 429, "code": null, "message": "Rate limit exceeded", "request_id": null },
    "run_id": "run_01k9zq…",
    "request_id": "req_01k9zq…",
    "param": null,
    "docs_url": "/docs/errors#upstream_rate_limited"
  }
}
\`\`\`

- \`source\` says whose fault it is: \`gateway\` (Rungate refused, or failed), \`upstream\` (the vendor answered so) or
  \`network\` (no answer came through). A vendor's 401 is never your 401.
- \`retryable: true\` is a promise: the same request, sent again with the same idempotency key or with none, may
  succeed and cannot begin a second run. The tables give each code's usual value; the answer itself decides.
- \`retry_after_s\`, and the header \`Retry-After\`, are in every answer of status 429 or 503.
- \`param\` names the field, header or parameter at fault, where there is one.
- \`upstream\` is what the vendor said, shortened, and null where it said nothing.
- \`request_id\` is in the log of the process that answered.
- \`docs_url\` ends with the code, which is a heading of this page.

A workflow that was accepted and failed afterwards is not an HTTP error: the answer is \`200\` with the run,
\`"status": "failed"\` and its \`error\`. [Concepts](concepts.md) says when an answer is a run and when it is an error.`;

const MAPPING = `## What a vendor's answer to a start becomes

The same for every vendor. Whether the run may have begun decides what \`retryable\` is: a vendor's 429 is retryable
because its documents say that nothing began; a 503 is not, because they do not.`;

/** Statuses whose code is asked of the engine itself; the last two stand for all others of their hundred. */
const STATUSES: ReadonlyArray<readonly [label: string, status: number]> = [
  ['400', 400],
  ['401', 401],
  ['402', 402],
  ['403', 403],
  ['404', 404],
  ['409', 409],
  ['422', 422],
  ['429', 429],
  ['any other 4xx', 418],
  ['500', 500],
  ['503', 503],
  ['529', 529],
  ['any other 5xx', 504],
  ['3xx', 302],
];

const WITHOUT_STATUS: ReadonlyArray<readonly [label: string, code: ErrorCode]> = [
  ['429 that the vendor marks as a used-up quota', 'upstream_quota_exhausted'],
  ['2xx that is no success: no JSON, another shape, too large, an error in it', 'upstream_invalid_response'],
  ['no connection, DNS, TLS: nothing was sent', 'upstream_unreachable'],
  ['nothing within the time for a start', 'upstream_timeout'],
  ['the connection broke after bytes had left, or in the body of a 2xx', 'outcome_unknown'],
];

function mappingTable(): string {
  const answered = STATUSES.map(([label, status]) => [label, startErrorCode(status)] as const);
  return table(
    ['the vendor', 'code', 'HTTP status', 'retryable'],
    [...answered, ...WITHOUT_STATUS].map(([label, name]) => {
      const { status, retryable } = ERROR_CATALOGUE[name];
      return [label, `[${code(name)}](#${name})`, String(status), yesNo(retryable)];
    }),
  );
}

function entryOf(name: string, { status, source, retryable, message, advice }: CatalogueEntry, given: boolean): string {
  const facts = `HTTP ${status} · source ${code(source)} · retryable: ${yesNo(retryable)}`;
  const later = given ? [] : ['This version never answers so; the code is reserved.'];
  return [`### ${name}`, facts, `${message} ${advice}`, ...later].join('\n\n');
}

function yesNo(value: boolean): string {
  return value ? 'yes' : 'no';
}

/** Codes that something outside the catalogue throws or writes. */
function codesInUse(): ReadonlySet<string> {
  const texts = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('error-catalogue.ts'))
    .map((name) => readFileSync(join(SOURCE, name), 'utf8'));
  return new Set(Object.keys(ERROR_CATALOGUE).filter((name) => texts.some((text) => text.includes(`'${name}'`))));
}

function render(): string {
  const inUse = codesInUse();
  const entries = Object.entries<CatalogueEntry>(ERROR_CATALOGUE).map(([name, entry]) =>
    entryOf(name, entry, inUse.has(name)),
  );
  return [INTRODUCTION, MAPPING, mappingTable(), '## Codes', ...entries].join('\n\n');
}

await writeOrCheck({ path: 'docs/errors.md', render }, import.meta.filename);
