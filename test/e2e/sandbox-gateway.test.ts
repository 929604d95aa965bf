import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startGateway, type Gateway } from '../../src/app/start-gateway.ts';
import { settingsFor } from '../../src/config/load-settings.ts';
import type { Log, LogFields } from '../../src/core/log.ts';
import { codeBlocks, readDocument } from '../support/documents.ts';

const [EXAMPLE] = codeBlocks(readDocument('docs/configuration.md')).filter(({ language }) => language === 'yaml');

let directory: string;
let gateway: Gateway | null;
let warnings: { message: string; fields: LogFields }[];
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rungate-own-sandbox-'));
  gateway = null;
  warnings = [];
});
afterEach(async () => {
  await gateway?.stop();
  await rm(directory, { recursive: true, force: true });
});

const quiet = () => undefined;
const log: Log = {
  debug: quiet,
  info: quiet,
  warn: (fields, message) => void warnings.push({ fields, message }),
  error: quiet,
};

describe('a gateway with its own sandbox', () => {
  it('starts beside the documented configuration, whose references nobody has set, and says what it leaves out', async () => {
    const file = join(directory, 'rungate.yaml');
    const elsewhere = '  only-elsewhere: { provider: b3os-staging, workflow: wf_rebalance }\n';
    await writeFile(file, `${EXAMPLE?.text ?? ''}\n${elsewhere}`);
    const environment = {
      RUNGATE_DATA_DIR: directory,
      RUNGATE_CONFIG: file,
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
    };
    const settings = settingsFor(environment, { sandbox: true });
    gateway = await startGateway({ settings, environment, sandbox: true, log });
    expect((await fetch(`${gateway.runsUrl}/readyz`)).status).toBe(200);
    expect(warnings.filter(({ message }) => message.includes('left out'))).toEqual([
      { message: expect.stringMatching(/^workflows left out: /), fields: { workflows: ['only-elsewhere'] } },
    ]);
  });

  it('does not start without the sandbox beside a reference that nobody has set, and says which', async () => {
    const file = join(directory, 'rungate.yaml');
    await writeFile(file, EXAMPLE?.text ?? '');
    const environment = {
      RUNGATE_DATA_DIR: directory,
      RUNGATE_CONFIG: file,
      RUNGATE_PORT: '0',
      RUNGATE_ADMIN_PORT: '0',
    };
    const settings = settingsFor(environment, { sandbox: false });
    await expect(startGateway({ settings, environment, sandbox: false, log })).rejects.toThrow(
      'env:AI_TUTOR_KEY: set this variable in the server’s environment',
    );
  });
});
