import { text } from 'node:stream/consumers';
import type { Dispatcher, Pool } from 'undici';
import { isJsonObject, parseJson, type JsonObject } from '../../../src/core/json.ts';
import { complain, count, type Tally } from './tally.ts';

/** One answer that came whole. */
export interface SoakAnswer {
  status: number;
  /** The run that it names; null where it names none. */
  runId: string | null;
  /** A run's status, an error's code, or what else it is. */
  is: string;
  retryable: boolean;
  text: string;
}

export interface SoakCall {
  method: 'GET' | 'POST';
  path: string;
  body?: JsonObject;
  headers?: Readonly<Record<string, string>>;
  /** Aborted by a client that does not wait for the answer. */
  signal?: AbortSignal;
}

/** Codes that say that the gateway is at fault. */
const OWN_FAULTS: readonly string[] = ['internal', 'vault_unavailable', 'invalid_json', 'no_credential'];
const LAST_EVENT = /event: (run\.[a-z_.]+)\ndata: [^\n]*\n\n$/;

/** One key's way to the gateway; all that is answered goes into the tally. */
export class SoakClient {
  readonly #pool: Pool;
  readonly #authorization: string;
  readonly tally: Tally;

  constructor(pool: Pool, key: string, tally: Tally) {
    this.#pool = pool;
    this.#authorization = `Bearer ${key}`;
    this.tally = tally;
  }

  /** Null where the client left before the answer was whole; a connection that breaks otherwise is a fault. */
  async send({ method, path, body, headers = {}, signal }: SoakCall): Promise<SoakAnswer | null> {
    const { tally } = this;
    tally.calls++;
    try {
      const answer = await this.#pool.request({
        method,
        path,
        headers: {
          authorization: this.#authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
        ...(signal === undefined ? {} : { signal }),
      });
      const location = answer.headers.location;
      if (typeof location === 'string') tally.accepted.add(location.replace('/runs/', ''));
      return this.#read(answer.statusCode, answer.headers, await text(answer.body));
    } catch (error) {
      if (signal?.aborted === true) count(tally, 'left');
      else complain(tally, `${method} ${path.slice(0, 60)}: ${String(error)}`);
      return null;
    }
  }

  #read(status: number, headers: Dispatcher.ResponseData['headers'], body: string): SoakAnswer {
    const type = headers['content-type'];
    const stream = typeof type === 'string' && type.startsWith('text/event-stream');
    const answer = stream ? readStream(status, headers, body) : readDocument(status, body);
    count(this.tally, answer.is);
    if (answer.runId !== null) this.tally.accepted.add(answer.runId);
    if (OWN_FAULTS.includes(answer.is) || answer.is.startsWith('?')) {
      complain(this.tally, `HTTP ${status} ${answer.is}: ${body.slice(0, 200)}`);
    }
    return answer;
  }
}

function readStream(status: number, headers: Dispatcher.ResponseData['headers'], body: string): SoakAnswer {
  const type = LAST_EVENT.exec(body)?.[1];
  const { location } = headers;
  return {
    status,
    runId: typeof location === 'string' ? location.replace('/runs/', '') : null,
    is: type === undefined ? '? a stream that breaks off' : `stream to ${type}`,
    retryable: false,
    text: body,
  };
}

function readDocument(status: number, body: string): SoakAnswer {
  const parsed = parseJson(body);
  const document = parsed.ok && isJsonObject(parsed.value) ? parsed.value : null;
  if (document === null) return { status, runId: null, is: '? no JSON object', retryable: false, text: body };
  if (document.object !== 'run' && isJsonObject(document.error)) {
    const { code, run_id: runId, retryable } = document.error;
    const id = typeof runId === 'string' ? runId : null;
    const is = typeof code === 'string' ? code : '? an error without a code';
    return { status, runId: id, is, retryable: retryable === true, text: body };
  }
  const runId = document.object === 'run' && typeof document.id === 'string' ? document.id : null;
  // A run that gave its key back may be begun anew.
  const retryable = isJsonObject(document.error) && document.error.retryable === true;
  return { status, runId, is: typeof document.status === 'string' ? document.status : 'list', retryable, text: body };
}
