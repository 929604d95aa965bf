import { GatewayError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Auth, Outbound, OutboundAnswer, OutboundRequest, StreamAnswer, TraceContext } from '../core/outbound.ts';
import type { SealedCredential, Secret } from '../core/secret.ts';
import type { AnyProviderKind, StreamOperation, VendorRequest } from '../providers/define-provider.ts';
import { originOf, type Place } from '../providers/places.ts';
import type { Registry } from '../providers/registry.ts';
import type { CallTimeouts } from './limits.ts';
import type { Run, WaitingFor } from './model.ts';
import type { CallSample } from './observer.ts';
import type { CredentialSource } from './ports.ts';

/** Until the head of the answer to anything but a start is there. */
const READ_TIMEOUT_MS = 15_000;
/** A stream beside a run is let go after so long a silence; the run's polls go on. */
const FOLLOW_SILENCE_MS_MAX = 30_000;

export type ReadOperation = 'poll' | 'lookup' | 'cancel' | 'pause';

/** What a resume hands over. */
export interface ResumeCall {
  inputs: JsonObject;
  /** Parsed by the kind's `resumeOptions`. */
  options: JsonObject;
  waitingFor: WaitingFor['for'];
}

/** What a streamed start sends. */
export interface StreamedStart {
  inputs: JsonObject;
  credential: SealedCredential;
  token: Secret | null;
}

/**
 * How vendors are called for a run: from what its row has pinned, not from today's configuration; but only where the configuration
 * has named the place that is pinned, and with the permissions that it gave there.
 */
export interface VendorCalls {
  start(run: Run, inputs: JsonObject, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The call whose answer is the single-use token of a streamed start. */
  token(run: Run, inputs: JsonObject, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The start as a stream; `token` where the kind asks for one. */
  startStream(run: Run, call: StreamedStart, signal: AbortSignal): Promise<StreamAnswer>;
  /** Attaches to the stream of a run that goes on. */
  follow(run: Run, signal: AbortSignal): Promise<StreamAnswer>;
  resume(run: Run, call: ResumeCall, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
  /** Throws `no_credential` where the pinned credential was removed, or may not go to the pinned place (any more). */
  read(run: Run, operation: ReadOperation, kind: AnyProviderKind, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The pinned credential of a run that was written by another process or earlier. */
  credentialOf(run: Run): Promise<SealedCredential>;
}

export function createVendorCalls({
  outbound,
  credentials,
  registry,
  kindOf,
  timeouts,
  traceOf,
  heartbeatIsYoung,
}: {
  outbound: Outbound;
  credentials: Pick<CredentialSource, 'reopen'>;
  registry: () => Registry;
  kindOf: (run: Run) => AnyProviderKind;
  timeouts: CallTimeouts;
  /** What calls for a run are traced below. */
  traceOf: (run: Run) => TraceContext | null;
  /** Whether the last confirmed heartbeat is young enough to send what begins something. */
  heartbeatIsYoung: () => boolean;
}): VendorCalls {
  /** Of a start and what is like one: the provider's own, else the kind's, whose answers may take long, else the settings'. */
  function startTimes({ provider }: Run, { startTimeoutMs }: AnyProviderKind): CallTimeouts {
    const own = registry().provider(provider)?.timeouts;
    return {
      headersMs: own?.headersMs ?? startTimeoutMs ?? timeouts.headersMs,
      idleMs: own?.idleMs ?? Math.max(startTimeoutMs ?? 0, timeouts.idleMs),
      totalMs: own?.totalMs ?? timeouts.totalMs,
    };
  }

  function readTimes({ provider }: Run): CallTimeouts {
    const own = registry().provider(provider)?.timeouts;
    return {
      headersMs: Math.min(own?.headersMs ?? timeouts.headersMs, READ_TIMEOUT_MS),
      idleMs: Math.min(own?.idleMs ?? timeouts.idleMs, READ_TIMEOUT_MS),
      totalMs: own?.totalMs ?? timeouts.totalMs,
    };
  }

  function startLimits(run: Run, kind: AnyProviderKind, credential: SealedCredential): CallLimits {
    return {
      credential,
      allowPrivateNetwork: networkOf(run),
      connection: 'start',
      times: startTimes(run, kind),
      mayLeave: heartbeatIsYoung,
    };
  }

  function readLimits(run: Run, credential: SealedCredential): CallLimits {
    return { credential, allowPrivateNetwork: networkOf(run), connection: 'any', times: readTimes(run) };
  }

  async function credentialOf(run: Run): Promise<SealedCredential> {
    const { credentialId: id, provider, baseUrl } = run;
    if (id === null || placeOf(run) === null) throw noCredential(run);
    const credential = await credentials.reopen({ id, provider, baseUrl });
    if (!credential) throw noCredential(run);
    return credential;
  }

  /** Null: the configuration, of this process, never named it for the run's provider and kind. */
  function placeOf({ provider, kind, baseUrl }: Run): Place | null {
    const origin = originOf(baseUrl);
    const place = origin === null ? null : registry().place(provider, origin);
    return place?.kinds.has(kind) ? place : null;
  }

  /** Never the row's own word. Throws `no_credential` where the place is unknown: nothing is sent there. */
  function networkOf(run: Run): boolean {
    const configured = registry().provider(run.provider);
    // Every start is there, and is to cost no parsing.
    if (configured?.baseUrl === run.baseUrl && configured.kind.kind === run.kind) return configured.allowPrivateNetwork;
    const place = placeOf(run);
    if (place === null) throw noCredential(run);
    return place.allowPrivateNetwork;
  }

  return {
    credentialOf,
    start(run, inputs, credential, signal) {
      const kind = kindOf(run);
      const request = kind.start.request(startContextOf(run, inputs));
      const limits = startLimits(run, kind, credential);
      return outbound.send(
        outboundRequest({ run, trace: traceOf(run), operation: 'start' }, kind, request, limits),
        signal,
      );
    },
    token(run, inputs, credential, signal) {
      const kind = kindOf(run);
      const request = streamOf(kind, 'startStream').token?.request(startContextOf(run, inputs));
      if (!request) throw new Error(`${kind.kind} has no token step`);
      const limits = readLimits(run, credential);
      return outbound.send(
        outboundRequest({ run, trace: traceOf(run), operation: 'token' }, kind, request, limits),
        signal,
      );
    },
    startStream(run, { inputs, credential, token }, signal) {
      const kind = kindOf(run);
      const operation = streamOf(kind, 'startStream');
      const limits = startLimits(run, kind, credential);
      const request = outboundRequest(
        { run, trace: traceOf(run), operation: 'start' },
        kind,
        operation.request(startContextOf(run, inputs)),
        limits,
      );
      const shown =
        token && operation.token
          ? { auth: NO_AUTH, secretQuery: { name: operation.token.query, value: token } }
          : { auth: kind.auth };
      return outbound.openStream(
        { ...request, ...shown, via: operation.via, format: (head) => operation.format(head) },
        signal,
      );
    },
    async follow(run, signal) {
      const kind = kindOf(run);
      const operation = streamOf(kind, 'follow');
      const { runId } = run.upstream;
      if (runId === null) throw new Error(`${kind.kind} cannot follow a run without an id`);
      const credential = await credentialOf(run);
      const limits = readLimits(run, credential);
      const request = outboundRequest(
        { run, trace: traceOf(run), operation: 'follow' },
        kind,
        operation.request({ ...contextOf(run), runId }),
        limits,
      );
      return outbound.openStream(
        {
          ...request,
          bodyTimeoutMs: Math.min(startTimes(run, kind).idleMs, FOLLOW_SILENCE_MS_MAX),
          via: operation.via,
          format: (head) => operation.format(head),
        },
        signal,
      );
    },
    resume(run, { inputs, options, waitingFor }, credential, signal) {
      const kind = kindOf(run);
      const { runId } = run.upstream;
      if (!kind.resume || runId === null) throw new Error(`${kind.kind} has no resume for this run`);
      const limits = startLimits(run, kind, credential);
      const request = kind.resume.request({ ...contextOf(run), runId, inputs, resumeOptions: options, waitingFor });
      return outbound.send(
        outboundRequest({ run, trace: traceOf(run), operation: 'resume' }, kind, request, limits),
        signal,
      );
    },
    async read(run, operation, kind, signal) {
      const credential = await credentialOf(run);
      const request = readRequest(run, operation, kind);
      const limits = readLimits(run, credential);
      return outbound.send(outboundRequest({ run, trace: traceOf(run), operation }, kind, request, limits), signal);
    },
  };
}

function readRequest(run: Run, operation: ReadOperation, kind: AnyProviderKind): VendorRequest {
  const context = contextOf(run);
  if (operation === 'lookup' && kind.lookup) return kind.lookup.request(context);
  const { runId } = run.upstream;
  const named = operation === 'lookup' ? undefined : kind[operation];
  if (!named || runId === null) throw new Error(`${kind.kind} has no ${operation} for this run`);
  return named.request({ ...context, runId });
}

function noCredential({ provider }: Run): GatewayError {
  const message =
    'The credential that started this run was removed, or the configuration no longer sends it to the address where the run began.';
  return new GatewayError('no_credential', { provider, message });
}

const NO_AUTH: Auth = { type: 'none' };

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the registry has forgotten the kinds' own types
function streamOf(kind: AnyProviderKind, name: 'startStream' | 'follow'): StreamOperation<any> {
  const operation = kind[name];
  if (!operation) throw new Error(`${kind.kind} has no ${name}`);
  return operation;
}

function startContextOf(run: Run, inputs: JsonObject) {
  return { ...contextOf(run), inputs: { ...run.defaults, ...inputs } };
}

function contextOf(run: Run) {
  return { workflow: run.upstreamWorkflow, clientRunId: run.id, options: run.options, settings: run.settings };
}

interface CallLimits {
  credential: SealedCredential;
  allowPrivateNetwork: boolean;
  connection: 'start' | 'any';
  times: CallTimeouts;
  /** Only of what begins something. */
  mayLeave?: () => boolean;
}

function outboundRequest(
  { run, trace, operation }: { run: Run; trace: TraceContext | null; operation: CallSample['operation'] },
  kind: AnyProviderKind,
  request: VendorRequest,
  limits: CallLimits,
): OutboundRequest {
  return {
    ...request,
    baseUrl: run.baseUrl,
    allowPrivateNetwork: limits.allowPrivateNetwork,
    auth: kind.auth,
    credential: limits.credential,
    trace,
    about: { provider: run.provider, operation, runId: run.id },
    connection: kind.repeat === 'never' ? limits.connection : 'any',
    mayLeave: limits.mayLeave,
    headersTimeoutMs: limits.times.headersMs,
    bodyTimeoutMs: limits.times.idleMs,
    totalTimeoutMs: limits.times.totalMs,
  };
}
