import { ADMIN_COMPONENTS, COMPONENTS } from '../schemas/components.ts';
import type { Components } from './json-schemas.ts';
import { ADMIN_TAGS, TAGS } from './operation.ts';

/** What a document says of its API beside the routes. */
export interface DescribedApi {
  title: string;
  /** Of its page. */
  heading: string;
  summary: string;
  description: string;
  /** Where it listens by default. */
  usualUrl: string;
  keyDescription: string;
  /** The groups of operations, in order. */
  tags: Readonly<Record<string, string>>;
  /** Schemas that have a name of their own. */
  components: Components;
  /** Whether keys are kept to their requests a minute. */
  countsRequests: boolean;
  /** A first request, for a shell. */
  firstRequest: string;
}

const CONVENTIONS = `JSON is \`snake_case\`; times are RFC 3339 in UTC with milliseconds; a duration carries its unit in its name (\`_s\`, \`_ms\`).

Every refusal is the same envelope; its \`code\` is one of [the error catalogue](/docs/errors). A path that does not exist is 404 \`not_found\`, a method that a path does not take 405 \`method_not_allowed\` with \`Allow\`; headers that are too large are 431, and a request that does not arrive in time is 408, with the same envelope. Answers may get new fields, and errors new codes, in any release; a client ignores those that it does not know.`;

export const RUNS_API: DescribedApi = {
  title: 'Rungate',
  heading: 'API reference',
  summary: 'One API in front of every workflow vendor and engine.',
  description: `One API in front of every workflow vendor and engine: a run is begun, waited for and kept in the same way, whoever executes it.

${CONVENTIONS}`,
  usualUrl: 'http://127.0.0.1:8080',
  keyDescription:
    'A client key from `rungate keys create`, a token of one (`rgt_…`, from `POST /tokens`), or the JWT of a signed-in user.',
  tags: TAGS,
  components: COMPONENTS,
  countsRequests: true,
  firstRequest: `curl -sS -X POST "$RUNGATE_URL/runs" \\
  -H "Authorization: Bearer $RUNGATE_KEY" \\
  -H "Content-Type: application/json" \\
  -d '{"provider":"ai-tutor","workflow":"wf_abc123","inputs":{"story":"a fox and a gateway"}}'`,
};

export const ADMIN_API: DescribedApi = {
  title: 'Rungate: admin API',
  heading: 'Admin API reference',
  summary: 'What operators do with a Rungate gateway.',
  description: `Credentials, client keys, everyone’s runs, the audit log and usage, for keys of role \`viewer\` (which read) and \`admin\` (which manage too). A key of role \`runs\` and a browser token are refused with 403. Every change is in the audit log before it is made.

${CONVENTIONS}`,
  usualUrl: 'http://127.0.0.1:8081',
  keyDescription: 'A key of role `viewer` or `admin`, from `rungate keys create --role admin`.',
  tags: ADMIN_TAGS,
  components: ADMIN_COMPONENTS,
  countsRequests: false,
  firstRequest: `curl -sS http://127.0.0.1:8081/admin/keys -H "Authorization: Bearer $RUNGATE_KEY"`,
};
