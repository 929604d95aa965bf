import type { FastifyReply } from 'fastify';
import type { OpenCalls } from '../access/open-calls.ts';
import type { EventReader, Following } from '../runs/run-service.ts';
import { callerOf } from './app.ts';
import { setServerTiming } from './reply.ts';

/** Proxies must hand it on as it comes, and nobody may keep it. */
const HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-store, no-transform',
  'x-accel-buffering': 'no',
} as const;
/** Some proxies let a head through only with the first byte of the body. */
const FIRST_COMMENT = ': open\n\n';
/** Who was cut off for reading slowly has this long to read what it was sent. */
const LAST_BYTES_MS = 5_000;
/** Whose key or token has ended must be gone within a second. */
const ENDED_BYTES_MS = 500;
const CALLER_ENDED = ': the key or token of this stream was revoked or has expired; its run goes on\n\n';

/**
 * An answer that is a stream of events. It is
 *
 *   unopened: nothing was sent, so the request may still be answered in another way;
 *   open:     the head was sent. It ends where the caller's key or token does;
 *   over:     it was ended by us, or the client has gone.
 *
 * Invariants: once it is over, whoever feeds it is told to stop, nothing more is written, and `onOver` is called, once.
 */
export interface EventStream extends EventReader {
  /** Sends the head and a first comment; the reply is no longer Fastify's. */
  open(): void;
  /** Takes what feeds the stream, which may have begun already. */
  follow(following: Following): void;
}

export interface EventStreamParts {
  openCalls: Pick<OpenCalls, 'hold'>;
  /** Is told whether the client left before we ended it. */
  onOver?: (how: 'ended' | 'left') => void;
}

/** Makes the stream of a reply. */
export function createEventStream(reply: FastifyReply, { openCalls, onOver }: EventStreamParts): EventStream {
  const { raw } = reply;
  let release: (() => void) | null = null;
  let following: Following | null = null;
  let drained = false;
  let over = false;

  function end(how: 'ended' | 'left'): void {
    if (over) return;
    over = true;
    release?.();
    following?.stop();
    onOver?.(how);
  }

  function open(): void {
    if (raw.headersSent) return;
    // Of the time to the head: what a vendor takes comes after it.
    setServerTiming(reply);
    reply.hijack();
    if (over) return;
    raw.writeHead(200, { ...reply.getHeaders(), ...HEAD } as Record<string, string>);
    raw.write(FIRST_COMMENT);
    release = openCalls.hold(callerOf(reply.request), () => {
      raw.write(CALLER_ENDED);
      end('ended');
      raw.end();
      destroyAfter(ENDED_BYTES_MS, reply);
    });
  }

  raw.once('close', () => end('left'));
  raw.on('drain', () => {
    drained = true;
    following?.drained();
  });
  // The client may have gone while the run was written or read.
  if (raw.destroyed) end('left');

  return {
    open,
    follow(given) {
      following = given;
      if (over) given.stop();
      else if (drained) given.drained();
    },
    write(frames) {
      if (over) return false;
      open();
      drained = false;
      // Node gathers what is written in one turn, and sends it together.
      return raw.write(frames);
    },
    close(reason) {
      if (over) return;
      open();
      end('ended');
      raw.end();
      if (reason === 'slow') destroyAfter(LAST_BYTES_MS, reply);
    },
  };
}

/** For a client that does not read what it was sent. */
function destroyAfter(ms: number, { raw }: FastifyReply): void {
  const timer = setTimeout(() => raw.destroy(), ms);
  timer.unref();
  raw.once('close', () => clearTimeout(timer));
}
