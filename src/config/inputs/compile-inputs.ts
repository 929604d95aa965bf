import { createContext, Script } from 'node:vm';
import type { Ajv2020, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { canonicalJson, isJsonObject, type Json, type JsonObject } from '../../core/json.ts';
import type { InputsFault, ValidateInputs } from '../../providers/registry.ts';
import { describeInputsFault, expectation, pathOf } from './describe-inputs-fault.ts';
import { walkSchema, type SchemaFault } from './walk-schema.ts';

const SCHEMA_CHARACTERS_MAX = 65_536;
/** A file that is put back, or mended, finds compiled what it had before. */
const READINGS_REMEMBERED = 2;
/** While it lasts nothing else is served, so no check may take longer, whatever the schema and the inputs are. */
const CHECK_MS_MAX = 250;

export type CompiledInputs = { ok: true; validate: ValidateInputs } | { ok: false; faults: readonly SchemaFault[] };

export interface InputsCompiler {
  /** Makes a check of inputs from a JSON Schema (2020-12), or says what is wrong with it. */
  compile(schema: JsonObject): Promise<CompiledInputs>;
  /** Another reading of a file begins: what the last ones did not use is forgotten. */
  nextReading(): void;
}

/** A compiler that remembers what it compiled, so that a reload costs only what changed. */
export function createInputsCompiler(): InputsCompiler {
  const compiled = new Map<string, { result: CompiledInputs; usedIn: number }>();
  let reading = 0;
  const guard = createTimeGuard();
  let loading: Promise<SchemaCompiler> | null = null;
  /** What failed is tried again by the next reading. */
  const load = () =>
    (loading ??= loadCompiler().catch((error: unknown) => {
      loading = null;
      throw error;
    }));
  return {
    async compile(schema) {
      const text = canonicalJson(schema);
      if (text.length > SCHEMA_CHARACTERS_MAX) {
        return refuse([whole(`expected a schema of at most ${SCHEMA_CHARACTERS_MAX} characters, written as JSON`)]);
      }
      const result = compiled.get(text)?.result ?? compile(schema, await load(), guard);
      compiled.set(text, { result, usedIn: reading });
      return result;
    },
    nextReading() {
      reading += 1;
      for (const [text, { usedIn }] of compiled) {
        if (usedIn < reading - READINGS_REMEMBERED) compiled.delete(text);
      }
    },
  };
}

interface SchemaCompiler {
  Ajv: typeof Ajv2020;
  /** Checks schemas themselves. */
  meta: Ajv2020;
}

/**
 * The library and its meta-schema take a tenth of a second or two, which most configurations need not wait for: they have no
 * schema. The first that comes by a reload holds up what is served for as long.
 */
async function loadCompiler(): Promise<SchemaCompiler> {
  const { Ajv2020: Ajv } = await import('ajv/dist/2020.js');
  return { Ajv, meta: new Ajv({ allErrors: true, strict: false, logger: false }) };
}

function compile(schema: JsonObject, { Ajv, meta }: SchemaCompiler, guard: TimeGuard): CompiledInputs {
  const faults = faultsOf(schema, meta);
  if (faults.length > 0) return refuse(faults);
  try {
    // Formats are annotations, as 2020-12 has it by default; what must be enforced is written as a pattern.
    const ajv = new Ajv({
      meta: false,
      validateSchema: false,
      validateFormats: false,
      strict: true,
      strictTypes: false,
      strictTuples: false,
      ownProperties: true,
      strictRequired: false,
      verbose: true,
      logger: false,
    });
    // Its own vocabulary is all that the compiler is told; the dialect was checked above.
    const { $schema: _, ...dialectFree } = schema;
    const validate = ajv.compile(dialectFree);
    const check: ValidateInputs = (inputs) => firstFault(validate, inputs);
    // A schema that contains itself without an end would never come back.
    check({});
    return { ok: true, validate: guarded(check, guard) };
  } catch (error) {
    return refuse([whole(`expected a schema that can be compiled: ${reasonOf(error)}`)]);
  }
}

/** All that is wrong with it, one fault a place. */
function faultsOf(schema: JsonObject, meta: Ajv2020): SchemaFault[] {
  const walked = walkSchema(schema);
  const places = new Set(walked.map(({ path }) => JSON.stringify(path)));
  // Another dialect was told by then, and the library has none.
  const { $schema: _, ...dialectFree } = schema;
  const told = meta.validateSchema(dialectFree) === true ? [] : metaFaults(meta.errors ?? [], schema);
  const faults = [...walked, ...told.filter(({ path }) => !places.has(JSON.stringify(path)))];
  if (mayBeObject(schema) || faults.some(({ path }) => path[0] === 'type')) return faults;
  return [...faults, { path: ['type'], message: 'expected object, as inputs always are one', part: 'value' }];
}

function mayBeObject({ type }: JsonObject): boolean {
  return type === undefined || [type].flat().includes('object');
}

function firstFault(validate: ValidateFunction, inputs: JsonObject): InputsFault | null {
  if (validate(inputs)) return null;
  const [error] = validate.errors ?? [];
  return error === undefined ? { path: [], message: 'not valid' } : describeInputsFault(error);
}

function guarded(check: ValidateInputs, guard: TimeGuard): ValidateInputs {
  return (inputs) => {
    try {
      const result = guard(() => check(inputs));
      if (result !== 'too long') return result;
      return { path: [], message: `checking them took longer than ${CHECK_MS_MAX} ms; expected smaller ones` };
    } catch (error) {
      if (!isEndless(error)) throw error;
      return { path: [], message: 'they cannot be checked, as their schema contains itself without an end' };
    }
  };
}

type TimeGuard = <Result>(work: () => Result) => Result | 'too long';

/** Runs something synchronous that is ended when its time is up, which only a context of its own makes possible. */
function createTimeGuard(): TimeGuard {
  let run: ((work: () => unknown) => unknown) | null = null;
  return <Result>(work: () => Result) => {
    run ??= createRunner();
    try {
      return run(work) as Result;
    } catch (error) {
      if (codeOf(error) === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too long';
      throw error;
    }
  };
}

function createRunner(): (work: () => unknown) => unknown {
  const place: { work: (() => unknown) | null } = { work: null };
  const context = createContext(place);
  const script = new Script('work()');
  return (work) => {
    place.work = work;
    try {
      return script.runInContext(context, { timeout: CHECK_MS_MAX });
    } finally {
      place.work = null;
    }
  };
}

/** One fault a place: where several forms are allowed, the meta-schema complains of each. */
function metaFaults(errors: readonly ErrorObject[], schema: JsonObject): SchemaFault[] {
  const byPlace = new Map<string, string>();
  for (const error of errors) {
    if (!byPlace.has(error.instancePath)) byPlace.set(error.instancePath, metaMessage(error));
  }
  return [...byPlace].map(([place, message]) => ({ path: pathWithin(schema, pathOf(place)), message, part: 'value' }));
}

function metaMessage({ schemaPath, message = 'be valid' }: ErrorObject): string {
  if (schemaPath.includes('simpleTypes') || schemaPath.includes('/properties/type/')) {
    return 'expected string, number, integer, boolean, array, object or null, or a list of them';
  }
  return expectation(message);
}

/** A pointer does not say which of its parts are indices of lists. */
function pathWithin(schema: JsonObject, parts: readonly string[]): (string | number)[] {
  let place: Json | undefined = schema;
  return parts.map((part) => {
    const list: boolean = Array.isArray(place);
    if (Array.isArray(place)) place = place[Number(part)];
    else place = isJsonObject(place) && Object.hasOwn(place, part) ? place[part] : undefined;
    return list ? Number(part) : part;
  });
}

function whole(message: string): SchemaFault {
  return { path: [], message, part: 'value' };
}

function refuse(faults: readonly SchemaFault[]): CompiledInputs {
  return { ok: false, faults };
}

function reasonOf(error: unknown): string {
  if (isEndless(error)) return 'it contains itself without an end, or is too large';
  return error instanceof Error ? error.message.slice(0, 300) : 'unknown fault';
}

/** By name: an error may come from the guard's context, which has classes of its own. */
function isEndless(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'name' in error && error.name === 'RangeError';
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : null;
}
