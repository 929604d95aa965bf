/** Writes `docs/sandbox.md`, the special workflow ids, from the sandbox's own tables. */
import { FAULTS, faultsFor, type Concern, type FaultEntry } from '../src/sandbox/faults.ts';
import { VENDOR_SANDBOXES } from '../src/sandbox/vendors.ts';
import { hexIdOf } from '../src/sandbox/workflow-names.ts';
import { writeOrCheck } from './support/generated-file.ts';
import { code, table } from './support/markdown.ts';

const INTRODUCTION = `# The sandbox

\`serve --sandbox\` starts a simulated vendor for each provider on loopback, real HTTP servers on free ports, and points
the built-in providers at them. It has a data directory, a database, credentials and client keys of its own
(\`$RUNGATE_DATA_DIR/sandbox\`), and nothing else can be reached from it: providers that \`rungate.yaml\` adds are left
out, and with them their workflows. It prints where everything is.

The vendors are as strict as their documents: a wrong credential, path or body gets the documented error. Every
workflow id of the usual form is a workflow that they have; it answers a sentence that repeats its inputs.

**Counting starts.** \`GET /starts\` at the last printed address lists the starts that came in
(\`?kind=&workflow=&began=true|false&after=&limit=\`), and \`POST /reset\` there forgets them: that is how to see that a
run was begun once. A start by a stream or a WebSocket counts like any other. \`GET /resumes\` lists what let waiting
runs go on, in the same way.

**Streams.** AI Tutor streams a start behind a single-use token, Interactly over a WebSocket, and B3OS beside a run
(\`GET /v1/runs/{id}/stream\`). AI Tutor's format and B3OS's events are not documented, so they are made up here. At AI Tutor
a token is asked for before a workflow is named; a credential \`<the key>.token-<damage>\` is a good one whose tokens cannot
be had, such as \`….token-status-402\` or \`….token-cut-before-headers\`: any part below that damages a start. What such a
part does to a WebSocket: a refusal closes it with 1008, a 5xx with 1011, a cut cuts it, anything else is a message that is
no JSON.

**Webhooks.** \`POST /webhooks\` with \`{ "kind", "url", "secret", "copies"? }\` has B3OS or Interactly tell that address,
which must be on loopback, of every run that begins afterwards and ends, signed as the vendor signs; \`"url": null\` ends it,
and so does a reset. With \`copies\` (at most 10,000) each is sent so often: a flood. \`POST /webhooks/send\` with
\`{ "kind", "run_id", "copies"? }\` sends at once, of any run id. \`GET /webhooks?kind=\` counts what was sent and how it was
answered.

**Without the gateway.** \`npx node scripts/sandbox.ts\` runs the vendors alone and prints their addresses and the
credentials that they accept as JSON.`;

const SPECIAL = `## Special workflow ids

A workflow id is a list of parts joined by \`.\`. A part that stands below has its effect, any other is only a name:
\`runs-2000.poll-status-503-x2.my-test\` takes 2 s and fails two polls.`;

const PARTS: ReadonlyArray<readonly [heading: string, concerns: Concern]> = [
  ['What becomes of the run', 'run'],
  ['How a start is answered', 'start'],
  ['How a poll is answered', 'poll'],
  ['How a cancel is answered', 'cancel'],
  ['How a pause is answered', 'pause'],
  ['How a resume is answered', 'resume'],
  ['What becomes of a stream', 'stream'],
];

function render(): string {
  const vendors = table(
    ['vendor', 'its provider', 'an ordinary run takes'],
    VENDOR_SANDBOXES.map(({ title, kind, ordinaryRunMs }) => [title, code(kind), `${ordinaryRunMs} ms`]),
  );
  const parts = PARTS.map(([heading, concerns]) => {
    const entries = FAULTS.filter((entry) => entry.concerns === concerns);
    // The heading says already whose effect it is.
    const effectOf = ({ effect }: FaultEntry) =>
      effect.replace(/^(the start|a poll|a cancel|a pause|a resume|a request for the stream) /, '');
    const rows = entries.map((entry) => [code(entry.form), effectOf(entry), vendorsOf(entry)]);
    return `### ${heading}\n\n${table(['part', 'effect', 'at'], rows)}`;
  });
  const ids = VENDOR_SANDBOXES.filter(({ createNames }) => createNames !== undefined).map(idsOf);
  return [INTRODUCTION, vendors, SPECIAL, ...parts, ...ids].join('\n\n');
}

/** What to send where the vendor takes no names. */
function idsOf({ title, kind, traits }: (typeof VENDOR_SANDBOXES)[number]): string {
  const examples = faultsFor(traits)
    .filter(({ concerns }) => concerns === 'run' || concerns === 'start' || concerns === 'stream')
    .flatMap((entry) => entry.examples);
  const width = Math.max(...examples.map((name) => name.length));
  const lines = examples.map((name) => `${name.padEnd(width)}  ${hexIdOf(name)}`);
  return `## Ids at ${title}

${title} takes only ids of 24 hexadecimal digits. The id of a name of up to 12 characters is its bytes in hexadecimal
(\`printf %s runs-5000 | xxd -p\`), filled up with zeros. Longer names have an id that the sandbox must be asked for, at
the last printed address: \`GET /workflow-id?kind=${kind}&name=runs-2000.poll-status-503-x2\`; the examples of its own
tables it knows without that. Any other id is an ordinary workflow. \`GET /starts\` shows names.

\`\`\`text
${lines.join('\n')}
\`\`\``;
}

function vendorsOf({ needs }: FaultEntry): string {
  const having = VENDOR_SANDBOXES.filter(({ traits }) => needs === null || traits.includes(needs));
  return having.length === VENDOR_SANDBOXES.length ? 'all' : having.map(({ kind }) => code(kind)).join(', ');
}

await writeOrCheck({ path: 'docs/sandbox.md', render }, import.meta.filename);
