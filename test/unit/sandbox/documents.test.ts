import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import type { SandboxKind } from '../../../src/sandbox/vendors.ts';
import { ask, useSandbox } from './support.ts';

const sandbox = useSandbox();
const run = promisify(execFile);
const hasCurl = await run('curl', ['--version']).then(
  () => true,
  () => false,
);

interface Example {
  title: string;
  kind: SandboxKind;
  /** As the vendor's page has it. */
  script: string;
  /** Host, key and ids of the page, to be put in. */
  host: string;
  key: string;
  id: string;
  /** What is put in instead of the page's id. */
  workflow?: string;
  /** The same request in parts, for machines without curl. */
  path: string;
  headers: (key: string) => Record<string, string>;
  body: unknown;
  answer: unknown;
}

const EXAMPLES: readonly Example[] = [
  {
    title: 'Draft & Goal, run a workflow',
    kind: 'draft-and-goal',
    script: `curl -X POST "https://agents-api.prod.dng.ai/api/v1/workflows/$WORKFLOW_ID/run" \\
          --header "x-api-key: $YOUR_API_KEY" \\
          --header "content-Type: application/json" \\
          --data \\
        '{
    "inputs": {
      "Text_0": {
        "value": "Hello world",
        "type": "text"
      }
    }
}'`,
    host: 'https://agents-api.prod.dng.ai',
    key: '$YOUR_API_KEY',
    id: '$WORKFLOW_ID',
    path: '/api/v1/workflows/0cf35172-859e-4b26-8ce9-6c2588a77b40/run',
    headers: (key) => ({ 'x-api-key': key, 'content-Type': 'application/json' }),
    body: { inputs: { Text_0: { value: 'Hello world', type: 'text' } } },
    answer: { success: true, data: { id: expect.any(String), message: 'Workflow is running in the background.' } },
  },
  {
    title: 'AI Tutor, run a workflow',
    kind: 'ai-tutor',
    script: `curl --request POST \\
     --url https://aitutor-api.vercel.app/api/v1/run/wf_abc123 \\
     --header 'Authorization: Bearer YOUR_API_KEY' \\
     --header 'Content-Type: application/json' \\
     --data '{"story": "a story about a dog named charlie"}'`,
    host: 'https://aitutor-api.vercel.app',
    key: 'YOUR_API_KEY',
    id: 'wf_abc123',
    path: '/api/v1/run/0cf35172-859e-4b26-8ce9-6c2588a77b40',
    headers: (key) => ({ Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }),
    body: { story: 'a story about a dog named charlie' },
    answer: { success: true, result: expect.stringContaining('charlie') },
  },
  {
    title: 'B3OS, run a workflow',
    kind: 'b3os',
    script: `curl -X POST 'https://api.example.com/v1/workflows/string/run' \\
  -H 'Authorization: Bearer YOUR_API_TOKEN' \\
  -H 'Content-Type: application/json' \\
  -d '{}'`,
    host: 'https://api.example.com',
    key: 'YOUR_API_TOKEN',
    id: '/string/',
    path: '/v1/workflows/0cf35172-859e-4b26-8ce9-6c2588a77b40/run',
    headers: (key) => ({ Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }),
    body: {},
    answer: { code: 200, data: { runId: expect.any(String) }, message: 'success', requestId: expect.any(String) },
  },
  {
    title: 'Interactly, start or resume a workflow',
    kind: 'interactly',
    script: `curl --request POST \\
  --url https://api-qa.interactly.ai/workflows/v1/workflow-runs \\
  --header 'Authorization: Bearer <token>' \\
  --header 'Content-Type: application/json' \\
  --data '
{
  "dynamic_variables": {},
  "runtime_variables": {},
  "miscellaneous": {},
  "command": "start",
  "workflow_id": "5eb7cf5a86d9755df3a6c593",
  "workflow_run_id": "5eb7cf5a86d9755df3a6c593",
  "thread_to_node_inputs": {}
}
'`,
    host: 'https://api-qa.interactly.ai',
    key: '<token>',
    id: '5eb7cf5a86d9755df3a6c593',
    workflow: '64b0c1d2e3f405162738495a',
    path: '/workflows/v1/workflow-runs',
    headers: (key) => ({ Authorization: `Bearer ${key}`, 'Content-Type': 'application/json' }),
    body: { workflow_id: '5eb7cf5a86d9755df3a6c593' },
    answer: {
      workflow_run: expect.objectContaining({
        _id: expect.stringMatching(/^[0-9a-f]{24}$/),
        workflow_run: expect.objectContaining({ status: 'not_started' }),
      }),
    },
  },
];
const WORKFLOW = '0cf35172-859e-4b26-8ce9-6c2588a77b40';

describe('an example of the documents', () => {
  it.runIf(hasCurl).each(EXAMPLES)(
    'is accepted as it stands: $title',
    async ({ kind, script, host, key, id, answer, workflow = WORKFLOW }) => {
      const vendor = sandbox.current.vendors[kind];
      const withIds = script
        .replace(host, vendor.origin)
        .replace(key, vendor.key)
        .replace(id, id.startsWith('/') ? `/${workflow}/` : workflow);
      const { stdout } = await run('sh', ['-c', `${withIds} --silent --fail-with-body`]);
      expect(JSON.parse(stdout)).toEqual(answer);
      expect(sandbox.current.starts()).toMatchObject([{ kind, workflow, began: true }]);
    },
  );

  it.each(EXAMPLES)(
    'is accepted when another client sends it: $title',
    async ({ kind, path, headers, body, answer }) => {
      const { origin, key } = sandbox.current.vendors[kind];
      const answered = await ask(origin + path, { method: 'POST', headers: headers(key), body });
      expect([answered.status, answered.body]).toEqual([200, answer]);
    },
  );

  it.runIf(hasCurl)('is accepted as it stands: Draft & Goal, get a run', async () => {
    const { origin, baseUrl, key } = sandbox.current.vendors['draft-and-goal'];
    const headers = { 'x-api-key': key, 'content-type': 'application/json' };
    const begun = await ask(`${baseUrl}/v1/workflows/runs-0/run`, { method: 'POST', headers, body: { inputs: {} } });
    const script = `curl "https://agents-api.prod.dng.ai/api/v1/workflow-runs/$WORKFLOW_RUN_ID" \\
--header "x-api-key: $YOUR_API_KEY" \\
--header "content-Type: application/json"`;
    const env = { ...process.env, WORKFLOW_RUN_ID: begun.body.data.id, YOUR_API_KEY: key };
    const { stdout } = await run('sh', ['-c', `${script.replace('https://agents-api.prod.dng.ai', origin)} --silent`], {
      env,
    });
    expect(JSON.parse(stdout)).toMatchObject({ success: true, data: { state: 'DONE' } });
  });
});
