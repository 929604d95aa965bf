import { lookup } from 'node:dns/promises';
import type { ListenAddress } from '../config/load-settings.ts';
import type { Log } from '../core/log.ts';
import type { App } from '../http/app.ts';
import { classifyAddress } from '../core/addresses.ts';

/** For answers that are under way when the listeners close. */
const LAST_ANSWERS_MS = 2_000;
/** Of a host that there is not, or not here. */
const HOST_FAULTS: ReadonlySet<string> = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EADDRNOTAVAIL']);
const ADMIN_IS_REACHABLE =
  'the admin API can be reached from other machines: let nothing but a proxy with TLS and your own network reach it';

/** Answers under way get a moment; whoever has a connection open and says nothing must not hold the process up. */
export async function closeApp(app: App): Promise<void> {
  const cutOff = setTimeout(() => app.server.closeAllConnections(), LAST_ANSWERS_MS);
  await app.close();
  clearTimeout(cutOff);
}

/** Resolves to the origin, with the port that was really taken. Rejects, and says which setting names another address. */
export async function listen(app: App, { host, port }: ListenAddress, setting: string): Promise<string> {
  // After a restart all who follow a run come back at once; of more than wait here the system resets some. It may allow less.
  const backlog = app.server.maxConnections;
  try {
    // For `localhost` Fastify would listen at each of its addresses, at all but one with a server that knows none of our bounds.
    const { address } = await lookup(host, { order: 'ipv4first' });
    await app.listen({ host: address, port, backlog });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Of the two settings of a listener, the one that is at fault.
    const other = code !== undefined && HOST_FAULTS.has(code) ? setting.replace(/PORT$/, 'HOST') : setting;
    throw new Error(`cannot listen on ${host} port ${port} (${code ?? message}); ${other} sets another`, {
      cause: error,
    });
  }
  const bound = app.server.address();
  const taken = typeof bound === 'object' && bound ? bound.port : port;
  return `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
}

/** Warns where the admin API listens beyond this machine, by the address that was really taken: what a name stands for is the system's business. */
export function warnOfReach(adminApp: App, log: Log): void {
  const bound = adminApp.server.address();
  if (bound === null || typeof bound === 'string' || classifyAddress(bound.address) === 'loopback') return;
  log.warn({ address: bound.address }, ADMIN_IS_REACHABLE);
}
