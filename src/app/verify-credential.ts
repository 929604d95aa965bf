import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { OutboundError, type Outbound } from '../core/outbound.ts';
import type { Random } from '../core/random.ts';
import type { SealedCredential } from '../core/secret.ts';
import type { Provider } from '../providers/registry.ts';
import { createUpstream } from '../upstream/create-upstream.ts';
import type { UpstreamLimits } from '../upstream/limits.ts';
import type { Vault } from '../vault/credentials.ts';
import { VERSION } from './version.ts';

const TIMEOUT_MS = 15_000;

/** What a vendor says to a credential. */
export interface CredentialVerdict {
  credential: string;
  origin: string;
  /** `unclear`: the vendor answered, and its answer says nothing of the credential. */
  verdict: 'good' | 'refused' | 'unreachable' | 'unclear';
  /** The vendor's HTTP status; null where no answer came. */
  status: number | null;
}

export interface VerifyParts {
  vault: Pick<Vault, 'pick'>;
  clock: Clock;
  random: Random;
  log: Log;
  limits: UpstreamLimits;
}

/**
 * Shows a provider's credential to its vendor, with the cheapest call that changes nothing there. Throws
 * `unsupported_operation` where the vendor has no such call, and `no_credential`.
 */
export async function verifyCredential(provider: Provider, parts: VerifyParts): Promise<CredentialVerdict> {
  const { verify, title } = provider.kind;
  if (verify === undefined) {
    const message = `${title} has no call that would show whether a credential is good and change nothing.`;
    throw new GatewayError('unsupported_operation', { message, provider: provider.name });
  }
  const credential = await parts.vault.pick(provider);
  if (credential === null) throw noCredential(provider);
  // Opened here once, so that a vault that cannot be opened is told as such.
  await credential.open();
  const { clock, random, log, limits } = parts;
  const guard = { allowedLoopback: new Set<string>() };
  const upstream = createUpstream({ clock, random, log, version: VERSION, limits, guard });
  try {
    const status = await ask(upstream, provider, credential);
    const verdict =
      status === null ? 'unreachable' : verify.good({ status }) ? 'good' : isRefusal(status) ? 'refused' : 'unclear';
    return { credential: credential.id, origin: credential.origin, verdict, status };
  } finally {
    await upstream.close();
  }
}

/** The status of the vendor's answer; null where there was none. */
async function ask(outbound: Outbound, provider: Provider, credential: SealedCredential): Promise<number | null> {
  const { kind, baseUrl, allowPrivateNetwork, settings } = provider;
  const request = kind.verify?.request(settings);
  if (request === undefined) return null;
  try {
    const answer = await outbound.send(
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
    return answer.status;
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    if (error.failure !== 'forbidden_address') return null;
    const message = `The address of ${provider.name} is private; allow it with allow_private_network in rungate.yaml.`;
    throw new GatewayError('upstream_unreachable', { message, provider: provider.name });
  }
}

function isRefusal(status: number): boolean {
  return status === 401 || status === 403;
}

function noCredential({ name }: Provider): GatewayError {
  const message = `${name} has no credential. Add one with: rungate credentials add ${name} --stdin`;
  return new GatewayError('no_credential', { message, provider: name });
}
