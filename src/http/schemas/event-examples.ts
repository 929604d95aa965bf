import type { JsonObject } from '../../core/json.ts';
import type { Examples } from '../openapi/operation.ts';
import { RUN_EXAMPLES } from './run-examples.ts';

const { id: ID } = RUN_EXAMPLES.succeeded.value;
const AT = '2026-01-31T12:00:00.012Z';

const EVENTS = [
  { run_id: ID, seq: 1, type: 'run.created', at: '2026-01-31T12:00:00.010Z', data: {} },
  { run_id: ID, seq: 2, type: 'run.started', at: AT, data: {} },
  { run_id: ID, seq: 3, type: 'run.output.delta', at: '2026-01-31T12:00:01.200Z', data: { text: 'Once upon' } },
  {
    run_id: ID,
    seq: 4,
    type: 'run.succeeded',
    at: '2026-01-31T12:00:02.480Z',
    data: { run: RUN_EXAMPLES.succeeded.value },
  },
] satisfies JsonObject[];

export const EVENT_PAGE_EXAMPLES = {
  page: { summary: 'All events of a run', value: { data: EVENTS, next_cursor: null } },
} as const satisfies Examples;

export const EVENT_STREAM_EXAMPLES = {
  stream: {
    summary: 'A run from its beginning',
    value: EVENTS.map((event) => `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`).join(''),
  },
} as const satisfies Examples;
