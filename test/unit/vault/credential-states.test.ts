import { describe, expect, it } from 'vitest';
import type { LogFields } from '../../../src/core/log.ts';
import type { CredentialState } from '../../../src/vault/credential-state.ts';
import { openCredentialStates, type CredentialStates } from '../../../src/vault/credential-states.ts';
import type { StoredCredentialState } from '../../../src/vault/ports.ts';
import { heldStateStore, type HeldStateStore } from './held-state-store.ts';

const NOW = 1_800_000_000_000;
const ONE = `cred_${'1'.repeat(26)}`;
const TWO = `cred_${'2'.repeat(26)}`;
const USABLE: CredentialState = { is: 'usable' };
const REFUSED: CredentialState = { is: 'set_aside', code: 'upstream_auth_failed', at: NOW };
const UNPAID: CredentialState = { is: 'set_aside', code: 'upstream_payment_required', at: NOW + 1 };
const resting = (until: number): CredentialState => ({ is: 'resting', until });

function row(credentialId: string, fields: Partial<StoredCredentialState> = {}): StoredCredentialState {
  const refused = { state: 'set_aside', code: 'upstream_auth_failed', at: NOW, until: null } as const;
  return { provider: 'ai-tutor', credentialId, ...refused, ...fields };
}

async function setUp(store: HeldStateStore = heldStateStore(), role: 'serve' | 'command' = 'serve') {
  const time = { now: NOW };
  const logged: { fields: LogFields; message: string }[] = [];
  const parts = {
    store,
    clock: { now: () => time.now },
    log: { warn: (fields: LogFields, message: string) => void logged.push({ fields, message }) },
  };
  const states = await openCredentialStates(parts, role);
  const mark = (id: string, state: CredentialState) => states.mark('ai-tutor', id, state);
  const of = (id: string) => states.of('ai-tutor', id);
  return { store, states, time, logged, mark, of };
}

/** As a server that is started after this one. */
async function restart(states: CredentialStates, store: HeldStateStore) {
  await states.idle();
  return setUp(store);
}

describe('a mark', () => {
  it('counts at once, and is written', async () => {
    const { store, states, mark, of } = await setUp();
    const goOn = store.holdWrites();
    mark(ONE, REFUSED);
    expect(of(ONE)).toEqual(REFUSED);
    expect(store.rows.size).toBe(0);
    goOn();
    await states.idle();
    expect([...store.rows.values()]).toEqual([row(ONE)]);
  });

  it('is told to the operator, and its end is where somebody had to do something', async () => {
    const { logged, mark } = await setUp();
    const told = () => logged.splice(0).map(({ fields, message }) => [message, fields]);
    const about = { provider: 'ai-tutor', credential: ONE };
    mark(ONE, REFUSED);
    expect(told()).toEqual([
      ['a credential was refused by its vendor and is set aside', { ...about, code: 'upstream_auth_failed' }],
    ]);
    mark(ONE, USABLE);
    expect(told()).toEqual([['a credential that was set aside is taken by its vendor again', about]]);
    mark(ONE, resting(NOW + 60_000));
    const until = new Date(NOW + 60_000).toISOString();
    expect(told()).toEqual([['a credential is limited by its vendor and rests', { ...about, until }]]);
    mark(ONE, USABLE);
    expect(told()).toEqual([]);
  });

  it('concerns one credential of one provider', async () => {
    const { states, mark, of } = await setUp();
    mark('env:A', REFUSED);
    expect(of('env:A')).toEqual(REFUSED);
    expect(of('env:B')).toEqual(USABLE);
    expect(states.of('b3os', 'env:A')).toEqual(USABLE);
  });

  it('that changes nothing writes nothing', async () => {
    const { store, states, time, mark, of } = await setUp();
    mark(ONE, USABLE);
    mark(ONE, resting(NOW));
    await states.idle();
    expect(store.writes).toEqual([]);
    mark(ONE, REFUSED);
    mark(ONE, { ...REFUSED, at: NOW + 5 });
    mark(TWO, resting(NOW + 30));
    mark(TWO, resting(NOW + 20));
    mark(TWO, resting(NOW + 30));
    await states.idle();
    expect(store.writes).toHaveLength(2);
    expect(of(ONE)).toEqual(REFUSED);
    time.now = NOW + 30;
    mark(TWO, USABLE);
    await states.idle();
    expect(store.writes).toHaveLength(2);
  });

  it.each<[string, CredentialState, CredentialState, CredentialState]>([
    ['a refused credential that is accepted is usable', REFUSED, USABLE, USABLE],
    ['a refused one that is not paid for is set aside for that', REFUSED, UNPAID, UNPAID],
    ['a limit says nothing good of a refused one', REFUSED, resting(NOW + 9), REFUSED],
    ['a resting one that is refused is set aside', resting(NOW + 9), REFUSED, REFUSED],
    ['a longer rest counts', resting(NOW + 9), resting(NOW + 10), resting(NOW + 10)],
    ['a shorter one does not', resting(NOW + 9), resting(NOW + 8), resting(NOW + 9)],
    ['what was under way when a rest began does not end it', resting(NOW + 9), USABLE, resting(NOW + 9)],
  ])('%s', async (_, before, marked, after) => {
    const { store, states, mark, of } = await setUp();
    mark(ONE, before);
    mark(ONE, marked);
    expect(of(ONE)).toEqual(after);
    store.credentials = [{ id: ONE, provider: 'ai-tutor' }];
    const next = await restart(states, store);
    expect(next.of(ONE)).toEqual(after);
  });
});

describe('a rest', () => {
  it('ends by itself', async () => {
    const { time, mark, of } = await setUp();
    mark(ONE, resting(NOW + 10_000));
    time.now = NOW + 9_999;
    expect(of(ONE)).toEqual(resting(NOW + 10_000));
    time.now = NOW + 10_000;
    expect(of(ONE)).toEqual(USABLE);
    mark(ONE, resting(NOW + 20_000));
    expect(of(ONE)).toEqual(resting(NOW + 20_000));
  });
});

describe('a storm of marks', () => {
  it('is one write at a time for a credential, and the last state stays', async () => {
    const { store, states, mark, of } = await setUp();
    const goOn = store.holdWrites();
    for (let i = 0; i < 10_000; i++) mark(ONE, i % 2 === 0 ? { ...REFUSED, at: NOW + i } : USABLE);
    expect(of(ONE)).toEqual(USABLE);
    mark(ONE, UNPAID);
    goOn();
    await states.idle();
    expect(store.writes).toHaveLength(2);
    expect(store.atOnceMax).toBe(1);
    expect([...store.rows.values()]).toMatchObject([{ code: 'upstream_payment_required' }]);
  });

  it('goes on while its writes are under way, and is not lost between two of them', async () => {
    const { store, states, mark, of } = await setUp();
    for (let i = 0; i < 500; i++) {
      mark(ONE, i % 2 === 0 ? REFUSED : USABLE);
      for (let turns = 0; turns < i % 7; turns++) await Promise.resolve();
    }
    mark(ONE, UNPAID);
    expect(of(ONE)).toEqual(UNPAID);
    await states.idle();
    expect(store.atOnceMax).toBe(1);
    expect([...store.rows.values()]).toMatchObject([{ code: 'upstream_payment_required' }]);
  });

  it('of successes writes nothing', async () => {
    const { store, states, mark } = await setUp();
    for (let i = 0; i < 10_000; i++) mark(ONE, USABLE);
    await states.idle();
    expect(store.writes).toEqual([]);
  });
});

describe('a rest that was begun while the clock was ahead', () => {
  it('counts for nothing, and gives way to one that is true', async () => {
    const { mark, of } = await setUp();
    mark(ONE, resting(NOW + 86_400_001));
    expect(of(ONE)).toEqual(USABLE);
    mark(ONE, resting(NOW + 9));
    expect(of(ONE)).toEqual(resting(NOW + 9));
  });

  it('ends with the correction of the clock, also in the next process', async () => {
    const { store, states, time, mark, of } = await setUp();
    mark(ONE, resting(NOW + 30_000));
    time.now -= 3_600_000;
    expect(of(ONE)).toEqual(USABLE);
    const next = { now: time.now };
    await states.idle();
    const parts = { store, clock: { now: () => next.now }, log: { warn: () => undefined } };
    expect((await openCredentialStates(parts, 'command')).of('ai-tutor', ONE)).toEqual(USABLE);
    mark(ONE, USABLE);
    time.now += 3_600_000;
    expect(of(ONE)).toEqual(USABLE);
    mark(ONE, resting(time.now + 9));
    expect(of(ONE)).toEqual(resting(time.now + 9));
  });
});

describe('a write that fails', () => {
  it('is logged once, counts all the same, and is tried again with the next mark', async () => {
    const { store, states, logged, mark, of } = await setUp();
    store.fault = new Error('disk full');
    mark(ONE, REFUSED);
    await states.idle();
    await states.idle();
    expect(of(ONE)).toEqual(REFUSED);
    const faults = logged.filter(({ fields }) => 'err' in fields);
    expect(faults).toMatchObject([{ fields: { provider: 'ai-tutor', credential: ONE, err: store.fault } }]);
    store.fault = null;
    mark(TWO, USABLE);
    await new Promise((resolve) => setImmediate(resolve));
    expect([...store.rows.values()]).toEqual([row(ONE)]);
    const before = store.writes.length;
    mark(TWO, USABLE);
    await states.idle();
    expect(store.writes).toHaveLength(before);
  });

  it('is written as it is by then', async () => {
    const { store, states, mark, of } = await setUp();
    store.write(row(ONE));
    await states.refresh();
    store.fault = new Error('disk full');
    mark(ONE, USABLE);
    await states.idle();
    expect(of(ONE)).toEqual(USABLE);
    mark(ONE, UNPAID);
    store.fault = null;
    await states.idle();
    expect([...store.rows.values()]).toMatchObject([{ code: 'upstream_payment_required' }]);
  });

  it('is told to whoever wrote on purpose', async () => {
    const { store, states, of } = await setUp();
    store.fault = new Error('disk full');
    await expect(states.put('ai-tutor', ONE, REFUSED)).rejects.toThrow('disk full');
    expect(of(ONE)).toEqual(REFUSED);
    store.fault = null;
    await states.put('ai-tutor', ONE, USABLE);
    expect(of(ONE)).toEqual(USABLE);
  });
});

describe('a refresh', () => {
  it('takes over what another process wrote', async () => {
    const { store, states, mark, of } = await setUp();
    mark(ONE, REFUSED);
    await states.idle();
    store.erase('ai-tutor', ONE);
    store.write(row(TWO, { state: 'resting', code: null, until: NOW + 10 }));
    expect(of(ONE)).toEqual(REFUSED);
    await states.refresh();
    expect(of(ONE)).toEqual(USABLE);
    expect(of(TWO)).toEqual(resting(NOW + 10));
  });

  it.each([0, 1, 2, 10])('does not undo what was marked while it read, %i turns after it began', async (turns) => {
    const { store, states, mark, of } = await setUp();
    store.write(row(TWO));
    await states.refresh();
    const goOn = store.holdReads();
    const refreshed = states.refresh();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    mark(ONE, REFUSED);
    mark(TWO, USABLE);
    await states.idle();
    goOn();
    await refreshed;
    expect(of(ONE)).toEqual(REFUSED);
    expect(of(TWO)).toEqual(USABLE);
  });

  it('does not undo what could not be written', async () => {
    const { store, states, mark, of } = await setUp();
    const { putState } = store;
    store.putState = async () => {
      throw new Error('disk full');
    };
    mark(ONE, REFUSED);
    await states.idle();
    await states.refresh();
    expect(of(ONE)).toEqual(REFUSED);
    store.putState = putState;
    await states.idle();
    expect([...store.rows.values()]).toEqual([row(ONE)]);
  });

  it('ends with what the store has, when another process mended what was being marked', async () => {
    const { store, states, mark, of } = await setUp();
    const goOn = store.holdReads();
    const refreshed = states.refresh();
    mark(ONE, REFUSED);
    await states.idle();
    store.erase('ai-tutor', ONE);
    goOn();
    await refreshed;
    expect(of(ONE)).toEqual(USABLE);
  });

  it('that is asked for while one is under way reads once more', async () => {
    const { store, states, of } = await setUp();
    const goOn = store.holdReads();
    const first = states.refresh();
    store.write(row(ONE));
    const others = [states.refresh(), states.refresh()];
    goOn();
    await Promise.all([first, ...others]);
    expect(of(ONE)).toEqual(REFUSED);
  });

  it('that fails leaves what is known, does not reject, and is logged once', async () => {
    const { store, states, logged, mark, of } = await setUp();
    mark(ONE, REFUSED);
    await states.idle();
    store.fault = new Error('disk gone');
    for (let i = 0; i < 3; i++) await states.refresh();
    expect(of(ONE)).toEqual(REFUSED);
    expect(logged.filter(({ fields }) => 'err' in fields)).toMatchObject([{ fields: { err: store.fault } }]);
    store.fault = null;
    store.erase('ai-tutor', ONE);
    await states.refresh();
    expect(of(ONE)).toEqual(USABLE);
  });
});

describe('the opening', () => {
  function filled(): HeldStateStore {
    const store = heldStateStore();
    store.credentials = [
      { id: ONE, provider: 'ai-tutor' },
      { id: TWO, provider: 'ai-tutor' },
    ];
    store.write(row(ONE));
    store.write(row(TWO, { state: 'resting', code: null, until: NOW - 1 }));
    store.write(row(`cred_${'3'.repeat(26)}`));
    store.write(row(ONE, { provider: 'b3os' }));
    store.write(row('env:A'));
    store.write(row('env:B', { state: 'resting', code: null, until: NOW + 60_000 }));
    return store;
  }

  it('by a server forgets what nothing vouches for any more', async () => {
    const { store, states, of } = await setUp(filled());
    expect(of(ONE)).toEqual(REFUSED);
    expect(of('env:A')).toEqual(USABLE);
    expect(of('env:B')).toEqual(USABLE);
    expect([...store.rows.values()]).toEqual([row(ONE)]);
    await states.refresh();
    expect(of('env:A')).toEqual(USABLE);
  });

  it('by a command changes nothing', async () => {
    const { store, of } = await setUp(filled(), 'command');
    expect(of('env:A')).toEqual(REFUSED);
    expect(of('env:B')).toEqual(resting(NOW + 60_000));
    expect(store.writes).toEqual([]);
  });

  it('is not prevented by a store that takes no writes', async () => {
    const store = filled();
    const { putState } = store;
    store.putState = async () => {
      throw new Error('disk full');
    };
    const { states, mark, of } = await setUp(store);
    await states.refresh();
    expect(of('env:A')).toEqual(USABLE);
    store.putState = putState;
    mark(ONE, USABLE);
    await states.idle();
    expect(store.rows.size).toBe(0);
  });

  it('keeps a code that a later version may have written as a refusal', async () => {
    const store = filled();
    store.write(row(ONE, { code: 'upstream_unheard_of' }));
    const { of } = await setUp(store);
    expect(of(ONE)).toEqual(REFUSED);
  });
});

describe('a credential that was removed', () => {
  it('is forgotten, wherever it was known', async () => {
    const { store, states, mark, of } = await setUp();
    const goOn = store.holdWrites();
    mark(ONE, REFUSED);
    states.forget(ONE);
    expect(of(ONE)).toEqual(USABLE);
    goOn();
    await states.idle();
    expect(store.rows.size).toBe(0);
  });
});
