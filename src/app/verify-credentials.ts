import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Json } from '../core/json.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type Outbound } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { Provider } from '../providers/registry.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import type { UpstreamLimits } from '../upstream/limits.ts';
import type { CredentialState } from '../vault/credential-state.ts';
import type { CredentialStates } from '../vault/credential-states.ts';
import type { CredentialVerdict } from '../vault/credential-verdict.ts';
import type { PoolEntry, Vault } from '../vault/credentials.ts';
import { VERSION } from './version.ts';

const TIMEOUT_MS = 15_000;
/** A vendor that limits us is not to be asked by many at once. */
const ASKED_AT_ONCE_MAX = 4;

export interface VerifyParts {
  vault: Pick<Vault, 'pool'>;
  states: Pick<CredentialStates, 'put'>;
  clock: Clock;
  random: Random;
  log: Log;
  limits: UpstreamLimits;
  /** Exact `127.0.0.1:port` pairs that pass although they are loopback: the sandbox's. */
  allowedLoopback: ReadonlySet<string>;
}

/**
 * Shows each of a provider's credentials to its vendor, with the cheapest call that changes nothing there. A good one is
 * usable again; one that is refused with 401 or 402 is set aside. Throws `unsupported_operation` where the vendor has no
 * such call, and `no_credential`.
 */
export async function verifyCredentials(provider: Provider, parts: VerifyParts): Promise<CredentialVerdict[]> {
  const { verify, title } = provider.kind;
  if (verify === undefined) {
    const message = `${title} has no call that would show whether a credential is good and change nothing.`;
    throw new GatewayError('unsupported_operation', { message, provider: provider.name });
  }
  const pool = await parts.vault.pool(provider);
  if (pool.length === 0) throw noCredential(provider);
  const { clock, random, log, limits, allowedLoopback } = parts;
  const upstream = createUpstream({ clock, random, log, version: VERSION, limits, guard: { allowedLoopback } });
  try {
    const verdicts: CredentialVerdict[] = [];
    for (let i = 0; i < pool.length; i += ASKED_AT_ONCE_MAX) {
      const some = pool.slice(i, i + ASKED_AT_ONCE_MAX);
      verdicts.push(...(await Promise.all(some.map((entry) => verifyOne(upstream, provider, entry, parts)))));
    }
    return verdicts;
  } finally {
    await upstream.close();
  }
}

async function verifyOne(
  upstream: Outbound,
  provider: Provider,
  { credential, state }: PoolEntry,
  { states, clock }: VerifyParts,
): Promise<CredentialVerdict> {
  const { id, origin } = credential;
  const found = { credential: id, origin, status: null, state, fault: null };
  // Opened here once, so that a secret that cannot be opened is told as such.
  const fault = await faultOf(credential);
  if (fault !== null) return { ...found, verdict: 'unreadable', fault };
  const answer = await ask(upstream, provider, credential);
  if (answer === null) return { ...found, verdict: 'unreachable' };
  const { status } = answer;
  const verdict = provider.kind.verify?.good(answer) ? 'good' : isRefusal(status) ? 'refused' : 'unclear';
  const after = stateAfter(verdict, { status, before: state, now: clock.now() });
  if (after !== null) await states.put(provider.name, id, after);
  return { ...found, verdict, status, state: after ?? state };
}

/** Null: as it was. A 403 may be about what was asked alone, as it is of a start. */
function stateAfter(
  verdict: CredentialVerdict['verdict'],
  { status, before, now }: { status: number; before: CredentialState; now: number },
): CredentialState | null {
  if (verdict === 'good') return { is: 'usable' };
  if (status !== 401 && status !== 402) return null;
  const code = status === 401 ? 'upstream_auth_failed' : 'upstream_payment_required';
  const at = before.is === 'set_aside' && before.code === code ? before.at : now;
  return { is: 'set_aside', code, at };
}

async function faultOf(credential: SealedCredential): Promise<string | null> {
  try {
    await credential.open();
    return null;
  } catch (error) {
    if (error instanceof GatewayError) return error.message;
    throw error;
  }
}

/** The vendor's answer, its body undefined where that is no JSON; null where none came. */
async function ask(
  outbound: Outbound,
  provider: Provider,
  credential: SealedCredential,
): Promise<{ status: number; body: Json | undefined } | null> {
  const { kind, baseUrl, allowPrivateNetwork, settings } = provider;
  const request = kind.verify?.request(settings);
  if (request === undefined) return null;
  try {
    const { status, body } = await outbound.send(
      {
        ...request,
        baseUrl,
        allowPrivateNetwork,
        auth: kind.auth,
        credential,
        trace: null,
        connection: 'any',
        headersTimeoutMs: TIMEOUT_MS,
        bodyTimeoutMs: TIMEOUT_MS,
      },
      AbortSignal.timeout(2 * TIMEOUT_MS),
    );
    return { status, body: body.kind === 'json' ? body.value : undefined };
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    if (error.failure !== 'forbidden_address') return null;
    const message = `The address of ${provider.name} is private; allow it with allow_private_network in rungate.yaml.`;
    throw new GatewayError('upstream_unreachable', { message, provider: provider.name });
  }
}

function isRefusal(status: number): boolean {
  return status === 401 || status === 402 || status === 403;
}

function noCredential({ name, credentials }: Provider): GatewayError {
  if (credentials.length > 0) {
    const references = credentials.map(({ reference }) => reference).join(', ');
    const message = `Nothing to ask with: ${references} of ${name} is not set in this environment. Run this where the server's variables are.`;
    return new GatewayError('no_credential', { message, provider: name });
  }
  const message = `${name} has no credential. Add one with: rungate credentials add ${name} --stdin`;
  return new GatewayError('no_credential', { message, provider: name });
}
