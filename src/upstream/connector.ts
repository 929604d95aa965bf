import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { connect as connectTcp, isIP, type LookupFunction, type Socket, type TcpNetConnectOpts } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { buildConnector } from 'undici';
import type { Clock } from '../core/clock.ts';
import { OutboundError, type OutboundFailure } from '../core/outbound.ts';
import type { AddressGuard } from './guard.ts';

export type Connect = buildConnector.connector;

/** The part of `dns.lookup` that is used; tests put in their own answers. */
export type ResolveAll = (
  hostname: string,
  options: { all: true; hints?: number; family?: number | 'IPv4' | 'IPv6' },
  done: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

interface ConnectorParts {
  clock: Clock;
  guard: AddressGuard;
  /** DNS, TCP and TLS together. */
  connectTimeoutMs: number;
  resolve?: ResolveAll | undefined;
  /** Aborted on shutdown: connections that are still being made are given up. */
  closing: AbortSignal;
}

const KEEP_ALIVE_PROBE_MS = 60_000;
/** How long one of several addresses is tried before the next; Node's 250 ms are too short for a far vendor. */
const ATTEMPT_TIMEOUT_MS = 1_000;

/**
 * Opens the sockets of one origin. What the guard checked is what is connected to: the socket gets its addresses
 * from the very lookup that was checked. HTTP/1.1 only, because there it is certain which bytes of a request left.
 * Fails with an `OutboundError` that names the phase (`dns`, `connect`, `tls`, `forbidden_address`); `sent` is false.
 */
export function createConnector(parts: ConnectorParts): Connect {
  let session: Buffer | undefined;
  return (options, done) => {
    const { hostname, protocol } = options;
    const secure = protocol === 'https:';
    const port = options.port === '' ? (secure ? 443 : 80) : Number(options.port);
    const literal = isIP(hostname) !== 0;
    const refusal = literal ? parts.guard.refusal(hostname, port, false) : null;
    if (refusal !== null) {
      process.nextTick(done, forbidden(refusal), null);
      return;
    }
    let phase: OutboundFailure = literal ? 'connect' : 'dns';
    const lookup = guardedLookup(parts, port, () => (phase = 'connect'));
    const address = { host: hostname, port, lookup, autoSelectFamilyAttemptTimeout: ATTEMPT_TIMEOUT_MS };
    const socket = secure ? openTls(address, session) : connectTcp(address);
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_PROBE_MS);
    if (secure) {
      socket.once('connect', () => (phase = 'tls'));
      socket.on('session', (fresh: Buffer) => (session = fresh));
    }
    const ready = secure ? 'secureConnect' : 'connect';
    awaitSocket({ socket, ready, parts, phase: () => phase }, done);
  };
}

/** Calls back once: with the socket, or with what went wrong and where. */
function awaitSocket(
  {
    socket,
    ready,
    parts,
    phase,
  }: { socket: Socket; ready: string; parts: ConnectorParts; phase: () => OutboundFailure },
  done: buildConnector.Callback,
): void {
  let waiting = true;
  const cancelTimeout = parts.clock.after(parts.connectTimeoutMs, () => socket.destroy(new Error('connect timeout')));
  const giveUp = () => socket.destroy(new Error('shutting down'));
  const settle = () => {
    waiting = false;
    cancelTimeout();
    parts.closing.removeEventListener('abort', giveUp);
  };
  parts.closing.addEventListener('abort', giveUp);
  const fail = (cause: Error) => {
    if (!waiting) return;
    settle();
    done(cause instanceof OutboundError ? cause : new OutboundError(phase(), { sent: false, cause }), null);
  };
  // Stays on the socket: an error after undici let go of it must not end the process.
  socket.on('error', fail);
  socket.once('close', () => fail(new Error('closed while connecting')));
  socket.once(ready, () => {
    if (!waiting) return;
    settle();
    done(null, socket);
  });
}

/** `rejectUnauthorized` is spelt out so that no environment variable can switch verification off. */
function openTls(address: TcpNetConnectOpts, session: Buffer | undefined): Socket {
  return connectTls({
    ...address,
    servername: isIP(address.host ?? '') === 0 ? address.host : '',
    session,
    ALPNProtocols: ['http/1.1'],
    minVersion: 'TLSv1.2',
    rejectUnauthorized: true,
  });
}

/** Resolves all addresses of a name and refuses the name if one of them is refused: a mixed answer is an attack. */
function guardedLookup(
  { guard, resolve = dnsLookup }: ConnectorParts,
  port: number,
  resolved: () => void,
): LookupFunction {
  return (hostname, options, done) => {
    const hints = options.hints === undefined ? {} : { hints: options.hints };
    const family = options.family === undefined ? {} : { family: options.family };
    resolve(hostname, { ...hints, ...family, all: true }, (error, addresses) => {
      if (error !== null) return done(error, []);
      const first = addresses[0];
      if (first === undefined) return done(new Error('the name has no address'), []);
      for (const { address } of addresses) {
        const refusal = guard.refusal(address, port, true);
        if (refusal !== null) return done(forbidden(refusal), []);
      }
      resolved();
      if (options.all === true) done(null, addresses);
      else done(null, first.address, first.family);
    });
  };
}

function forbidden(refusal: string): OutboundError {
  return new OutboundError('forbidden_address', { sent: false, cause: new Error(`address refused: ${refusal}`) });
}
