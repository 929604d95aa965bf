import { pause, systemClock } from '../../src/core/clock.ts';
import { dataLines, type EventClient } from './event-client.ts';
import { beginStream, followRun, isEnd, type SeenEvent } from './streams.ts';
import { reviveJson } from '../../src/core/json.ts';
import type { TestGateway } from './gateway.ts';

/** How a reader comes to its run: by beginning it, or by following one that has begun. */
type Beginning = { body: object; idempotencyKey: string } | { id: string };

/** A reader that comes back until it has seen its run's end, as a browser's `EventSource` does. */
export interface ReconnectingReader {
  /** The `data` lines as they came, over all connections. */
  lines(): readonly string[];
  events(): readonly SeenEvent[];
  id(): string | null;
  connections(): number;
  /** Connections that ended with a word on where to come back, and when. */
  goodbyes(): number;
  /** Connections that ended without one. */
  breaks(): number;
  /** Resolves once the end was seen; rejects where it is given up. */
  over: Promise<void>;
  stop(): void;
}

const RECONNECT_MS = 100;
const GOODBYE = /^: this gateway stops; come back with Last-Event-ID: (\d+)$/m;
const RETRY = /^retry: (\d+)$/m;

/** Begins (with a key, so that it may be sent again) or follows a run, and follows it to its end. */
export function readPatiently(
  gateway: Pick<TestGateway, 'url' | 'authorization'>,
  beginning: Beginning,
): ReconnectingReader {
  const lines: string[] = [];
  const events: SeenEvent[] = [];
  const counts = { connections: 0, goodbyes: 0, breaks: 0 };
  let id = 'id' in beginning ? beginning.id : null;
  const stopping = new AbortController();
  const { signal } = stopping;
  let client: EventClient | null = null;

  function open(): EventClient {
    const lastId = events.at(-1)?.seq;
    const resume: Record<string, string> = lastId === undefined ? {} : { 'last-event-id': String(lastId) };
    if (id !== null) return followRun(gateway, id, resume);
    if (!('body' in beginning)) throw new Error('there is nothing to follow');
    return beginStream(gateway, beginning.body, { 'idempotency-key': beginning.idempotencyKey });
  }
  /** Takes what is new; events are kept as they come, so that one that comes twice is seen. */
  function take(from: EventClient, taken: number): number {
    const all = dataLines(from.text());
    for (const line of all.slice(taken)) {
      lines.push(line);
      events.push(reviveJson<SeenEvent>(line));
    }
    return all.length;
  }
  async function readOnce(): Promise<number> {
    client = open();
    counts.connections += 1;
    let taken = 0;
    client.socket.on('data', () => {
      if (client?.status() === 200) taken = take(client, taken);
      id ??= client?.header('location')?.replace('/runs/', '') ?? null;
    });
    await Promise.race([client.whole().catch(() => undefined), client.closed]);
    client.leave();
    const text = client.text();
    const [, at] = GOODBYE.exec(text) ?? [];
    const retryMs = Number(RETRY.exec(text)?.[1] ?? Number.NaN);
    if (at === String(events.at(-1)?.seq) && retryMs > 0) counts.goodbyes += 1;
    else if (client.status() === 200) counts.breaks += 1;
    return retryMs > 0 ? retryMs : RECONNECT_MS;
  }
  async function readOn(): Promise<void> {
    while (!signal.aborted) {
      const retryMs = await readOnce();
      const last = events.at(-1);
      if (last !== undefined && isEnd(last)) return;
      await pause(systemClock, retryMs, signal);
    }
    throw new Error(`given up at event ${events.at(-1)?.seq ?? 0} of ${id ?? 'no run'}`);
  }
  const over = readOn();
  over.catch(() => undefined);
  return {
    lines: () => lines,
    events: () => events,
    id: () => id,
    connections: () => counts.connections,
    goodbyes: () => counts.goodbyes,
    breaks: () => counts.breaks,
    over,
    stop() {
      stopping.abort();
      client?.leave();
    },
  };
}
