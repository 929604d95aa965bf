import { NO_ACCESS_SETTINGS, type AccessSettings } from '../core/access-settings.ts';
import type { ErrorCode } from '../core/error-catalogue.ts';
import type { JsonObject } from '../core/json.ts';
import type { AnyProviderKind } from './define-provider.ts';
import { placeKey, placesOf, type Place, type Places } from './places.ts';

/** Bounds on starts; null: none. */
export interface StartLimits {
  /** Runs that are begun and neither ended nor waiting. */
  concurrency: number | null;
  requestsPerMinute: number | null;
}

export interface ProviderLimits extends StartLimits {
  /** The same for each of its credentials. */
  perCredential: StartLimits;
}

/** How long one call may take; null: as the process's settings and the kind say. */
export interface ProviderTimeouts {
  /** Until the head of the answer is there. */
  headersMs: number | null;
  /** How long a body may be silent. */
  idleMs: number | null;
  /** The whole call. */
  totalMs: number | null;
}

/** A reference such as `env:AI_TUTOR_KEY`, and its share of the starts (at least 1). */
export interface CredentialReference {
  reference: string;
  weight: number;
}

/** A configured upstream: a kind, where it is, and what it may use. */
export interface Provider {
  name: string;
  kind: AnyProviderKind;
  /** Without a trailing slash. */
  baseUrl: string;
  allowPrivateNetwork: boolean;
  /** Parsed by the kind's `settings` schema. */
  settings: JsonObject;
  /** In order; empty: the vault's, by the provider's name. */
  credentials: readonly CredentialReference[];
  limits: ProviderLimits;
  timeouts: ProviderTimeouts;
}

/** Where a run's inputs do not fit, and what was expected there. */
export interface InputsFault {
  /** Below the inputs. */
  path: readonly string[];
  message: string;
}

/** Checks a run's inputs, defaults included; null: they fit. */
export type ValidateInputs = (inputs: JsonObject) => InputsFault | null;

/** A provider, and the vendor's own id of a workflow there. */
export interface WorkflowTarget {
  provider: string;
  workflow: string;
}

export interface WeightedTarget extends WorkflowTarget {
  /** A whole number; 0: nothing goes there for now. */
  weight: number;
}

export interface FallbackTarget extends WorkflowTarget {
  /** The errors that lead here. */
  when: readonly ErrorCode[];
}

/** A name from `rungate.yaml` for a vendor's workflow. */
export interface RegisteredWorkflow {
  name: string;
  /** At least one; a run goes to one of them, by weight. */
  targets: readonly WeightedTarget[];
  /** Runs with the same value of this metadata key go to the same target, while the targets stay as they are. */
  stickyBy: string | null;
  /** Tried in order while every start so far provably began nothing. */
  fallbacks: readonly FallbackTarget[];
  description: string | null;
  /** JSON Schema (2020-12) of the inputs; null: any object will do. */
  inputs: JsonObject | null;
  validateInputs: ValidateInputs;
  /** Merged under the caller's inputs. */
  defaults: JsonObject;
  /** Default and cap of a run's `timeout_s`; null: the kind's default, no cap but the contract's. */
  timeoutS: number | null;
}

/** What can be run, as configured now. A reload makes a new one. */
export interface Registry {
  provider(name: string): Provider | null;
  /** By name. */
  providers(): readonly Provider[];
  workflow(name: string): RegisteredWorkflow | null;
  workflows(): readonly RegisteredWorkflow[];
  /** A kind by its own name, for runs that outlive their provider's configuration. */
  kind(name: string): AnyProviderKind | null;
  /** What is, or was earlier in this process, configured of a provider at this origin; null: nothing ever was. */
  place(provider: string, origin: string): Place | null;
  /** All that `place` finds. */
  readonly places: Places;
  /** Who may come besides those with keys, and from which pages. */
  readonly access: AccessSettings;
}

export interface ProviderSetting {
  kind?: string;
  baseUrl?: string;
  allowPrivateNetwork?: boolean;
  settings?: JsonObject;
  credentials?: readonly CredentialReference[];
  limits?: ProviderLimits;
  timeouts?: ProviderTimeouts;
}

const NO_START_LIMITS: StartLimits = { concurrency: null, requestsPerMinute: null };
const NO_LIMITS: ProviderLimits = { ...NO_START_LIMITS, perCredential: NO_START_LIMITS };
const NO_TIMEOUTS: ProviderTimeouts = { headersMs: null, idleMs: null, totalMs: null };

/**
 * Each kind is a provider of its own name without any configuration; settings of the same name
 * change it, others add to it. Throws `TypeError` on an unknown kind: the configuration was to find that.
 */
export function createRegistry({
  kinds,
  providers,
  workflows,
  access = NO_ACCESS_SETTINGS,
}: {
  kinds: readonly AnyProviderKind[];
  providers: Readonly<Record<string, ProviderSetting>>;
  workflows: readonly RegisteredWorkflow[];
  access?: AccessSettings;
}): Registry {
  const kindsByName = new Map(kinds.map((kind) => [kind.kind, kind]));
  const names = new Set([...kindsByName.keys(), ...Object.keys(providers)]);
  const byName = new Map([...names].sort().map((name) => [name, configure(name, providers[name] ?? {}, kindsByName)]));
  const workflowsByName = new Map(workflows.map((workflow) => [workflow.name, workflow]));
  const places = placesOf(byName.values());
  return {
    provider: (name) => byName.get(name) ?? null,
    providers: () => [...byName.values()],
    workflow: (name) => workflowsByName.get(name) ?? null,
    workflows: () => [...workflowsByName.values()],
    kind: (name) => kindsByName.get(name) ?? null,
    ...findingIn(places),
    access,
  };
}

/** The same configuration, which also knows the places of the one that it replaces: runs that began there go on. */
export function succeeding(next: Registry, before: Registry): Registry {
  return { ...next, ...findingIn(placesOf(next.providers(), before.places)) };
}

function findingIn(places: Places): Pick<Registry, 'place' | 'places'> {
  return { places, place: (provider, origin) => places.get(placeKey(provider, origin)) ?? null };
}

function configure(name: string, setting: ProviderSetting, kinds: ReadonlyMap<string, AnyProviderKind>): Provider {
  const kind = kinds.get(setting.kind ?? name);
  if (!kind) throw new TypeError(`provider ${name}: no kind of this name`);
  return {
    name,
    kind,
    baseUrl: (setting.baseUrl ?? kind.baseUrl).replace(/\/+$/, ''),
    allowPrivateNetwork: setting.allowPrivateNetwork ?? false,
    settings: kind.settings.parse(setting.settings ?? {}) as JsonObject,
    credentials: setting.credentials ?? [],
    limits: setting.limits ?? NO_LIMITS,
    timeouts: setting.timeouts ?? NO_TIMEOUTS,
  };
}
