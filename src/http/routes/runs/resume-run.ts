import { GatewayError } from '../../../core/errors.ts';
import type { App } from '../../app.ts';
import { runPathSchema } from '../../schemas/run-path.ts';

/** `POST /runs/{id}/resume`: refused before any I/O, because no kind of this version can do it. */
export function addResumeRun(app: App): void {
  app.post('/runs/:id/resume', { config: { roles: ['runs'] }, schema: { params: runPathSchema } }, () => {
    throw new GatewayError('unsupported_operation');
  });
}
