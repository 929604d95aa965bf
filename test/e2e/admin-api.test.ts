import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';
import { codeBlocks, readDocument } from '../support/documents.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { hasCurl, openShell, pathWithCurlStandIn, shellCommands } from '../support/shell/shell.ts';

const DOCUMENT = readDocument('docs/admin-api.md');
const COMMANDS = codeBlocks(DOCUMENT)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ text }) => shellCommands(text));
const WELL = { exitCode: 0, stderr: '' };
const SECRET = 'sk_of-the-document';

let gateway: TestGateway;
let directory: string;
let credentialFile: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  directory = await mkdtemp(join(tmpdir(), 'rungate-admin-api-'));
  credentialFile = join(directory, 'credential.json');
  await writeFile(credentialFile, JSON.stringify({ provider: 'ai-tutor', secret: SECRET }));
});
afterAll(async () => {
  await gateway.stop();
  await rm(directory, { recursive: true, force: true });
});

describe.each([...((await hasCurl()) ? ['curl'] : []), 'a stand-in for curl'])('docs/admin-api.md, with %s', (tool) => {
  it('has no command that does not work', async () => {
    const [makeKey = '', ...requests] = COMMANDS;
    const shell = openShell(gateway.environment);
    const made = await shell.run(makeKey.replace(/^rungate/, 'node bin/rungate.js'));
    expect(made).toMatchObject(WELL);
    const RUNGATE_KEY = /rgk_\w+/.exec(made.stdout)?.[0] ?? '';
    const RUN_ID = await gateway.begin({
      provider: 'b3os',
      workflow: gateway.workflowId('b3os', 'runs-20000'),
    });
    const path = tool === 'curl' ? {} : { PATH: await pathWithCurlStandIn(directory) };
    let ids = {};
    const answers: object[] = [];
    for (const command of requests) {
      expect(command).toContain('http://127.0.0.1:8081');
      const ran = await openShell({ RUNGATE_KEY, RUN_ID, ...ids, ...path }).run(
        command.replace('http://127.0.0.1:8081', gateway.adminUrl()).replace('credential.json', credentialFile),
      );
      expect({ command, ...ran }).toMatchObject({ command, ...WELL });
      expect(ran.stdout).not.toContain(SECRET);
      const answer = reviveJson<{ id?: string; object?: string; error?: { code: string } }>(ran.stdout);
      const refused = answer.object === 'run' ? null : (answer.error ?? null);
      expect([command, refused]).toEqual([command, null]);
      if (answer.object === 'credential') ids = { ...ids, CREDENTIAL_ID: answer.id };
      if (answer.object === 'key') ids = { ...ids, KEY_ID: answer.id };
      answers.push(answer);
    }
    expect(answers).toMatchObject([
      { object: 'credential', provider: 'ai-tutor' },
      { object: 'credential_verdicts', provider: 'ai-tutor' },
      { references: [] },
      { removed: true },
      { object: 'key', name: 'website' },
      { object: 'key', replaces: { name: 'website' } },
      { object: 'key', status: 'revoked' },
      { data: [] },
      { object: 'run', id: RUN_ID, status: expect.stringMatching(/^cancel/) },
      { object: 'usage', group_by: 'key' },
      { data: expect.arrayContaining([expect.objectContaining({ action: 'run.cancel' })]) },
    ]);
  });
});
