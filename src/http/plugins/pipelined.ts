import type { Socket } from 'node:net';
import type { App, AppParts } from '../app.ts';
import { addBeforeRouting } from './before-routing.ts';

/** Requests of one connection that may wait for the answers before theirs; browsers and clients of our days send none ahead. */
export const PIPELINED_MAX = 16;

/**
 * Closes a connection that sends further requests far ahead of its answers. Node takes them in as long as the answers are
 * small, and answers in order, so that behind one that is held there could be any number of them: the bound of the
 * connections would bound nothing.
 */
export function addPipelineBound(app: App, { log }: Pick<AppParts, 'log'>): void {
  const ahead = new WeakMap<Socket, number>();

  addBeforeRouting(app, ({ socket }, response) => {
    // A response has its socket at once, unless another of the same connection is not yet written.
    if (response.socket !== null) return false;
    const count = (ahead.get(socket) ?? 0) + 1;
    ahead.set(socket, count);
    if (count > PIPELINED_MAX) {
      if (!socket.destroyed) log.info({}, 'connection closed: it sent requests far ahead of its answers');
      socket.destroy();
      return true;
    }
    response.once('close', () => ahead.set(socket, (ahead.get(socket) ?? 1) - 1));
    return false;
  });
}
