import type * as z from 'zod';
import { ERROR_CATALOGUE, type ErrorCode } from '../core/error-catalogue.ts';
import { isJsonObject, type Json, type JsonObject } from '../core/json.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type {
  FallbackTarget,
  RegisteredWorkflow,
  ValidateInputs,
  WeightedTarget,
  WorkflowTarget,
} from '../providers/registry.ts';
import { FallbackEntry, TargetEntry, WorkflowEntry } from './config-schema.ts';
import type { EntryReader } from './entry-reader.ts';
import { FALLBACK_CODES, FALLBACK_CODES_DEFAULT } from './fallback-codes.ts';
import type { InputsCompiler } from './inputs/compile-inputs.ts';
import { didYouMean } from './nearest-name.ts';
import type { YamlPath } from './read-yaml.ts';

/** Of a long file nobody reads all names in one line. */
const PROVIDERS_SHOWN_MAX = 20;

export interface ReadWorkflowParts {
  entries: EntryReader;
  /** The kind of every provider that can be named; null where its own entry is at fault. */
  kindOfProvider: ReadonlyMap<string, AnyProviderKind | null>;
  compileInputs: InputsCompiler;
}

/** Of an entry, without what is at fault. */
type WrittenWorkflow = Partial<z.infer<typeof WorkflowEntry>>;
type WrittenTarget = Pick<WrittenWorkflow, 'provider' | 'workflow'>;

/** Reads one entry of `workflows`; its faults are the reader's. */
export async function readWorkflow(parts: ReadWorkflowParts, name: string, value: Json): Promise<RegisteredWorkflow> {
  const { entries } = parts;
  const at = ['workflows', name];
  entries.name(name, at);
  const entry = entries.entry(WorkflowEntry, value, at);
  const inputs = entry.inputs ?? null;
  const defaults = entry.defaults ?? {};
  const targets = isWritten(value, 'targets')
    ? weightedTargets(parts, { value, targets: entry.targets ?? null, at })
    : [{ ...onlyTarget(parts, { value, entry, at }), weight: 1 }];
  return {
    name,
    targets,
    stickyBy: entry.sticky_by ?? null,
    fallbacks: fallbacksOf(parts, { values: entry.fallbacks ?? [], targets, at: [...at, 'fallbacks'] }),
    description: entry.description ?? null,
    inputs,
    validateInputs: inputs === null ? anyInputs : await inputsOf(parts, { schema: inputs, defaults, at }),
    defaults,
    timeoutS: entry.timeout_s ?? null,
  };
}

const NO_TARGET = 'required: expected a string, or targets instead of provider and workflow';
const NOT_SEVERAL = 'expected targets beside it, which it chooses among';

function isWritten(value: Json, field: string): boolean {
  return isJsonObject(value) && (value[field] ?? null) !== null;
}

/** `provider` and `workflow`, which the schema leaves open as there may be targets instead. Nothing is chosen then. */
function onlyTarget(
  parts: ReadWorkflowParts,
  { value, entry, at }: { value: Json; entry: WrittenWorkflow; at: YamlPath },
): WorkflowTarget {
  for (const field of ['provider', 'workflow']) {
    if (!isWritten(value, field)) parts.entries.fault([...at, field], NO_TARGET);
  }
  if (typeof entry.sticky_by === 'string') parts.entries.fault([...at, 'sticky_by'], NOT_SEVERAL, 'key');
  return readTarget(parts, entry, at);
}

function weightedTargets(
  parts: ReadWorkflowParts,
  { value, targets, at }: { value: Json; targets: readonly Json[] | null; at: YamlPath },
): WeightedTarget[] {
  const { entries } = parts;
  if (isWritten(value, 'provider') || isWritten(value, 'workflow')) {
    entries.fault([...at, 'targets'], 'expected either targets, or provider and workflow', 'key');
  }
  // What is no list was told already.
  if (targets === null) return [];
  const read = targets.map((target, i) => {
    const place = [...at, 'targets', i];
    const entry = entries.entry(TargetEntry, target, place);
    return { ...readTarget(parts, entry, place), weight: entry.weight ?? 1 };
  });
  eachOnce(entries, read, [...at, 'targets']);
  if (read.every(({ weight }) => weight === 0)) {
    entries.fault([...at, 'targets'], 'expected at least one target with a weight over 0');
  }
  return read;
}

/** Checks where a run may go: the provider is there, and the id is of its vendor's form. */
function readTarget(
  { entries, kindOfProvider }: ReadWorkflowParts,
  { provider, workflow }: WrittenTarget,
  at: YamlPath,
): WorkflowTarget {
  const kind = kindOfProvider.get(provider ?? '');
  if (typeof provider === 'string' && kind === undefined) {
    entries.fault([...at, 'provider'], noProvider(provider, [...kindOfProvider.keys()]));
  }
  if (kind && typeof workflow === 'string') entries.check(kind.workflowId, workflow, [...at, 'workflow']);
  return { provider: provider ?? '', workflow: workflow ?? '' };
}

function noProvider(name: string, known: readonly string[]): string {
  const more = known.length > PROVIDERS_SHOWN_MAX ? ', …' : '';
  const hint = didYouMean(name, known) || `; there is ${known.slice(0, PROVIDERS_SHOWN_MAX).join(', ')}${more}`;
  return `no provider of this name${hint}`;
}

function fallbacksOf(
  parts: ReadWorkflowParts,
  { values, targets, at }: { values: readonly Json[]; targets: readonly WorkflowTarget[]; at: YamlPath },
): FallbackTarget[] {
  const { entries } = parts;
  const [only] = targets.length === 1 ? targets : [];
  const read = values.map((value, i) => {
    const place = [...at, i];
    const entry = entries.entry(FallbackEntry, value, place);
    const target = readTarget(parts, entry, place);
    if (only && isWhole(target) && isSame(target, only)) {
      entries.fault(place, 'expected another target than the one that has failed by then');
    }
    return { ...target, when: codesOf(entries, entry.when ?? null, [...place, 'when']) };
  });
  eachOnce(entries, read, at);
  return read;
}

function codesOf(entries: EntryReader, codes: readonly string[] | null, at: YamlPath): readonly ErrorCode[] {
  if (codes === null) return FALLBACK_CODES_DEFAULT;
  codes.forEach((code, i) => {
    const fault = codeFault(code);
    if (fault !== null) entries.fault([...at, i], fault);
  });
  return FALLBACK_CODES.filter((code) => codes.includes(code));
}

function codeFault(code: string): string | null {
  const allowed: readonly string[] = FALLBACK_CODES;
  if (allowed.includes(code)) return null;
  const choice = `expected one of ${allowed.join(', ')}`;
  if (!Object.hasOwn(ERROR_CATALOGUE, code)) return `${choice}${didYouMean(code, allowed)}`;
  return `${code} is no proof that nothing began at the target: ${choice}`;
}

/** A second entry of the same target says nothing that the first could not. */
function eachOnce(entries: EntryReader, targets: readonly WorkflowTarget[], at: YamlPath): void {
  targets.forEach((target, i) => {
    if (isWhole(target) && targets.findIndex((other) => isSame(other, target)) < i) {
      entries.fault([...at, i], 'expected each target once');
    }
  });
}

function isWhole({ provider, workflow }: WorkflowTarget): boolean {
  return provider !== '' && workflow !== '';
}

function isSame(a: WorkflowTarget, b: WorkflowTarget): boolean {
  return a.provider === b.provider && a.workflow === b.workflow;
}

async function inputsOf(
  { entries, compileInputs }: ReadWorkflowParts,
  { schema, defaults, at }: { schema: JsonObject; defaults: JsonObject; at: YamlPath },
): Promise<ValidateInputs> {
  const compiled = await compileInputs.compile(schema);
  if (!compiled.ok) {
    for (const { path, message, part } of compiled.faults) entries.fault([...at, 'inputs', ...path], message, part);
    return anyInputs;
  }
  // What is missing the caller may add; a default that fits nowhere would refuse every call.
  const { required: _, ...withoutRequired } = schema;
  const checked = Object.keys(defaults).length === 0 ? null : await compileInputs.compile(withoutRequired);
  const fault = checked?.ok === true ? checked.validate(defaults) : null;
  const [name] = fault?.path ?? [];
  if (fault && name !== undefined && Object.hasOwn(defaults, name)) {
    entries.fault([...at, 'defaults', ...fault.path], `does not fit inputs: ${fault.message}`);
  }
  return compiled.validate;
}

/** Without a schema any object will do. */
function anyInputs(): null {
  return null;
}
