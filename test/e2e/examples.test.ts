import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { openShell, type Ran } from '../support/shell/shell.ts';

/** As `examples/README.md` has them, without `npx`: what tests run on is the Node.js that it would find. */
const EXAMPLES = [
  { language: 'curl', tool: 'curl', command: 'sh examples/curl/run.sh', startsOfRetryable: 1 },
  { language: 'TypeScript', tool: 'node', command: 'node examples/typescript/run.ts', startsOfRetryable: 3 },
  { language: 'Python', tool: 'python3', command: 'python3 examples/python/run.py', startsOfRetryable: 3 },
];
const present = new Map<string, boolean>();
for (const { tool } of EXAMPLES) {
  present.set(tool, (await openShell({}).run(`command -v ${tool} && ${tool} --version`)).exitCode === 0);
  if (present.get(tool) !== true) console.warn(`no ${tool} on this machine: its example is not executed`);
}

let gateway: TestGateway;
let key: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  key = await gateway.key('runs', 'examples');
});
afterAll(() => gateway.stop());

const execute = (command: string): Promise<Ran> =>
  openShell({ RUNGATE_URL: gateway.url(), RUNGATE_KEY: key }).run(command);

for (const { language, tool, command, startsOfRetryable } of EXAMPLES)
  describe.skipIf(present.get(tool) !== true)(`the example for ${language}`, () => {
    const startsOf = (kind: string, workflow: string) => gateway.sandbox.starts({ kind, workflow }).length;

    it('prints the status and the text of a run', async () => {
      const ran = await execute(command);
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      expect(ran.stdout).toMatch(/^status: succeeded\ntext: .*a fox and a gateway/);
      expect(ran.stdout).not.toContain('\\"');
    });

    it('follows a run that is polled', async () => {
      const ran = await execute(`${command} b3os runs-600`);
      expect(ran).toMatchObject({ exitCode: 0, stderr: '', stdout: expect.stringContaining('status: succeeded') });
    });

    it('shows an error by its code, and begins nothing again where that is not safe', async () => {
      const workflow = `status-402.${tool}`;
      const ran = await execute(`${command} ai-tutor ${workflow}`);
      expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('upstream_payment_required: ') });
      expect(startsOf('ai-tutor', workflow)).toBe(1);
    });

    it('gives up in the end where an error stays that may be tried again', async () => {
      const workflow = `status-429-retry-1.${tool}`;
      const ran = await execute(`${command} ai-tutor ${workflow}`);
      expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('upstream_rate_limited: ') });
      expect(startsOf('ai-tutor', workflow)).toBe(startsOfRetryable);
    });

    it('shows why a run failed that the vendor had accepted', async () => {
      const ran = await execute(`${command} b3os fails`);
      expect(ran).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('workflow_failed: ') });
      expect(ran.stdout).toContain('status: failed');
    });

    it('wants an address', async () => {
      const ran = await openShell({ RUNGATE_KEY: key }).run(command);
      expect(ran.exitCode).not.toBe(0);
      expect(ran.stderr).toContain('RUNGATE_URL');
    });
  });

describe('the example for Python', () => {
  it.skipIf(present.get('python3') !== true)('says in one line that nobody answers', async () => {
    const unreachable = { RUNGATE_URL: 'http://127.0.0.1:1', RUNGATE_KEY: key };
    const ran = await openShell(unreachable).run('python3 examples/python/run.py');
    expect(ran).toMatchObject({ exitCode: 1, stdout: '' });
    expect(ran.stderr).toMatch(/^no answer from http:\/\/127\.0\.0\.1:1: .*\n$/);
  });
});

describe('a run that waits', () => {
  it('is answered by the example for TypeScript', async () => {
    const ran = await execute(`node examples/typescript/run.ts interactly ${gateway.workflowId('interactly', 'asks')}`);
    expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
    expect(ran.stdout).toMatch(/^waits for input: .*\nstatus: succeeded\ntext: .*the second one/);
  });

  for (const { language, tool, command } of EXAMPLES.filter(({ language }) => language !== 'TypeScript'))
    it.skipIf(present.get(tool) !== true)(`is told by the example for ${language}`, async () => {
      const ran = await execute(`${command} interactly ${gateway.workflowId('interactly', 'asks')}`);
      expect(ran).toMatchObject({ exitCode: 0, stderr: '' });
      expect(ran.stdout).toMatch(/^status: waiting\nwaits for: input; resume it with POST \/runs\/run_\w+\/resume\n$/);
    });
});
