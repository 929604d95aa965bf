import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { renderCatalog } from '../../../scripts/generate-catalog.ts';
import type { Json, JsonObject } from '../../../src/core/json.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import {
  nothing,
  type AnyProviderKind,
  type Operation,
  type VendorRequest,
} from '../../../src/providers/define-provider.ts';
import type { Answer, Outcome } from '../../../src/providers/outcome.ts';
import { kindFixtures, type OperationName } from '../../support/kind-fixtures.ts';

const OPERATIONS: readonly OperationName[] = ['start', 'poll', 'lookup', 'cancel', 'pause', 'resume'];
/** A timeout and a conflict say nothing of whether a run began. */
const NO_PROOF = [408, 409];

const catalogFolder = new URL('../../../src/providers/catalog/', import.meta.url);

describe('the catalog', () => {
  it('lists every file of its folder, and the file is named for its kind', () => {
    expect(PROVIDER_KINDS.map(({ kind }) => `${kind}.ts`)).toEqual(readdirSync(catalogFolder).sort());
    expect(PROVIDER_KINDS.length).toBeGreaterThanOrEqual(4);
  });

  it('is generated, and fresh', () => {
    const text = readFileSync(new URL('../catalog.generated.ts', catalogFolder), 'utf8');
    expect(text.split('\n')[0]).toMatch(/generated/i);
    expect(renderCatalog(readdirSync(catalogFolder))).toBe(text);
    expect(renderCatalog([...readdirSync(catalogFolder), 'new-kind.ts'])).not.toBe(text);
    const script = new URL('../../../scripts/generate-catalog.ts', import.meta.url).pathname;
    execFileSync(process.execPath, [script, '--check']);
  });
});

describe.each(PROVIDER_KINDS.map((kind) => [kind.kind, kind] as const))('%s', (name, kind) => {
  const fixtures = kindFixtures(name);
  const arbitraryJson = fc.jsonValue() as fc.Arbitrary<Json>;

  it('says where its facts are from and where it lives', () => {
    expect(kind.kind).toMatch(/^[a-z0-9][a-z0-9-]{0,62}$/);
    expect(new URL(kind.docsUrl).protocol).toBe('https:');
    expect(new URL(kind.baseUrl).protocol).toBe('https:');
    expect(kind.baseUrl).not.toMatch(/\/$/);
  });

  it('has options and settings that are strict, may be left out and can be shown as JSON Schema', () => {
    for (const schema of [kind.options, kind.settings, kind.resumeOptions ?? nothing]) {
      expect(schema.safeParse({}).success).toBe(true);
      expect(schema.safeParse({ no_such_field: 1 }).success).toBe(false);
      expect(z.toJSONSchema(schema)).toMatchObject({ type: 'object', additionalProperties: false });
    }
  });

  it('takes workflow ids that stay in their path segment, and no others', () => {
    for (const { context } of fixtures.requests) {
      expect(kind.workflowId.safeParse(context.workflow).success).toBe(true);
    }
    for (const id of [
      '',
      '.',
      '..',
      'a/b',
      'a\\b',
      'a\0',
      '%2e%2e',
      'a?b',
      'a#b',
      'ä',
      'a b',
      'a\n',
      'a'.repeat(10_000),
      `${'a'.repeat(24)}\n`,
    ]) {
      expect(kind.workflowId.safeParse(id).success).toBe(false);
    }
  });

  it('has fixtures of a request and an answer for each operation, and of an error', () => {
    for (const operation of OPERATIONS.filter((operation) => kind[operation])) {
      expect(fixtures.requests.map((fixture) => fixture.operation)).toContain(operation);
      expect(fixtures.answers.map((fixture) => fixture.operation)).toContain(operation);
    }
    expect(fixtures.errors.length).toBeGreaterThan(0);
  });

  it.each(fixtures.requests.map((fixture) => [fixture.name, fixture] as const))('sends %s', (_, fixture) => {
    const { context, operation, request } = fixture;
    expect(
      requestOf(kind, operation, { ...context, options: kind.options.parse(context.options) as JsonObject }),
    ).toEqual(request);
  });

  it.each(fixtures.answers.map((fixture) => [fixture.name, fixture] as const))('reads %s', (_, fixture) => {
    const operation = operationOf(kind, fixture.operation);
    expect(operation.accepts ?? [200]).toContain(fixture.answer.status);
    expect(readingOf(operation, fixture.answer)).toStrictEqual(fixture.unreadable ? 'unreadable' : fixture.outcome);
  });

  it.each(fixtures.errors.map((fixture) => [fixture.name, fixture] as const))('restates %s', (_, { answer, fault }) => {
    expect(kind.readError(answer)).toEqual(fault);
  });

  it('restates any error body without throwing, in short and well-formed text', () => {
    const body = fc.option(fc.oneof(arbitraryJson, errorLike), { nil: undefined });
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 599 }), body, (status, body) => {
        const { message, code, requestId } = kind.readError({ status, headers: {}, body });
        for (const text of [message, code, requestId]) {
          expect(text === undefined || text === null || (text.length <= 500 && text.isWellFormed())).toBe(true);
        }
      }),
    );
  });

  it('never takes an answer for an end that the vendor did not give', () => {
    for (const name of OPERATIONS) {
      const operation = kind[name] as Operation<never> | undefined;
      if (!operation) continue;
      fc.assert(
        fc.property(arbitraryJson, (body) => {
          const reading = readingOf(operation, { status: 200, headers: {}, body });
          expect(reading === 'unreadable' || reading.is === 'running').toBe(true);
        }),
      );
    }
  });

  it('takes only refusals as proof that no run began', () => {
    const proofs = Array.from({ length: 500 }, (_, i) => i + 100).filter((status) => kind.notStarted({ status }));
    expect(proofs).not.toHaveLength(0);
    expect(proofs.filter((status) => status < 400 || status > 499 || NO_PROOF.includes(status))).toEqual([]);
  });

  it('keeps every id that a caller or a vendor gives in its path segment', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', minLength: 1 }),
        fc.string({ unit: 'grapheme', minLength: 1 }),
        (id, workflow) => {
          fc.pre(!['.', '..'].includes(id) && !['.', '..'].includes(workflow));
          const given = { inputs: {}, options: {}, resumeOptions: {}, waitingFor: 'input', settings: {} };
          const context = { workflow, runId: id, clientRunId: id, ...given };
          for (const operation of OPERATIONS.filter((operation) => kind[operation])) {
            const plain = requestOf(kind, operation, { ...context, workflow: 'x', runId: 'x', clientRunId: 'x' });
            const { path } = requestOf(kind, operation, context);
            expect(new URL(path, 'https://vendor.example').pathname).toBe(path);
            expect(path.split('/').length).toBe(plain.path.split('/').length);
          }
        },
      ),
    );
  });
});

const errorLike = fc.record(
  {
    error: fc.oneof(fc.string(), fc.record({ message: fc.jsonValue(), code: fc.jsonValue() }, { requiredKeys: [] })),
    message: fc.oneof(fc.string({ maxLength: 2000, size: 'max' }), fc.jsonValue()),
    code: fc.oneof(fc.integer(), fc.string({ unit: 'binary' })),
    requestId: fc.jsonValue(),
  },
  { requiredKeys: [] },
) as fc.Arbitrary<Json>;

/** What an operation makes of an answer; `unreadable` where it complains of the shape. */
function readingOf(operation: Operation<never>, answer: Answer): Outcome | 'unreadable' {
  try {
    return operation.read(answer);
  } catch (error) {
    if (error instanceof z.ZodError) return 'unreadable';
    throw error;
  }
}

function operationOf(kind: AnyProviderKind, name: OperationName): Operation<never> {
  const operation = kind[name] as Operation<never> | undefined;
  if (!operation) throw new Error(`${kind.kind} has no ${name}`);
  return operation;
}

function requestOf(kind: AnyProviderKind, name: OperationName | 'verify', context: JsonObject): VendorRequest {
  if (name !== 'verify') return operationOf(kind, name).request(context as never);
  if (!kind.verify) throw new Error(`${kind.kind} has no verify`);
  return kind.verify.request(context.settings);
}
