import type { Examples } from '../openapi/operation.ts';

const CAPABILITIES = {
  start: 'blocking',
  stream: true,
  cancel: false,
  pause: false,
  resume: false,
  webhooks: false,
};
const NO_OPTIONS = { type: 'object', properties: {}, additionalProperties: false };

export const PROVIDER_EXAMPLES = {
  one: {
    summary: 'One provider',
    value: {
      data: [
        {
          name: 'ai-tutor',
          kind: 'ai-tutor',
          title: 'AI Tutor',
          docs_url: 'https://aitutor-api.vercel.app/docs',
          capabilities: CAPABILITIES,
          timeout_s: 330,
          workflow_id: { type: 'string' },
          options: NO_OPTIONS,
          resume_options: null,
          credential: 'present',
          breaker: 'closed',
          limits: {
            concurrency: 20,
            requests_per_minute: 600,
            per_credential: { concurrency: null, requests_per_minute: 60 },
          },
        },
      ],
    },
  },
} as const satisfies Examples;

export const WORKFLOW_EXAMPLES = {
  one: {
    summary: 'One workflow',
    value: {
      data: [
        {
          name: 'summarize-ticket',
          description: 'Summarises a support ticket',
          provider: 'ai-tutor',
          capabilities: CAPABILITIES,
          inputs: { type: 'object', required: ['ticket'], properties: { ticket: { type: 'string' } } },
          options: NO_OPTIONS,
          resume_options: null,
          defaults: { tone: 'dry' },
          timeout_s: 120,
          credential: 'present',
        },
      ],
    },
  },
} as const satisfies Examples;
