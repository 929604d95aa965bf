import * as z from 'zod';

export const aliveSchema = z.object({ status: z.literal('ok') });

export const unavailableSchema = z.object({
  status: z.literal('unavailable'),
  reasons: z.array(z.string()).meta({ description: 'Constant words: `draining`, `store`.' }),
});
