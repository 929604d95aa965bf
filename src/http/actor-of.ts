import type { FastifyRequest } from 'fastify';
import type { Actor } from '../core/audit.ts';
import { callerOf } from './app.ts';

/** Who asks, for the audit log. The address is the connection's own: no header can change it. */
export function actorOf(request: FastifyRequest): Actor {
  const { keyId, token } = callerOf(request);
  return { type: token === null ? 'key' : 'token', id: keyId, from: request.ip, requestId: request.id };
}
