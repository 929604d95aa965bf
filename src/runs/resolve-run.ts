import { GatewayError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { nothing, RUN_TIMEOUT_DEFAULT_S, type AnyProviderKind } from '../providers/define-provider.ts';
import type { Provider, RegisteredWorkflow, Registry } from '../providers/registry.ts';
import type { RunRequest } from './run-service.ts';

/** What a request names, found and checked. */
export interface ResolvedRun {
  provider: Provider;
  upstreamWorkflow: string;
  options: JsonObject;
  defaults: JsonObject;
  timeoutMs: number;
  waitingTimeoutMs: number;
}

const DEFAULT_WAITING_TIMEOUT_S = 604_800;

/** Finds provider and workflow and checks inputs and options by their schemas. Throws the contract's 400s and 404s. */
export function resolveRun(registry: Registry, request: RunRequest): ResolvedRun {
  const registered = request.provider === undefined ? registry.workflow(request.workflow) : null;
  if (request.provider === undefined && !registered) {
    throw new GatewayError('unknown_workflow', { param: 'workflow' });
  }
  const providerName = request.provider ?? registered?.provider ?? '';
  const provider = registry.provider(providerName);
  if (!provider)
    throw new GatewayError('unknown_provider', { param: request.provider === undefined ? 'workflow' : 'provider' });
  const { kind } = provider;
  if (registered?.inputs) checkInputs(registered, request.inputs);
  return {
    provider,
    upstreamWorkflow: registered?.workflow ?? checkWorkflowId(kind, request.workflow),
    options: checkOptions(kind, request.options),
    defaults: registered?.defaults ?? {},
    timeoutMs: timeoutS(kind, request.timeoutS, registered?.timeoutS ?? null) * 1000,
    waitingTimeoutMs: (request.waitingTimeoutS ?? DEFAULT_WAITING_TIMEOUT_S) * 1000,
  };
}

const PARAM_CHARACTERS_MAX = 300;

/** The inputs as they would be sent, by the workflow's schema. */
function checkInputs({ validateInputs, defaults }: RegisteredWorkflow, inputs: JsonObject): void {
  const fault = validateInputs({ ...defaults, ...inputs });
  if (!fault) return;
  const param = ['inputs', ...fault.path].join('.').slice(0, PARAM_CHARACTERS_MAX);
  throw new GatewayError('invalid_request', { param, message: `${param}: ${fault.message}.` });
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
  throw new GatewayError('invalid_request', { param: 'workflow', message: `workflow: ${expected}.` });
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
  throw new GatewayError('invalid_request', { param, message: `${param}: ${issue?.message ?? 'not valid'}.` });
}
