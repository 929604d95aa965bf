import { Agent, request, type IncomingHttpHeaders } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { parseJson, isJsonObject, type JsonObject } from '../../../src/core/json.ts';

export interface ClientAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  body: JsonObject;
}

/** What a client knows after a call. */
export type Sent =
  | { is: 'answered'; answer: ClientAnswer }
  /** Nobody listened, so nothing was sent. */
  | { is: 'refused' }
  /** The connection broke, or gave no whole answer: nobody knows. */
  | { is: 'broken' };

export interface ClientRequest {
  method: 'GET' | 'POST';
  path: string;
  headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  body?: JsonObject;
}

/** A client of the runs API over kept connections, each of which carries one call at a time. */
export interface HttpClient extends Disposable {
  send(call: ClientRequest): Promise<Sent>;
  /** A call that must be answered. */
  ask(call: ClientRequest): Promise<ClientAnswer>;
}

/** Longer than any call is held. */
const ANSWER_TIMEOUT_MS = 90_000;

/** Opens at most `connections`; calls beyond them wait for one. */
export function createHttpClient({
  url,
  key,
  connections,
}: {
  url: string;
  key: string;
  connections: number;
}): HttpClient {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });

  async function send({ method, path, headers = {}, body }: ClientRequest): Promise<Sent> {
    const bytes = body === undefined ? null : Buffer.from(JSON.stringify(body));
    const sentHeaders = {
      ...headers,
      authorization: `Bearer ${key}`,
      ...(bytes === null ? {} : { 'content-type': 'application/json', 'content-length': String(bytes.length) }),
    };
    try {
      const answer = await new Promise<ClientAnswer>((resolve, reject) => {
        const outgoing = request(`${url}${path}`, { method, agent, headers: sentHeaders }, (incoming) => {
          buffer(incoming).then((text) => resolve(answerOf(incoming.statusCode ?? 0, incoming.headers, text)), reject);
        });
        outgoing.setTimeout(ANSWER_TIMEOUT_MS, () => outgoing.destroy(new Error('no answer in time')));
        outgoing.on('error', reject);
        outgoing.end(bytes);
      });
      return { is: 'answered', answer };
    } catch (error) {
      const refused = error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED';
      return { is: refused ? 'refused' : 'broken' };
    }
  }

  return {
    send,
    async ask(call) {
      const sent = await send(call);
      if (sent.is === 'answered') return sent.answer;
      throw new Error(`${call.method} ${call.path}: the connection was ${sent.is}`);
    },
    [Symbol.dispose]: () => agent.destroy(),
  };
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: Buffer): ClientAnswer {
  const parsed = parseJson(text);
  if (!parsed.ok || !isJsonObject(parsed.value)) throw new Error('the answer is no JSON object');
  return { status, headers, body: parsed.value };
}

/** The run that an answer names, in a run or in an envelope; null where it names none. */
export function runIdOf({ body }: ClientAnswer): string | null {
  const id = isJsonObject(body.error) && body.object !== 'run' ? body.error.run_id : body.id;
  return typeof id === 'string' ? id : null;
}

/** The envelope's code and promise; null where the answer is a run. */
export function refusalOf({ body }: ClientAnswer): { code: string; retryable: boolean } | null {
  if (body.object === 'run' || !isJsonObject(body.error)) return null;
  const { code, retryable } = body.error;
  return { code: typeof code === 'string' ? code : 'no code', retryable: retryable === true };
}
