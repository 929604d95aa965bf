/**
 * `npm run bench:keys`: what it costs to know who asks, in this process, over a real store: a key check with 10 and with
 * 100,000 keys, and whether the time of a refusal tells a wrong secret of a known key from an unknown key, or a token of a
 * known signing key from one of an unknown one. `--keys N`, `--rounds N`.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { drawKeyParts, formatKey } from '../src/access/key-format.ts';
import { createKey, createKeyVerifier } from '../src/access/keys.ts';
import { createSigningKeys } from '../src/access/signing-keys.ts';
import { createTokens } from '../src/access/tokens.ts';
import { systemClock } from '../src/core/clock.ts';
import { createSystemRandom } from '../src/core/random.ts';
import { Secret } from '../src/core/secret.ts';
import { openStore, type Store } from '../src/store/open-store.ts';
import { reportChecks, type Check } from '../test/support/processes/checks.ts';
import { compareMedians, medianOf, type Difference } from './support/compare-medians.ts';

/** Nobody wants to know when keys are used. */
const use = { note: () => {} };

const { values } = parseArgs({ options: { keys: { type: 'string' }, rounds: { type: 'string' } } });
const MANY = Number(values.keys ?? 100_000);
const ROUNDS = Number(values.rounds ?? 400);
const FEW = 10;
const BATCH = 50;
const CHECKS = 20_000;
/** Beyond both, a difference is one that somebody might see from outside. */
const DIFFERENCE_US_MAX = 1;
const DIFFERENCE_SHARE_MAX = 0.05;
/** Of keys that are in use: the verifier knows them, however many others there are. Shared machines are noisy. */
const RATIO_MAX = 1.6;
/** Of keys that it does not know: their table has outgrown the reader's cache, and the system has its pages. */
const COLD_RATIO_MAX = 3;

const clock = systemClock;
const random = createSystemRandom();
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };

/** A store with so many keys, and those keys. */
async function openFilled(directory: string, count: number): Promise<{ store: Store; clientKeys: string[] }> {
  const store = await openStore({
    url: `sqlite:${join(directory, `${count}.db`)}`,
    role: 'serve',
    clock,
    log,
  });
  const clientKeys: string[] = [];
  const wanted = { role: 'runs', allowedWorkflows: ['summarize'], allowedProviders: [], expiresAt: null } as const;
  while (clientKeys.length < count) {
    const made = Array.from({ length: Math.min(1_000, count - clientKeys.length) }, (_, i) =>
      createKey({ ...wanted, name: `key ${clientKeys.length + i}` }, { clock, random }),
    );
    await Promise.all(made.map(({ stored }) => store.keys.insert(stored)));
    clientKeys.push(...made.map(({ key }) => key.open()));
  }
  return { store, clientKeys };
}

/** Microseconds of this process for one check, the median of several runs. `forget`: the verifier knows nothing before each. */
async function costOf(store: Store, clientKeys: readonly string[], forget: boolean): Promise<number> {
  const shuffled = clientKeys.toSorted(() => Math.random() - 0.5);
  const runs: number[] = [];
  for (let run = 0; run < 5; run++) {
    let verifier = createKeyVerifier({ keys: store.keys, use, clock });
    const before = process.cpuUsage();
    for (let i = 0; i < CHECKS; i++) {
      if (forget && i % clientKeys.length === 0) verifier = createKeyVerifier({ keys: store.keys, use, clock });
      await verifier.verify(shuffled[i % shuffled.length] ?? '');
    }
    const { user, system } = process.cpuUsage(before);
    runs.push((user + system) / CHECKS);
  }
  return medianOf(runs);
}

/** Microseconds a refusal, batches of both kinds by turns. */
async function compareRefusals(
  verify: (text: string) => Promise<unknown>,
  draw: () => readonly [() => string, () => string],
): Promise<Difference> {
  const refuse = async (texts: readonly string[]) => {
    const begun = process.hrtime.bigint();
    for (const text of texts) await verify(text).catch(quiet);
    return Number(process.hrtime.bigint() - begun) / 1000 / texts.length;
  };
  const times: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    const texts = draw().map((make) => Array.from({ length: BATCH }, make));
    // What comes first in a pair changes, so that whatever the one leaves behind helps both alike.
    for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) times[i as 0 | 1].push(await refuse(texts[i] ?? []));
  }
  // The first rounds warm up.
  const from = Math.floor(ROUNDS / 10);
  return compareMedians(times[0].slice(from), times[1].slice(from));
}

function judgeDifference(name: string, { medians, interval: [low, high] }: Difference): Check {
  const bound = Math.max(DIFFERENCE_US_MAX, medians[0] * DIFFERENCE_SHARE_MAX);
  const detail =
    `${medians[0].toFixed(2)} and ${medians[1].toFixed(2)} µs, ` +
    `difference ${low.toFixed(2)} to ${high.toFixed(2)} µs with 99 % confidence, bound ${bound.toFixed(2)} µs`;
  return { name, detail, faults: low > bound || high < -bound ? ['the times differ'] : [] };
}

function judgeRatio(name: string, [few, many]: readonly [number, number], bound: number): Check {
  const ratio = many / few;
  const detail = `${few.toFixed(2)} and ${many.toFixed(2)} µs of CPU, ratio ${ratio.toFixed(2)}, bound ${bound}`;
  return { name, detail, faults: ratio > bound ? [`a check costs ${ratio.toFixed(2)} times as much`] : [] };
}

/** As somebody would go about it who wants to know whether there is a key of an id: again and again with that id. */
async function compareKeys(store: Store, clientKeys: readonly string[]): Promise<Check> {
  const verifier = createKeyVerifier({ keys: store.keys, use, clock });
  const withId = (id: string) => () => formatKey({ id, secret: drawKeyParts(random).secret });
  const known = clientKeys.map((key) => key.split('_')[1] ?? '');
  // Somebody who has a key is using it.
  await verifier.verify(clientKeys[0] ?? '');
  let round = 0;
  const draw = () => [withId(known[round++ % known.length] ?? ''), withId(drawKeyParts(random).id)] as const;
  const difference = await compareRefusals((text) => verifier.verify(text), draw);
  return judgeDifference('a wrong secret and an unknown key are refused alike', difference);
}

async function compareTokens(store: Store, key: string): Promise<Check> {
  const keys = createKeyVerifier({ keys: store.keys, use, clock });
  // Sealing has no part in this: secrets are open once they were read.
  const box = {
    seal: <T>(_id: string, secret: Secret, put: (sealed: Uint8Array) => Promise<T>) => put(Buffer.from(secret.open())),
    open: async (_id: string, sealed: Uint8Array) => new Secret(Buffer.from(sealed).toString()),
  };
  const signingKeys = createSigningKeys({ store: store.signingKeys, box, clock, random });
  const tokens = createTokens({ keys, signingKeys, configuredOrigins: () => new Set(), clock, random });
  const wanted = { workflows: ['summarize'], origin: null, subject: null, runsMax: null, ttlS: 600 };
  const { token } = await tokens.issue(await keys.verify(key), wanted);
  const [head = '', claims = ''] = token.open().slice(4).split('.');
  const { kid, ...rest } = JSON.parse(Buffer.from(head, 'base64url').toString()) as { kid: string };
  const forged = (id: string) => {
    const signature = Buffer.from(random.bytes(32)).toString('base64url');
    return `rgt_${Buffer.from(JSON.stringify({ ...rest, kid: id })).toString('base64url')}.${claims}.${signature}`;
  };
  const madeUp = () => `sgn_${Buffer.from(random.bytes(10)).toString('hex')}`;
  const draw = () => [() => forged(kid), () => forged(madeUp())] as const;
  const difference = await compareRefusals((text) => tokens.verify(text), draw);
  return judgeDifference('tokens of a known and of an unknown signing key are refused alike', difference);
}

const directory = mkdtempSync(join(tmpdir(), 'rungate-bench-'));
const checks: Check[] = [];
try {
  const few = await openFilled(directory, FEW);
  const many = await openFilled(directory, MANY);
  const some = many.clientKeys.slice(0, FEW);
  const inUse = [await costOf(few.store, few.clientKeys, false), await costOf(many.store, some, false)] as const;
  const cold = [
    await costOf(few.store, few.clientKeys, true),
    await costOf(many.store, many.clientKeys.slice(0, CHECKS), true),
  ] as const;
  const stores = `${FEW} and ${MANY} keys in the store`;
  checks.push(
    judgeRatio(`a check of a key in use, ${stores}`, inUse, RATIO_MAX),
    judgeRatio(`a check of a key that was not used lately, ${stores}`, cold, COLD_RATIO_MAX),
  );
  const everywhere = await costOf(many.store, many.clientKeys, false);
  console.log(`requests of all ${MANY} keys by turns: ${everywhere.toFixed(2)} µs of CPU a check`);
  checks.push(
    await compareKeys(many.store, many.clientKeys.slice(0, ROUNDS)),
    await compareTokens(few.store, few.clientKeys[0] ?? ''),
  );
  await Promise.all([few.store.close(), many.store.close()]);
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const { text, failed } = reportChecks(checks);
console.log(text);
process.exitCode = failed === 0 ? 0 : 1;
