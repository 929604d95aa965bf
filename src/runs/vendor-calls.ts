import { GatewayError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Auth, Outbound, OutboundAnswer, OutboundRequest, StreamAnswer } from '../core/outbound.ts';
import type { SealedCredential, Secret } from '../core/secret.ts';
import {
  START_TIMEOUT_DEFAULT_MS,
  type AnyProviderKind,
  type StreamOperation,
  type VendorRequest,
} from '../providers/define-provider.ts';
import type { Run, WaitingFor } from './model.ts';
import type { CredentialSource } from './ports.ts';

const READ_TIMEOUT_MS = 15_000;
/** A stream that is only followed is asked again by a poll after so long a silence. */
const FOLLOW_SILENCE_MS = 30_000;

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

/** How vendors are called for a run: from what its row has pinned, never from today's configuration. */
export interface VendorCalls {
  start(run: Run, inputs: JsonObject, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The call whose answer is the single-use token of a streamed start. */
  token(run: Run, inputs: JsonObject, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The start as a stream; `token` where the kind asks for one. */
  startStream(run: Run, call: StreamedStart, signal: AbortSignal): Promise<StreamAnswer>;
  /** Attaches to the stream of a run that goes on. */
  follow(run: Run, signal: AbortSignal): Promise<StreamAnswer>;
  resume(run: Run, call: ResumeCall, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
  /** Throws `no_credential` where the pinned credential was removed. */
  read(run: Run, operation: ReadOperation, kind: AnyProviderKind, signal: AbortSignal): Promise<OutboundAnswer>;
  /** The pinned credential of a run that was written by another process or earlier. */
  credentialOf(run: Run): Promise<SealedCredential>;
}

export function createVendorCalls({
  outbound,
  credentials,
  kindOf,
}: {
  outbound: Outbound;
  credentials: CredentialSource;
  kindOf: (run: Run) => AnyProviderKind;
}): VendorCalls {
  async function credentialOf(run: Run): Promise<SealedCredential> {
    const { credentialId: id, provider, baseUrl } = run;
    const credential = id === null ? null : await credentials.reopen({ id, provider, baseUrl });
    if (!credential) {
      throw new GatewayError('no_credential', {
        provider,
        message: 'The credential that started this run was removed.',
      });
    }
    return credential;
  }

  return {
    credentialOf,
    start(run, inputs, credential, signal) {
      const kind = kindOf(run);
      const timeoutMs = kind.startTimeoutMs ?? START_TIMEOUT_DEFAULT_MS;
      const request = kind.start.request(startContextOf(run, inputs));
      return outbound.send(outboundRequest(run, kind, request, { credential, connection: 'start', timeoutMs }), signal);
    },
    token(run, inputs, credential, signal) {
      const kind = kindOf(run);
      const request = streamOf(kind, 'startStream').token?.request(startContextOf(run, inputs));
      if (!request) throw new Error(`${kind.kind} has no token step`);
      const limits = { credential, connection: 'any', timeoutMs: READ_TIMEOUT_MS } as const;
      return outbound.send(outboundRequest(run, kind, request, limits), signal);
    },
    startStream(run, { inputs, credential, token }, signal) {
      const kind = kindOf(run);
      const operation = streamOf(kind, 'startStream');
      const limits = {
        credential,
        connection: 'start',
        timeoutMs: kind.startTimeoutMs ?? START_TIMEOUT_DEFAULT_MS,
      } as const;
      const request = outboundRequest(run, kind, operation.request(startContextOf(run, inputs)), limits);
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
      const limits = { credential, connection: 'any', timeoutMs: READ_TIMEOUT_MS } as const;
      const request = outboundRequest(run, kind, operation.request({ ...contextOf(run), runId }), limits);
      return outbound.openStream(
        {
          ...request,
          bodyTimeoutMs: FOLLOW_SILENCE_MS,
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
      const timeoutMs = kind.startTimeoutMs ?? START_TIMEOUT_DEFAULT_MS;
      const request = kind.resume.request({ ...contextOf(run), runId, inputs, resumeOptions: options, waitingFor });
      return outbound.send(outboundRequest(run, kind, request, { credential, connection: 'start', timeoutMs }), signal);
    },
    async read(run, operation, kind, signal) {
      const credential = await credentialOf(run);
      const request = readRequest(run, operation, kind);
      const limits = { credential, connection: 'any', timeoutMs: READ_TIMEOUT_MS } as const;
      return outbound.send(outboundRequest(run, kind, request, limits), signal);
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

function outboundRequest(
  run: Run,
  kind: AnyProviderKind,
  request: VendorRequest,
  limits: { credential: SealedCredential; connection: 'start' | 'any'; timeoutMs: number },
): OutboundRequest {
  return {
    ...request,
    baseUrl: run.baseUrl,
    allowPrivateNetwork: run.allowPrivateNetwork,
    auth: kind.auth,
    credential: limits.credential,
    trace: run.trace,
    connection: kind.repeat === 'never' ? limits.connection : 'any',
    headersTimeoutMs: limits.timeoutMs,
    bodyTimeoutMs: limits.timeoutMs,
  };
}
