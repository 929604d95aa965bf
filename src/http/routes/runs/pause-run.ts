import { GatewayError } from '../../../core/errors.ts';
import type { App } from '../../app.ts';
import { runPathSchema } from '../../schemas/run-path.ts';

/** `POST /runs/{id}/pause`: refused before any I/O, because no kind of this version can do it. */
export function addPauseRun(app: App): void {
  app.post('/runs/:id/pause', { config: { roles: ['runs'] }, schema: { params: runPathSchema } }, () => {
    throw new GatewayError('unsupported_operation');
  });
}
