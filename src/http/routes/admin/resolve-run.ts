import * as z from 'zod';
import { NOTE_LENGTH_MAX } from '../../../runs/record-resolution.ts';
import { actorOf } from '../../actor-of.ts';
import type { AdminAppParts } from '../../admin-parts.ts';
import { sendRun } from '../../answer-run.ts';
import type { App } from '../../app.ts';
import type { Operation } from '../../openapi/operation.ts';
import { runSchema } from '../../schemas/run-answer.ts';
import { runIdOf, runPathSchema } from '../../schemas/run-path.ts';

const bodySchema = z.strictObject({
  as: z.enum(['succeeded', 'failed']).meta({ description: 'What the vendor shows.' }),
  note: z
    .string()
    .min(1)
    .max(NOTE_LENGTH_MAX)
    .meta({ description: 'How you know, on one line; it is shown with the run.' }),
  force: z.boolean().default(false).meta({ description: 'Replaces what was recorded before.' }),
});

const operation: Operation = {
  id: 'resolveRun',
  tag: 'Runs',
  summary: 'Record what became of a run',
  description:
    'For a run that ended as `outcome_unknown`: what you found out at the vendor. Its status, error and events stay; `resolution` is shown with it.',
  examples: { seen: { summary: 'It did run', value: { as: 'succeeded', note: 'seen in the vendor’s log as run 42' } } },
  answers: { 200: { description: 'The run with its resolution.', schema: runSchema } },
  errors: ['not_found', 'unsupported_operation'],
};

/** `POST /admin/runs/{id}/resolve`: what `rungate runs resolve` does. */
export function addResolveRun(app: App, { resolveRun }: Pick<AdminAppParts, 'resolveRun'>): void {
  app.post(
    '/admin/runs/:id/resolve',
    { config: { roles: ['admin'], operation }, schema: { params: runPathSchema, body: bodySchema } },
    async (request, reply) => {
      const run = await resolveRun(runIdOf(request.params), request.body, actorOf(request));
      sendRun(reply, run, { showKey: true });
      return reply;
    },
  );
}
