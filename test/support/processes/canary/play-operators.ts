import { createHmac } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KINDS, startRun, type Cast } from './cast.ts';
import type { CanaryWorld } from './world.ts';

/** What those do who run the gateway, while it runs. */
export async function playOperators(
  world: CanaryWorld,
  { secrets, people, vault }: Cast,
  oddities: string[],
): Promise<void> {
  const { shows } = people;
  const admin = { authorization: `Bearer ${people.admin.key}` };
  const added = { provider: 'ai-tutor-stored', secret: secrets.addedByAdmin, label: 'second' };
  await world.call(`${world.adminUrl}/admin/credentials`, { method: 'POST', headers: admin, body: added });
  for (const kind of KINDS) {
    await world.call(`${world.adminUrl}/admin/credentials/verify`, {
      method: 'POST',
      headers: admin,
      body: { provider: kind },
    });
    await world.command(['credentials', 'verify', kind, '--json']);
    await world.command(['credentials', 'verify', kind]);
  }
  await world.command(['credentials', 'add', 'ai-tutor-stored', '--env', 'CANARY_ADDED', '--json']);
  const created = { name: 'made by an admin', origins: ['https://app.example.com'] };
  await world.call(`${world.adminUrl}/admin/keys`, { method: 'POST', headers: admin, body: created, shows });
  await world.call(`${world.adminUrl}/admin/keys/${people.viewer.id}/rotate`, {
    method: 'POST',
    headers: admin,
    body: {},
    shows,
  });
  await world.command(['keys', 'rotate', people.runs.id, '--json'], { shows });
  await world.call(`${world.url}/me/webhook-secret`, {
    method: 'POST',
    headers: { authorization: `Bearer ${people.runs.key}` },
    shows,
  });
  const body = JSON.stringify({ runId: 'run_v1', note: 'x' });
  const signature = createHmac('sha256', secrets.inbound).update(body).digest('hex');
  for (const header of [signature, `sha256=${signature}`, 'wrong', secrets.inbound]) {
    await world.call(`${world.url}/inbound/b3os`, { method: 'POST', headers: { 'x-b3os-signature': header }, body });
  }
  const commands = [
    ['credentials', 'list'],
    ['keys', 'list'],
    ['runs', 'list', '--limit', '100'],
    ['check', world.configPath],
    ['audit', 'verify'],
  ];
  for (const argv of commands) {
    await world.command(argv);
    await world.command([...argv, '--json']);
  }
  await runEveryRunCommand(world);
  const backup = join(world.dataDir, 'before.backup');
  await world.command(['backup', backup]);
  const rotated = await world.command([
    'vault',
    'rotate',
    '--new-key-file',
    join(world.directory, 'secret', 'next.key'),
    '--json',
  ]);
  if (!rotated.includes('"retired":["')) oddities.push(`the master key was not rotated: ${rotated.slice(0, 500)}`);
  await world.command(['vault', 'rotate']);
  await world.command(['backup', join(world.dataDir, 'after.backup'), '--json']);
  await world.command(['audit', 'export']);
  await world.command(['audit', 'export', '--json']);
  await world.call(`${world.adminUrl}/metrics`, { headers: admin });
  // The secrets server refuses, and says so with everything it knows.
  vault.refuses = true;
  await sleep(1_500);
  await startRun(world, people, 'interactly');
  vault.refuses = false;
  await world.takeFiles('while it serves');
}

/** What concerns one run, key or credential. */
async function runEveryRunCommand(world: CanaryWorld): Promise<void> {
  const { data } = JSON.parse(await world.command(['runs', 'list', '--limit', '3', '--json'])) as {
    data: { id: string }[];
  };
  for (const { id } of data) {
    for (const argv of [
      ['runs', 'get', id],
      ['runs', 'events', id],
      ['runs', 'cancel', id],
    ]) {
      await world.command(argv);
      await world.command([...argv, '--json']);
    }
    await world.command(['runs', 'resolve', id, '--as', 'failed', '--note', 'nobody knows']);
  }
  const last = async (kind: 'keys' | 'credentials') => {
    const listed = JSON.parse(await world.command([kind, 'list', '--json'])) as { data: { id: string }[] };
    return listed.data[0]?.id ?? 'none';
  };
  await world.command(['credentials', 'remove', await last('credentials')]);
  await world.command(['keys', 'revoke', await last('keys')]);
}
