import { describe, expect, it } from 'vitest';
import { createKeyManager } from '../../../src/access/manage-keys.ts';
import { commandActor, createAudited } from '../../../src/app/audit.ts';
import type { Actor, NewAuditEntry } from '../../../src/core/audit.ts';
import type { Audited } from '../../../src/core/audited.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { createIds, type RunId } from '../../../src/core/ids.ts';
import { createSystemRandom } from '../../../src/core/random.ts';
import { Secret } from '../../../src/core/secret.ts';
import { recordResolution } from '../../../src/runs/record-resolution.ts';
import { createCredentialManager } from '../../../src/vault/manage-credentials.ts';
import { memoryKeyStore } from '../../support/memory-stores.ts';
import { recording } from '../../support/recording.ts';

const random = createSystemRandom();
const ACTOR: Actor = { type: 'key', id: 'key_1', from: '127.0.0.1', requestId: 'req_1' };
const DEED = {
  actor: ACTOR,
  action: 'run.cancel',
  target: { type: 'run', id: 'run_1' },
  details: { why: 'x' },
} as const;

/** What is written, and work, in the order in which they come. */
function setUp({ fails = () => false }: { fails?: (entry: NewAuditEntry) => boolean } = {}) {
  const happened: unknown[] = [];
  const complaints: unknown[] = [];
  const audited = createAudited({
    clock: systemClock,
    log: { error: (fields) => void complaints.push(fields) },
    store: {
      async append(entry) {
        if (fails(entry)) throw new GatewayError('store_unavailable');
        happened.push([entry.outcome, entry.details]);
        return { ...entry, seq: 1, previous: '', hash: '' };
      },
    },
  });
  return { audited, happened, complaints };
}

describe('the audit log', () => {
  it('is written before the work, and not again where the work was done', async () => {
    const { audited, happened } = setUp();
    expect(await audited(DEED, async () => happened.push('work'))).toBe(2);
    expect(happened).toEqual([['begun', { why: 'x' }], 'work']);
  });

  it('keeps the work from being done where it cannot be written', async () => {
    const { audited, happened } = setUp({ fails: () => true });
    const done = audited(DEED, async () => happened.push('work'));
    await expect(done).rejects.toMatchObject({ code: 'store_unavailable' });
    expect(happened).toEqual([]);
  });

  it.each([
    [new GatewayError('not_found'), 'not_found'],
    [new Error('a path, or worse'), 'internal'],
  ])('says of work that fails by which code: %s', async (error, code) => {
    const { audited, happened } = setUp();
    await expect(audited(DEED, () => Promise.reject(error))).rejects.toBe(error);
    expect(happened).toEqual([
      ['begun', { why: 'x' }],
      ['failed', { why: 'x', error: code }],
    ]);
  });

  it('hands on the work’s own fault where not even that can be written', async () => {
    const { audited, complaints } = setUp({ fails: ({ outcome }) => outcome === 'failed' });
    const error = new GatewayError('not_found');
    await expect(audited(DEED, () => Promise.reject(error))).rejects.toBe(error);
    expect(complaints).toMatchObject([{ action: 'run.cancel' }]);
  });

  it('knows who runs a command', () => {
    expect(commandActor()).toMatchObject({ type: 'command', id: expect.stringMatching(/./), from: null });
  });
});

describe('where the audit log cannot be written', () => {
  const broken: Audited = () => Promise.reject(new GatewayError('store_unavailable'));

  it('no key is made, rotated or revoked', async () => {
    const calls: string[] = [];
    const store = memoryKeyStore();
    const parts = { clock: systemClock, random, webhookSecrets: { ensure: async () => new Secret('whsec_') } };
    const good = createKeyManager({ ...parts, keys: store, audited: (_deed, work) => work() });
    const wanted = { name: 'n', role: 'runs', allowedWorkflows: [], allowedProviders: [], expiresAt: null } as const;
    const { stored } = await good.create(wanted, ACTOR);
    const secrets = recording(parts.webhookSecrets, 'secrets', calls);
    const keys = createKeyManager({
      ...parts,
      webhookSecrets: secrets,
      keys: recording(store, 'keys', calls),
      audited: broken,
    });
    for (const change of [
      keys.create(wanted, ACTOR),
      keys.rotate(stored.id, 0, ACTOR),
      keys.revoke(stored.id, ACTOR),
    ]) {
      await expect(change).rejects.toMatchObject({ code: 'store_unavailable' });
    }
    expect(calls.filter((call) => call !== 'keys.find' && call !== 'keys.list')).toEqual([]);
  });

  it('no credential is added, removed or shown to its vendor', async () => {
    const calls: string[] = [];
    const known = { id: 'cred_1', provider: 'p', label: null, purpose: 'api', createdAt: 0, weight: 1 } as const;
    const vault = { list: async () => [known], add: async () => known, remove: async () => true };
    const credentials = createCredentialManager({
      vault: recording(vault, 'vault', calls),
      states: { of: () => ({ is: 'usable' }) },
      providers: async () => [{ name: 'p', baseUrl: 'https://p.example', credentials: [] }],
      isReferenceSet: async () => true,
      verify: async () => {
        calls.push('verify');
        return [];
      },
      ids: createIds({ clock: systemClock, random }),
      audited: broken,
    });
    const wanted = { provider: 'p', label: null, purpose: 'api', secret: new Secret('s') } as const;
    for (const change of [
      credentials.add(wanted, ACTOR),
      credentials.remove('cred_1', ACTOR),
      credentials.verify('p', ACTOR),
    ]) {
      await expect(change).rejects.toMatchObject({ code: 'store_unavailable' });
    }
    expect(calls.filter((call) => call !== 'vault.list')).toEqual([]);
  });

  it('no run is resolved', async () => {
    const calls: string[] = [];
    const run = { id: 'run_1', status: 'failed', error: { code: 'outcome_unknown' }, resolution: null };
    const store = recording({ peek: async () => run, resolve: async () => run, get: async () => run }, 'runs', calls);
    const finding = { as: 'failed', note: 'seen', force: false } as const;
    const parts = { store: store as never, clock: systemClock, audited: broken };
    await expect(recordResolution('run_1' as RunId, finding, ACTOR, parts)).rejects.toMatchObject({
      code: 'store_unavailable',
    });
    expect(calls).toEqual(['runs.peek']);
  });
});
