import { GatewayError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import type { Outbound, OutboundAnswer, OutboundRequest } from '../core/outbound.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { AnyProviderKind, VendorRequest } from '../providers/define-provider.ts';
import type { Run, WaitingFor } from './model.ts';
import type { CredentialSource } from './ports.ts';

const START_TIMEOUT_MS = 30_000;
const READ_TIMEOUT_MS = 15_000;

export type ReadOperation = 'poll' | 'lookup' | 'cancel' | 'pause';

/** What a resume hands over. */
export interface ResumeCall {
  inputs: JsonObject;
  /** Parsed by the kind's `resumeOptions`. */
  options: JsonObject;
  waitingFor: WaitingFor['for'];
}

/** How vendors are called for a run: from what its row has pinned, never from today's configuration. */
export interface VendorCalls {
  start(run: Run, inputs: JsonObject, credential: SealedCredential, signal: AbortSignal): Promise<OutboundAnswer>;
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
      const timeoutMs = kind.startTimeoutMs ?? START_TIMEOUT_MS;
      const request = kind.start.request({ ...contextOf(run), inputs: { ...run.defaults, ...inputs } });
      return outbound.send(outboundRequest(run, kind, request, { credential, connection: 'start', timeoutMs }), signal);
    },
    resume(run, { inputs, options, waitingFor }, credential, signal) {
      const kind = kindOf(run);
      const { runId } = run.upstream;
      if (!kind.resume || runId === null) throw new Error(`${kind.kind} has no resume for this run`);
      const timeoutMs = kind.startTimeoutMs ?? START_TIMEOUT_MS;
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
