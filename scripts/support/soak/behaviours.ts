import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonObject } from '../../../src/core/json.ts';
import type { SeededRandom } from '../../../test/support/simulation/seeded-random.ts';
import type { SoakAnswer, SoakClient } from './soak-client.ts';
import { complain } from './tally.ts';

/** What one client does once. `body` is of a run that nobody has to answer; `asks` of one that waits for an answer. */
export interface Turn {
  client: SoakClient;
  body: JsonObject;
  asks: JsonObject;
  random: SeededRandom;
}

type Behaviour = (turn: Turn) => Promise<void>;

const EVENTS = { accept: 'text/event-stream' };
const ASYNC = { prefer: 'respond-async' };
const HOLD = { prefer: 'wait=30' };
const OPEN: readonly string[] = ['queued', 'running', 'cancelling'];
const LEAVE_MS_MAX = 800;
const CANCEL_MS_MAX = 500;
const COPIES = 3;
/** Who is told to come back later does. */
const LATER_MS = 200;

const post = ({ client, body }: Turn, headers: Record<string, string> = {}, signal?: AbortSignal) =>
  client.send({ method: 'POST', path: '/runs', body, headers, ...(signal === undefined ? {} : { signal }) });

/** Asks until the run has ended, or waits. */
async function follow(client: SoakClient, first: SoakAnswer | null): Promise<SoakAnswer | null> {
  let answer = first;
  while (answer?.runId && OPEN.includes(answer.is)) {
    answer = await client.send({ method: 'GET', path: `/runs/${answer.runId}`, headers: HOLD });
  }
  return answer;
}

const BEHAVIOURS: Readonly<Record<string, Behaviour>> = {
  async holds(turn) {
    const answer = await post(turn);
    if (answer?.is === 'overloaded') await sleep(LATER_MS);
  },

  async comesBack(turn) {
    await follow(turn.client, await post(turn, ASYNC));
  },

  async streams(turn) {
    await post(turn, EVENTS);
  },

  /** Joins a run that goes on already, and reads its events as a page. */
  async joins(turn) {
    const { client } = turn;
    const id = (await post(turn, ASYNC))?.runId;
    if (!id) return;
    await client.send({ method: 'GET', path: `/runs/${id}/events`, headers: EVENTS });
    await client.send({ method: 'GET', path: `/runs/${id}/events`, headers: { accept: 'application/json' } });
    await client.send({ method: 'GET', path: '/runs?limit=20' });
  },

  async leaves(turn) {
    const { body, random } = turn;
    const signal = AbortSignal.timeout(random.below(LEAVE_MS_MAX));
    const leaving = { ...turn, body: { ...body, on_disconnect: random.pick(['continue', 'cancel']) } };
    await post(leaving, random.chance(0.5) ? EVENTS : {}, signal);
  },

  async cancels(turn) {
    const { client, random } = turn;
    const id = (await post(turn, ASYNC))?.runId;
    if (!id) return;
    await sleep(random.below(CANCEL_MS_MAX));
    await follow(client, await client.send({ method: 'POST', path: `/runs/${id}/cancel` }));
  },

  /** Copies at once, and one afterwards: one run, unless it gave its key back. */
  async repeats(turn) {
    const { client, random } = turn;
    const key = { 'idempotency-key': `soak-${random.below(2 ** 31)}-${random.below(2 ** 31)}` };
    const copies = await Promise.all(Array.from({ length: COPIES }, () => post(turn, key)));
    const answers = [...copies, await post(turn, { ...key, ...ASYNC })].filter((answer) => answer !== null);
    const ids = new Set(answers.flatMap(({ runId }) => runId ?? []));
    if (ids.size > 1 && !answers.some(({ retryable }) => retryable)) {
      complain(client.tally, `one key, several runs: ${[...ids].join(', ')}`);
    }
  },

  /** A run that asks, and somebody who answers; where nobody may, it is cancelled, or it would wait for a week. */
  async answers({ client, asks }) {
    const first = await client.send({ method: 'POST', path: '/runs', body: asks, headers: HOLD });
    const waiting = await follow(client, first);
    if (waiting?.is !== 'waiting') return;
    const path = `/runs/${waiting.runId}`;
    const resumed = await client.send({ method: 'POST', path: `${path}/resume`, body: { inputs: { city: 'Lyon' } } });
    const last = await follow(client, resumed);
    if (last === null || last.status >= 400 || last.is === 'waiting') {
      await client.send({ method: 'POST', path: `${path}/cancel` });
    }
  },
};

const WEIGHTS = { holds: 30, comesBack: 15, streams: 20, joins: 5, leaves: 10, cancels: 8, repeats: 8, answers: 4 };

/** Does one thing, by chance. */
export async function takeTurn(turn: Turn): Promise<void> {
  await BEHAVIOURS[turn.random.weigh(WEIGHTS)]?.(turn);
}
