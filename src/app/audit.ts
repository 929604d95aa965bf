import { userInfo } from 'node:os';
import { ConfigError } from '../config/config-error.ts';
import type { Actor, AuditStore } from '../core/audit.ts';
import type { Audited } from '../core/audited.ts';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';

/** What the server does by itself. */
export const SERVER: Actor = { type: 'server', id: null, from: null, requestId: null };

/** Whoever runs this command, by the operating system's name for them. */
export function commandActor(): Actor {
  return { type: 'command', id: userName(), from: null, requestId: null };
}

/** A container may run as a number that has no name. */
function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    return process.getuid === undefined ? null : `uid ${process.getuid()}`;
  }
}

export interface AuditedParts {
  store: Pick<AuditStore, 'append'>;
  clock: Pick<Clock, 'now'>;
  log: Pick<Log, 'error'>;
}

/** Makes what writes the audit log ahead of each deed. */
export function createAudited({ store, clock, log }: AuditedParts): Audited {
  return async (deed, work) => {
    await store.append({ ...deed, at: clock.now(), outcome: 'begun' });
    try {
      return await work();
    } catch (error) {
      const details = { ...deed.details, error: codeOf(error) };
      await store.append({ ...deed, at: clock.now(), outcome: 'failed', details }).catch((err: unknown) => {
        // The first entry stands, and so says more than happened; the deed's own fault is what the caller is to hear.
        log.error({ err, action: deed.action }, 'the audit log could not be told that something failed');
      });
      throw error;
    }
  };
}

function codeOf(error: unknown): string {
  if (error instanceof GatewayError) return error.code;
  return error instanceof ConfigError ? 'invalid_configuration' : 'internal';
}
