import { GatewayError, wrongParam } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { nothing, RUN_TIMEOUT_DEFAULT_S, type AnyProviderKind } from '../providers/define-provider.ts';
import type { Provider, RegisteredWorkflow, Registry, WorkflowTarget } from '../providers/registry.ts';
import { chooseTarget } from './choose-target.ts';
import type { Fallback, Run } from './model.ts';
import type { RunRequest } from './run-service.ts';

/** Where a start goes, and with which options. */
export interface ResolvedTarget {
  provider: Provider;
  /** The vendor's own id. */
  upstreamWorkflow: string;
  options: JsonObject;
}

/** What a request names, found and checked. */
export interface ResolvedRun extends ResolvedTarget {
  defaults: JsonObject;
  timeoutMs: number;
  waitingTimeoutMs: number;
  fallbacks: readonly Fallback[];
}

const DEFAULT_WAITING_TIMEOUT_S = 604_800;

/**
 * Finds where a run goes and checks inputs and options by their schemas. `chance` gives numbers in [0, 1) and chooses
 * among weighted targets. Throws the contract's 400s and 404s, and never by chance.
 */
export function resolveRun(registry: Registry, request: RunRequest, chance: () => number): ResolvedRun {
  const waitingTimeoutMs = (request.waitingTimeoutS ?? DEFAULT_WAITING_TIMEOUT_S) * 1000;
  if (request.provider === undefined) {
    return { ...resolveRegistered(registry, request, chance), waitingTimeoutMs };
  }
  const provider = registry.provider(request.provider);
  if (!provider) throw new GatewayError('unknown_provider', { param: 'provider' });
  const { kind } = provider;
  return {
    provider,
    upstreamWorkflow: checkWorkflowId(kind, request.workflow),
    options: checkOptions(kind, request.options),
    defaults: {},
    timeoutMs: timeoutS(kind, request.timeoutS, null) * 1000,
    waitingTimeoutMs,
    fallbacks: [],
  };
}

function resolveRegistered(
  registry: Registry,
  request: RunRequest,
  chance: () => number,
): Omit<ResolvedRun, 'waitingTimeoutMs'> {
  const registered = registry.workflow(request.workflow);
  if (!registered) throw new GatewayError('unknown_workflow', { param: 'workflow' });
  const kinds = new Set(registered.targets.map((target) => providerOf(registry, target).kind));
  if (registered.inputs) checkInputs(registered, request.inputs);
  const optionsOf = new Map([...kinds].map((kind) => [kind, checkOptions(kind, request.options)]));
  const target = chooseTarget(registered, request.metadata, chance);
  const provider = providerOf(registry, target);
  return {
    provider,
    upstreamWorkflow: target.workflow,
    options: optionsOf.get(provider.kind) ?? {},
    defaults: registered.defaults,
    timeoutMs: timeoutS(provider.kind, request.timeoutS, registered.timeoutS) * 1000,
    fallbacks: registered.fallbacks.filter((fallback) => !isSame(fallback, target)),
  };
}

function providerOf(registry: Registry, target: WorkflowTarget): Provider {
  const provider = registry.provider(target.provider);
  if (!provider) throw new GatewayError('unknown_provider', { param: 'workflow' });
  return provider;
}

function isSame(a: WorkflowTarget, b: WorkflowTarget): boolean {
  return a.provider === b.provider && a.workflow === b.workflow;
}

/**
 * A fallback as it is configured now. Options are one kind's own: at another the run begins without any.
 * Null: its provider is gone, or its kind cannot take this any more.
 */
export function resolveFallback(
  registry: Registry,
  run: Pick<Run, 'kind' | 'options'>,
  fallback: Fallback,
): ResolvedTarget | null {
  const provider = registry.provider(fallback.provider);
  if (!provider || !provider.kind.workflowId.safeParse(fallback.workflow).success) return null;
  const target = { provider, upstreamWorkflow: fallback.workflow };
  if (provider.kind.kind === run.kind) return { ...target, options: run.options };
  const options = provider.kind.options.safeParse({});
  return options.success ? { ...target, options: options.data as JsonObject } : null;
}

const PARAM_CHARACTERS_MAX = 300;

/** The inputs as they would be sent, by the workflow's schema. */
function checkInputs({ validateInputs, defaults }: RegisteredWorkflow, inputs: JsonObject): void {
  const fault = validateInputs({ ...defaults, ...inputs });
  if (!fault) return;
  const param = ['inputs', ...fault.path].join('.').slice(0, PARAM_CHARACTERS_MAX);
  throw wrongParam(param, `${param}: ${fault.message}.`);
}

/** A registered workflow's timeout is the default and the cap. */
function timeoutS(kind: AnyProviderKind, asked: number | undefined, registered: number | null): number {
  const usual = registered ?? kind.defaultTimeoutS ?? RUN_TIMEOUT_DEFAULT_S;
  if (asked === undefined) return usual;
  return registered === null ? asked : Math.min(asked, registered);
}

function checkWorkflowId(kind: AnyProviderKind, id: string): string {
  const checked = kind.workflowId.safeParse(id);
  if (checked.success) return checked.data;
  const expected = checked.error.issues[0]?.message ?? 'an id of this vendor';
  throw wrongParam('workflow', `workflow: ${expected}.`);
}

/** The options of a resume, by the kind's own schema. */
export function checkResumeOptions(kind: AnyProviderKind, options: JsonObject): JsonObject {
  return checkOptions(kind, options, kind.resumeOptions ?? nothing);
}

function checkOptions(kind: AnyProviderKind, options: JsonObject, schema = kind.options): JsonObject {
  const checked = schema.safeParse(options);
  if (checked.success) return checked.data as JsonObject;
  const issue = checked.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    const message = `${kind.title} has no option named ${JSON.stringify(name.slice(0, 100))}.`;
    throw new GatewayError('unknown_option', { param: `options.${name.slice(0, 100)}`, message });
  }
  const param = ['options', ...(issue?.path ?? [])].map(String).join('.');
  throw wrongParam(param, `${param}: ${issue?.message ?? 'not valid'}.`);
}
