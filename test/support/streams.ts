import { eventsOf, openEvents, type ClientRequest, type EventClient } from './event-client.ts';
import type { TestGateway } from './gateway.ts';

/** What a stream showed, in the contract's words. */
export interface SeenEvent {
  run_id: string;
  seq: number;
  type: string;
  at: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests look into data of every shape
  data: any;
}

type Reachable = Pick<TestGateway, 'url' | 'authorization'>;

/** The ends of a run, as events. */
const END = /^run\.(succeeded|failed|cancelled|timed_out)$/;

/** A request of the test's own key on a raw socket, wanting a stream where nothing else is said. */
export function openAt(gateway: Reachable, { headers, ...request }: ClientRequest): EventClient {
  const { port } = new URL(gateway.url());
  return openEvents(Number(port), { ...request, headers: { authorization: gateway.authorization, ...headers } });
}

/** `POST /runs` that wants the run's events. */
export function beginStream(
  gateway: Reachable,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): EventClient {
  return openAt(gateway, { method: 'POST', path: '/runs', body, headers });
}

/** `GET /runs/{id}/events` as a stream. */
export function followRun(gateway: Reachable, id: string, headers: Readonly<Record<string, string>> = {}): EventClient {
  return openAt(gateway, { path: `/runs/${id}/events`, headers });
}

/** The whole events that came so far. */
export function seenBy(client: EventClient): SeenEvent[] {
  return eventsOf(client.text());
}

/** Every event of a stream that ends. */
export async function readToEnd(client: EventClient): Promise<SeenEvent[]> {
  await client.whole();
  return seenBy(client);
}

/** Resolves to the run's id once the head of a begun run's stream is there. */
export async function runIdOf(client: EventClient): Promise<string> {
  await client.until(() => client.header('location') !== null);
  return client.header('location')?.replace('/runs/', '') ?? '';
}

/** Resolves once an event of this type was seen. */
export async function untilType(client: EventClient, type: string): Promise<SeenEvent> {
  const find = () => seenBy(client).find((event) => event.type === type);
  await client.until(() => find() !== undefined);
  return find()!;
}

/** The pieces of output, put together. */
export function joinedDeltas(events: readonly SeenEvent[]): string {
  return events
    .filter(({ type }) => type === 'run.output.delta')
    .map(({ data }) => data.text as string)
    .join('');
}

export function isEnd({ type }: Pick<SeenEvent, 'type'>): boolean {
  return END.test(type);
}
