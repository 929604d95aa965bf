import { errorBody } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import type { Examples } from '../openapi/operation.ts';
import { EXAMPLE_RUN_ID } from './parts.ts';

const SUCCEEDED = {
  id: EXAMPLE_RUN_ID,
  object: 'run',
  status: 'succeeded',
  provider: 'ai-tutor',
  workflow: 'wf_abc123',
  subject: null,
  inputs: { story: 'a fox and a gateway' },
  output: { text: 'Once upon a time, a fox found a gateway.', data: { result: 'Once upon a time, …' }, citations: [] },
  error: null,
  waiting: null,
  partial: false,
  upstream: {
    workflow_id: 'wf_abc123',
    run_id: null,
    status: null,
    request_id: null,
    stopped: null,
    poll_error: null,
    rate_limit: { limit: 100, remaining: 99, reset: null, observed_at: '2026-01-31T12:00:02.480Z' },
  },
  attempts: [
    {
      step: 'start',
      provider: 'ai-tutor',
      workflow: 'wf_abc123',
      credential: 'cred_01k9zp0000000000000000000a',
      error_code: null,
      at: '2026-01-31T12:00:00.012Z',
    },
  ],
  resolution: null,
  metadata: { order: '1001' },
  tags: ['story'],
  created_at: '2026-01-31T12:00:00.010Z',
  started_at: '2026-01-31T12:00:00.012Z',
  finished_at: '2026-01-31T12:00:02.480Z',
  deadline_at: '2026-01-31T12:05:30.010Z',
} satisfies JsonObject;

const RUNNING = { ...SUCCEEDED, status: 'running', output: null, finished_at: null } satisfies JsonObject;

const WAITING = {
  ...RUNNING,
  status: 'waiting',
  provider: 'interactly',
  waiting: { for: 'input', hint: { message: 'Which of the two orders?' } },
} satisfies JsonObject;

const FAILED = {
  ...SUCCEEDED,
  status: 'failed',
  output: null,
  error: { ...errorBody('workflow_failed', { provider: 'ai-tutor', runId: EXAMPLE_RUN_ID }) } as unknown as JsonObject,
} satisfies JsonObject;

/** Answers that are a run, by what became of it. */
export const RUN_EXAMPLES = {
  succeeded: { summary: 'It succeeded', value: SUCCEEDED },
  failed: { summary: 'The vendor ran it, and it failed', value: FAILED },
  waiting: { summary: 'It needs somebody', value: WAITING },
  running: { summary: 'It is still going', value: RUNNING },
  cancelling: { summary: 'The vendor is being asked', value: { ...RUNNING, status: 'cancelling' } },
  cancelled: { summary: 'It was cancelled', value: { ...SUCCEEDED, status: 'cancelled', output: null } },
} as const satisfies Examples;

const { inputs: _, output: __, ...LISTED } = SUCCEEDED;

export const RUN_PAGE_EXAMPLES = {
  page: { summary: 'A page of one', value: { data: [LISTED], next_cursor: null } },
} as const satisfies Examples;
