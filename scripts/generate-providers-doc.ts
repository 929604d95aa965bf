/**
 * Writes `docs/providers.md` from the provider kinds in `src/providers/catalog/`. What a person should know
 * besides is written by hand, in `scripts/provider-notes/<kind>.md`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { LIMIT_SETTINGS } from '../src/config/limit-settings.ts';
import { isJsonObject, type Json, type JsonObject } from '../src/core/json.ts';
import { PROVIDER_KINDS } from '../src/providers/catalog.generated.ts';
import { RUN_TIMEOUT_DEFAULT_S, type AnyProviderKind } from '../src/providers/define-provider.ts';
import { writeOrCheck } from './support/generated-file.ts';
import { code, table } from './support/markdown.ts';

const NOTES = join(import.meta.dirname, 'provider-notes');

const INTRODUCTION = `# Providers

Each of these is a provider of its own name without any configuration: give it a credential
(\`rungate credentials add <provider> --stdin < file\`) and send runs. Further providers of a kind, other addresses and settings
go into [\`rungate.yaml\`](configuration.md). \`GET /providers\` answers the same with JSON Schemas of the options.

A kind that lacks a poll answers its start only when the run has ended; Rungate holds the connection and records the
run all the same. None of these vendors documents that a repeated start is harmless, so none is ever repeated once a
byte of it may have arrived; what that means is in [Concepts](concepts.md#start-safety).

A vendor's stream is opened only where somebody reads the run's events as they come; otherwise the run is started and
polled plainly, and its moves are its events. A vendor's own webhooks come in at \`POST /inbound/{provider}\`, with a
credential of purpose \`webhook\`; whatever they say, Rungate asks the vendor.`;

function render(): string {
  const overview = table(
    [
      'provider',
      'vendor',
      'a start',
      'streams',
      'cancel',
      'pause',
      'resume',
      'webhooks in',
      'looked up after a broken start',
    ],
    PROVIDER_KINDS.map((one) => overviewRow(one)),
  );
  return [INTRODUCTION, overview, ...PROVIDER_KINDS.map(section)].join('\n\n');
}

function overviewRow(kind: AnyProviderKind): string[] {
  const { title, poll, cancel, pause, resume, inbound, lookup } = kind;
  return [
    `[${code(kind.kind)}](#${kind.kind})`,
    title,
    poll === undefined ? 'blocks until the end' : 'is polled',
    streamText(kind),
    cancel === undefined ? 'no' : 'yes',
    pause === undefined ? 'no' : 'yes',
    resume === undefined ? 'no' : 'yes',
    inbound === undefined ? 'no' : 'yes',
    lookup === undefined ? 'no' : 'yes, by our own run id',
  ];
}

function streamText({ startStream, follow }: AnyProviderKind): string {
  if (startStream !== undefined) return `the start${startStream.via === 'websocket' ? ', a WebSocket' : ''}`;
  return follow === undefined ? 'no' : 'beside the run';
}

function section(kind: AnyProviderKind): string {
  const { options, resumeOptions, settings } = kind;
  return [
    `## ${kind.kind}`,
    `${kind.title}, as [its documents](${kind.docsUrl}) describe it.`,
    facts(kind),
    '**What to know**',
    readFileSync(join(NOTES, `${kind.kind}.md`), 'utf8').trim(),
    fields('Options', '`options` of a run.', options),
    ...(resumeOptions === undefined ? [] : [fields('Options of a resume', '`options` of a resume.', resumeOptions)]),
    fields('Settings', '`settings` of the provider in `rungate.yaml`.', settings),
  ].join('\n\n');
}

function facts(kind: AnyProviderKind): string {
  const statuses = Array.from({ length: 200 }, (_, i) => 400 + i).filter((status) => kind.notStarted({ status }));
  return [
    `- base URL: ${code(kind.baseUrl)}`,
    `- its credential goes out as ${authText(kind)}`,
    `- the answer to a start may take ${(kind.startTimeoutMs ?? LIMIT_SETTINGS.headersTimeoutMs.default) / 1000} s`,
    `- ${code('timeout_s')} of a run, where none is given: ${kind.defaultTimeoutS ?? RUN_TIMEOUT_DEFAULT_S}`,
    `- answers to a start which prove that nothing began: ${statuses.join(', ')}`,
    ...streamFacts(kind),
    ...inboundFacts(kind),
  ].join('\n');
}

function streamFacts({ startStream, follow }: AnyProviderKind): string[] {
  if (startStream !== undefined) {
    const token = startStream.token === undefined ? '' : ', with a token of its own that is fetched before';
    return [
      `- streams: the start itself is the stream${startStream.via === 'websocket' ? ', a WebSocket' : ''}${token}`,
    ];
  }
  return follow === undefined ? [] : ['- streams: the steps of a run are read beside it'];
}

function inboundFacts({ inbound }: AnyProviderKind): string[] {
  if (inbound === undefined) return [];
  const { header, timestamp } = inbound.signature;
  const time =
    timestamp === null
      ? ''
      : `; its time is in ${code(timestamp.header)} and may be ${timestamp.toleranceS} s from ours`;
  return [`- its webhooks: signed in ${code(header)} with HMAC-SHA256 over the raw body, in hexadecimal${time}`];
}

function authText({ auth }: AnyProviderKind): string {
  switch (auth.type) {
    case 'bearer':
      return '`Authorization: Bearer …`';
    case 'header':
      return code(`${auth.name}: …`);
    case 'query':
      return code(`?${auth.name}=…`);
    case 'body':
      return `${code(auth.name)} in the body`;
    case 'none':
      return 'nothing: it takes none';
  }
}

/** The fields of an options or settings schema, from what JSON Schema says of it. */
function fields(heading: string, where: string, schema: z.ZodType): string {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonObject;
  const properties = isJsonObject(json['properties']) ? Object.entries(json['properties']) : [];
  if (properties.length === 0) return `**${heading}**: none.`;
  const rows = properties.map(([name, property]) => [code(name), typeText(property), descriptionOf(property)]);
  return `**${heading}**: ${where}\n\n${table(['field', 'type', 'meaning'], rows)}`;
}

function typeText(property: Json): string {
  const { type, items } = isJsonObject(property) ? property : {};
  if (type === 'array') return `list of ${typeText(items ?? null)}s`;
  return typeof type === 'string' ? type : 'any';
}

function descriptionOf(property: Json): string {
  const description = isJsonObject(property) ? property['description'] : undefined;
  return typeof description === 'string' ? description : '';
}

await writeOrCheck({ path: 'docs/providers.md', render }, import.meta.filename);
