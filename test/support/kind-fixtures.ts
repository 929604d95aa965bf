import { readdirSync, readFileSync } from 'node:fs';
import { reviveJson, type Json, type JsonObject } from '../../src/core/json.ts';
import type { StreamFrame } from '../../src/core/outbound.ts';

const FOLDER = new URL('../fixtures/', import.meta.url);

interface Common {
  /** The file's name without `.json`. */
  name: string;
  /** The vendor's page. */
  source: string;
  /** `inferred`: the documents leave it open, and this is how we take it. */
  mark: 'verified' | 'inferred';
}

export interface FixtureAnswer {
  status: number;
  headers: Record<string, string>;
  body: Json;
}

export type OperationName = 'start' | 'poll' | 'lookup' | 'cancel' | 'pause' | 'resume';

/** What we send. */
export interface RequestFixture extends Common {
  operation: OperationName | 'verify';
  context: {
    workflow: string;
    clientRunId: string;
    runId?: string;
    inputs: JsonObject;
    options: JsonObject;
    settings: JsonObject;
    /** Of a resume. */
    resumeOptions?: JsonObject;
    waitingFor?: 'input' | 'resume' | 'approval';
  };
  request: JsonObject;
}

/** What the vendor answers, and what is read from it; `unreadable` where it is no documented answer. */
export interface AnswerFixture extends Common {
  operation: OperationName;
  answer: FixtureAnswer;
  outcome?: JsonObject;
  unreadable?: true;
}

/** A vendor's error, and how it is restated. */
export interface ErrorFixture extends Common {
  operation: 'error';
  answer: FixtureAnswer;
  fault: JsonObject;
}

interface StreamCommon extends Common {
  operation: 'startStream' | 'follow';
}

/** What we send to open a stream, and before it where a token is needed. */
export interface StreamRequestFixture extends StreamCommon {
  context: RequestFixture['context'];
  request: JsonObject;
  token_request?: JsonObject;
}

/** The answer that has the token; null where it is no documented one. */
export interface TokenFixture extends StreamCommon {
  token_answer: FixtureAnswer;
  token: string | null;
}

/** A stream, frame by frame, and what is read from it. */
export interface StreamFixture extends StreamCommon {
  head: { headers: Record<string, string> };
  format: 'sse' | 'ndjson' | 'text' | null;
  frames: StreamFrame[];
  signals: JsonObject[];
  /** What the orderly end of the stream means, where nothing before it ended the run. */
  end?: JsonObject | null;
  /** The last frame is not what the vendor documents. */
  unreadable?: true;
}

/** A message of the vendor's own webhooks, and the run that it is about. */
export interface InboundFixture extends Common {
  operation: 'inbound';
  body: Json;
  run: JsonObject | null;
}

interface KindFixtures {
  requests: RequestFixture[];
  answers: AnswerFixture[];
  errors: ErrorFixture[];
  streamRequests: StreamRequestFixture[];
  tokens: TokenFixture[];
  streams: StreamFixture[];
  inbound: InboundFixture[];
}

type AnyFixture = KindFixtures[keyof KindFixtures][number];

/** Everything under `test/fixtures/<kind>/`. */
export function kindFixtures(kind: string): KindFixtures {
  const folder = new URL(`${kind}/`, FOLDER);
  const all = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({
      ...reviveJson<AnyFixture>(readFileSync(new URL(file, folder), 'utf8')),
      name: file.slice(0, -'.json'.length),
    }));
  return {
    requests: all.filter((fixture): fixture is RequestFixture => 'request' in fixture && !isOfStream(fixture)),
    streamRequests: all.filter(
      (fixture): fixture is StreamRequestFixture => 'request' in fixture && isOfStream(fixture),
    ),
    tokens: all.filter((fixture) => 'token_answer' in fixture),
    streams: all.filter((fixture) => 'frames' in fixture),
    inbound: all.filter((fixture): fixture is InboundFixture => fixture.operation === 'inbound'),
    errors: all.filter((fixture) => 'fault' in fixture),
    answers: all.filter((fixture): fixture is AnswerFixture => 'answer' in fixture && !('fault' in fixture)),
  };
}

function isOfStream({ operation }: AnyFixture): boolean {
  return operation === 'startStream' || operation === 'follow';
}
