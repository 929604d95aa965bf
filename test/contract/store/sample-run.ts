import type { Owner, RunId } from '../../../src/core/ids.ts';
import type { Run } from '../../../src/runs/model.ts';
import type { Change, NewRun } from '../../../src/runs/ports.ts';

const BEFORE_THE_START = {
  runId: null,
  status: null,
  requestId: null,
  stopped: null,
  pollError: null,
  rateLimit: null,
};

/** A run that is sent at once, as the service would write it; anything can be overridden. */
export function newRun(id: RunId, at: number, overrides: Partial<NewRun> = {}): NewRun {
  return {
    id,
    status: 'running',
    keyId: 'key_7d2f8a',
    keyName: 'support desk',
    lineage: 'key_7d2f8a',
    subject: null,
    workflow: 'summarize-ticket',
    provider: 'ai-tutor',
    kind: 'ai-tutor',
    baseUrl: 'https://aitutor-api.vercel.app',
    allowPrivateNetwork: false,
    credentialId: 'cred_3b1c',
    settings: {},
    upstreamWorkflow: 'wf_abc123',
    options: {},
    defaults: {},
    fallbacks: [],
    metadata: { ticket: '4711' },
    tags: ['support'],
    timeoutMs: 330_000,
    waitingTimeoutMs: 604_800_000,
    onDisconnect: 'continue',
    webhook: null,
    accepted: false,
    upstream: BEFORE_THE_START,
    error: null,
    waiting: null,
    partial: false,
    attempts: [
      {
        number: 1,
        step: 'start',
        provider: 'ai-tutor',
        kind: 'ai-tutor',
        origin: 'https://aitutor-api.vercel.app',
        credentialId: 'cred_3b1c',
        workflow: 'wf_abc123',
        at,
        state: 'open',
        errorCode: null,
      },
    ],
    resolution: null,
    trace: null,
    createdAt: at,
    startedAt: at,
    finishedAt: null,
    deadlineAt: at + 330_000,
    remainingMs: null,
    owner: 'own_first' as Owner,
    care: { step: 'start' },
    inputs: { ticket: 'The printer on the second floor does not answer.' },
    events: [
      { type: 'run.created', at, data: {} },
      { type: 'run.started', at, data: {} },
    ],
    dueInMs: null,
    countedStart: null,
    ...overrides,
  };
}

/** A change that ends the run well. */
export function success(run: Run, at: number): Change {
  return {
    status: 'succeeded',
    patch: {
      accepted: true,
      finishedAt: at,
      upstream: { ...run.upstream, status: 'ok' },
      attempts: run.attempts.map((attempt) => ({ ...attempt, state: 'began' as const })),
      care: { step: 'none' },
    },
    output: { text: 'The printer is offline; ask for a restart.', data: { mood: 'calm' }, citations: [] },
    events: [{ type: 'run.succeeded', at, data: null }],
    owner: null,
    dueInMs: null,
  };
}
