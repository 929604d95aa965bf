import { describe, expect, it } from 'vitest';
import type { RunId } from '../../../src/core/ids.ts';
import type { Outbound, OutboundRequest } from '../../../src/core/outbound.ts';
import { Secret, type SealedCredential } from '../../../src/core/secret.ts';
import { PROVIDER_KINDS } from '../../../src/providers/catalog.generated.ts';
import { createRegistry, succeeding, type ProviderSetting } from '../../../src/providers/registry.ts';
import type { Run } from '../../../src/runs/model.ts';
import { createVendorCalls } from '../../../src/runs/vendor-calls.ts';
import { newRun } from '../../contract/store/sample-run.ts';

const ORIGIN = 'https://vendor.example.com';
const CREDENTIAL: SealedCredential = { id: 'cred_1', origin: ORIGIN, open: async () => new Secret('sk_1') };
const never = new AbortController().signal;

/** Calls of a process that has used these configurations of `mine`, one after another; null: without it. */
function callsAfter(...settings: (ProviderSetting | null)[]) {
  const sent: OutboundRequest[] = [];
  const reopened: unknown[] = [];
  const registry = settings
    .map((mine) => createRegistry({ kinds: PROVIDER_KINDS, providers: mine ? { mine } : {}, workflows: [] }))
    .reduce((before, next) => succeeding(next, before));
  const outbound = {
    async send(request: OutboundRequest) {
      sent.push(request);
      throw new Error('the line is dead');
    },
  } as unknown as Outbound;
  const calls = createVendorCalls({
    outbound,
    credentials: { reopen: async (pinned) => (reopened.push(pinned), CREDENTIAL) },
    registry: () => registry,
    kindOf: (run) => PROVIDER_KINDS.find(({ kind }) => kind === run.kind) ?? expect.fail(run.kind),
    timeouts: { headersMs: 1_000, idleMs: 1_000, totalMs: 1_000 },
    traceOf: () => null,
    heartbeatIsYoung: () => true,
  });
  return { calls, sent, reopened };
}
const b3os = (setting: ProviderSetting = {}): ProviderSetting => ({
  kind: 'b3os',
  baseUrl: `${ORIGIN}/api`,
  ...setting,
});

function runAt(baseUrl: string, overrides: Partial<Run> = {}): Run {
  const upstream = { runId: 'r1', status: null, requestId: null, stopped: null, pollError: null, rateLimit: null };
  const pinned = { provider: 'mine', kind: 'b3os', baseUrl, credentialId: CREDENTIAL.id, upstream, ...overrides };
  return newRun('run_1' as RunId, 0, pinned) as unknown as Run;
}

type Calls = ReturnType<typeof callsAfter>['calls'];
const kindOf = ({ kind }: Run) => PROVIDER_KINDS.find(({ kind: name }) => name === kind) ?? expect.fail(kind);
/** What a rejected or thrown call says. */
const poll = (calls: Calls, run: Run) => calls.read(run, 'poll', kindOf(run), never).catch((error: unknown) => error);
const start = async (calls: Calls, run: Run) => calls.start(run, {}, CREDENTIAL, never);

describe('a call for a run', () => {
  it.each([true, false])(
    'may go to private addresses where the configuration says so (%s), not the row',
    async (allow) => {
      const { calls, sent } = callsAfter(b3os({ allowPrivateNetwork: allow }));
      for (const baseUrl of [`${ORIGIN}/api`, `${ORIGIN}/earlier-path`]) {
        const run = runAt(baseUrl, { allowPrivateNetwork: !allow });
        await poll(calls, run);
        await start(calls, run).catch(() => undefined);
      }
      expect(sent.map(({ allowPrivateNetwork }) => allowPrivateNetwork)).toEqual([allow, allow, allow, allow]);
    },
  );

  it('goes on to where its provider was, with the permission that it had there', async () => {
    const { calls, sent } = callsAfter(b3os({ allowPrivateNetwork: true }), null);
    await poll(calls, runAt(`${ORIGIN}/api`));
    expect(sent).toMatchObject([{ baseUrl: `${ORIGIN}/api`, allowPrivateNetwork: true }]);
  });

  it.each([
    ['at an address that was never configured', runAt('https://elsewhere.example.com/api')],
    ['at one of another provider', runAt(`${ORIGIN}/api`, { provider: 'b3os' })],
    ['of a kind that is not spoken there', runAt(`${ORIGIN}/api`, { kind: 'interactly' })],
    ['at what is no address', runAt('elsewhere')],
  ])('%s is not made, and no credential asked for', async (_, run) => {
    const { calls, sent, reopened } = callsAfter(b3os());
    expect(await poll(calls, run)).toMatchObject({ code: 'no_credential' });
    await expect(start(calls, run)).rejects.toMatchObject({ code: 'no_credential' });
    await expect(calls.credentialOf(run)).rejects.toMatchObject({ code: 'no_credential' });
    expect({ sent, reopened }).toEqual({ sent: [], reopened: [] });
  });
});
