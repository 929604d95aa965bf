import { readdirSync, readFileSync } from 'node:fs';
import { reviveJson, type Json, type JsonObject } from '../../src/core/json.ts';

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

/** Everything under `test/fixtures/<kind>/`. */
export function kindFixtures(kind: string): {
  requests: RequestFixture[];
  answers: AnswerFixture[];
  errors: ErrorFixture[];
} {
  const folder = new URL(`${kind}/`, FOLDER);
  const all = readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .map((file) => ({
      ...reviveJson<RequestFixture | AnswerFixture | ErrorFixture>(readFileSync(new URL(file, folder), 'utf8')),
      name: file.slice(0, -'.json'.length),
    }));
  return {
    requests: all.filter((fixture) => 'request' in fixture),
    errors: all.filter((fixture) => 'fault' in fixture),
    answers: all.filter((fixture): fixture is AnswerFixture => 'answer' in fixture && !('fault' in fixture)),
  };
}
