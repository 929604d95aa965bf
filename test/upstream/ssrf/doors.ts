import { onTestFinished } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { OutboundError } from '../../../src/core/outbound.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import type { ResolveAll } from '../../../src/upstream/connector.ts';
import { createUpstream } from '../../../src/upstream/create-upstream.ts';
import type { UpstreamLimits } from '../../../src/upstream/limits.ts';
import { createVaultHttp, TOKEN_HEADER } from '../../../src/vault/references/vault-http.ts';
import { requestTo, sealed, SECRET, UPSTREAM_LIMITS } from '../support.ts';

/** What a door was told to reach. */
export interface Wanted {
  /** Scheme, host and port, spelt as somebody wrote them. */
  origin: string;
  allowPrivateNetwork?: boolean;
}

/** One way in which bytes leave this process for an address that somebody else chose. */
export interface Door {
  name: string;
  /** Whether a secret of ours goes with the request. */
  showsSecret: boolean;
  /** Goes through it: what came back, or the `OutboundError`. */
  go(wanted: Wanted): Promise<unknown>;
}

const NAMES = ['a call', 'a poll', 'a stream', 'a WebSocket', 'a webhook', "an issuer's keys", 'Vault'] as const;
const SHOWING: ReadonlySet<string> = new Set(['a call', 'a poll', 'a stream', 'a WebSocket', 'Vault']);

/** For `describe.each`: the doors themselves need a running test. */
export const DOOR_NAMES = NAMES;

/** The doors of one upstream, which is closed when the test ends. */
export function openDoor(
  name: (typeof NAMES)[number],
  { resolve, limits = {} }: { resolve?: ResolveAll; limits?: Partial<UpstreamLimits> } = {},
): Door {
  const quiet = () => undefined;
  const upstream = createUpstream({
    clock: systemClock,
    random: createSystemRandom(),
    log: { debug: quiet, info: quiet, warn: quiet, error: quiet },
    limits: { ...UPSTREAM_LIMITS, ...limits },
    guard: { allowedLoopback: new Set() },
    version: '9.9.9',
    ...(resolve === undefined ? {} : { resolve }),
  });
  onTestFinished(() => upstream.close());
  const { signal } = new AbortController();
  const request = ({ origin, allowPrivateNetwork = false }: Wanted) =>
    requestTo(origin, { allowPrivateNetwork, credential: sealed(origin) });
  const stream = { format: () => 'text' as const };
  const plain = ({ origin, allowPrivateNetwork = false }: Wanted) => ({
    url: `${origin}/x`,
    allowPrivateNetwork,
    timeoutMs: 5_000,
  });
  const ways: Record<(typeof NAMES)[number], (wanted: Wanted) => Promise<unknown>> = {
    'a call': (wanted) => upstream.send(request(wanted), signal),
    'a poll': (wanted) => upstream.send({ ...request(wanted), method: 'GET', connection: 'any' }, signal),
    'a stream': (wanted) => upstream.openStream({ ...request(wanted), ...stream, via: 'http' }, signal),
    'a WebSocket': (wanted) => upstream.openStream({ ...request(wanted), ...stream, via: 'websocket' }, signal),
    'a webhook': (wanted) =>
      upstream.post({ ...plain(wanted), headers: { 'content-type': 'application/json' }, body: '{}' }, signal),
    "an issuer's keys": (wanted) => upstream.get({ ...plain(wanted), bytesMax: 1_000 }, signal),
    Vault: ({ origin, allowPrivateNetwork = false }) =>
      createVaultHttp({
        address: origin,
        namespace: null,
        allowPrivateNetwork,
        timeoutMs: 5_000,
        outbound: upstream,
        signal,
      })({ method: 'GET', path: '/secret/data/x', auth: TOKEN_HEADER, secret: new Secret(SECRET) }),
  };
  return {
    name,
    showsSecret: SHOWING.has(name),
    go: (wanted) =>
      ways[name](wanted).catch((error: unknown) => {
        // Vault's reader says in words what happened; the failure is its cause.
        const failure = error instanceof Error && error.cause instanceof OutboundError ? error.cause : error;
        if (failure instanceof OutboundError) return failure;
        throw error;
      }),
  };
}
