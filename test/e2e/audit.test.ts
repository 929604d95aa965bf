import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { reviveJson } from '../../src/core/json.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { PROGRAM } from '../support/program.ts';

const AT_ONCE = 6;

interface Verification {
  ok: boolean;
  entries: number;
  head: { seq: number; hash: string };
  fault: { seq: number } | null;
}

let gateway: TestGateway;
let admin: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  admin = await gateway.key('admin');
});
afterAll(() => gateway.stop());

/** A command in a process of its own, beside the gateway. */
async function rungate<T>(...argv: string[]): Promise<{ exitCode: number; document: T }> {
  const child = spawn(process.execPath, [PROGRAM, ...argv, '--json'], {
    env: gateway.environment,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [out, [exitCode]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return { exitCode: exitCode as number, document: reviveJson<T>(out) };
}

async function ask<T>(path: string, method = 'GET', body?: object): Promise<T> {
  const answer = await fetch(gateway.adminUrl() + path, {
    method,
    headers: { authorization: `Bearer ${admin}`, ...(body && { 'content-type': 'application/json' }) },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return (await answer.json()) as T;
}

const verify = async (...argv: string[]) => rungate<Verification>('audit', 'verify', ...argv);

describe('the audit log of a server and of commands beside it', () => {
  it('is one chain, however many write at once', async () => {
    const before = (await verify()).document.entries;
    const made = Array.from({ length: AT_ONCE }, (_, i) => [
      rungate('keys', 'create', '--name', `by command ${i}`, '--role', 'viewer'),
      ask('/admin/keys', 'POST', { name: `by request ${i}`, role: 'viewer' }),
    ]);
    await Promise.all(made.flat());
    const { document } = await verify();
    expect(document).toMatchObject({ ok: true, entries: before + 2 * AT_ONCE });
    interface Listed {
      actor: { type: string; id: string };
    }
    const { data } = await ask<{ data: Listed[] }>(`/admin/audit?limit=${2 * AT_ONCE}`);
    const by = (type: string) => data.filter(({ actor }) => actor.type === type);
    expect([by('command').length, by('key').length]).toEqual([AT_ONCE, AT_ONCE]);
    expect(by('command')[0]?.actor.id).toBe(userInfo().username);
  });

  it('tells of a changed configuration, by name', async () => {
    const file = gateway.environment['RUNGATE_CONFIG'] ?? '';
    const config = reviveJson<{ workflows: object }>(await readFile(file, 'utf8'));
    const workflows = { summarize: { provider: 'ai-tutor', workflow: 'wf_of_a_vendor' } };
    await writeFile(file, JSON.stringify({ ...config, workflows }));
    await vi.waitFor(
      async () => {
        const { data } = await ask<{ data: { action: string; actor: object; details: object }[] }>(
          '/admin/audit?limit=1',
        );
        expect(data).toMatchObject([
          { action: 'config.reload', actor: { type: 'server' }, details: { workflows: { added: ['summarize'] } } },
        ]);
        expect(JSON.stringify(data)).not.toContain('wf_of_a_vendor');
      },
      { timeout: 10_000, interval: 200 },
    );
  });

  it('is found changed by whoever looks, while the server serves', async () => {
    const noted = (await verify()).document.head;
    const db = new DatabaseSync(join(gateway.dataDir, 'rungate.db'));
    const forge =
      "UPDATE audit SET entry = replace(entry, 'by command 1', 'by nobody') WHERE entry LIKE '%by command 1%'";
    expect(() => db.exec(forge)).toThrow('the audit log only grows');
    const { sql } = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'audit_keeps_entries'").get() as {
      sql: string;
    };
    db.exec('DROP TRIGGER audit_keeps_entries');
    db.exec(forge);
    db.exec(sql);
    const found = await verify();
    expect(found.exitCode).toBe(1);
    const { fault } = found.document;
    expect(fault?.seq).toBeLessThanOrEqual(noted.seq);
    db.exec('DROP TRIGGER audit_keeps_entries');
    const spoil = (from: string, to: string) =>
      db.prepare('UPDATE audit SET entry = replace(entry, ?, ?) WHERE seq = 2').run(from, to);
    spoil('{', '{ ');
    const page = await ask<{ error: { code: string; message: string; retryable: boolean } }>('/admin/audit?after=0');
    expect(page.error).toMatchObject({ code: 'store_unavailable', retryable: false });
    expect(page.error.message).toContain('Entry 2 of the audit log');
    const around = await ask<{ data: { seq: number }[] }>('/admin/audit?before=2');
    expect(around.data.map(({ seq }) => seq)).toEqual([1]);
    spoil('{ ', '{');
    db.exec("UPDATE audit SET entry = replace(entry, 'by nobody', 'by command 1')");
    db.exec(sql);
    db.close();
    expect(await verify('--expect', `${noted.seq}:${noted.hash}`)).toMatchObject({
      exitCode: 0,
      document: { ok: true },
    });
  });
});
