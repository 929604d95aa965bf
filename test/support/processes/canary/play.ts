import { writeFile } from 'node:fs/promises';
import { startOidcIssuer } from '../../oidc-issuer.ts';
import { configFor, environmentFor, KINDS, makePeople, WORKFLOW, type Cast } from './cast.ts';
import { startEchoServer } from './echo-server.ts';
import { callEveryRoute } from './every-route.ts';
import { startEchoingVault, startReceiver } from './helpers.ts';
import type { Evidence, Marker } from './markers.ts';
import { playFailures } from './play-failures.ts';
import { playOperators } from './play-operators.ts';
import { SCENES } from './scenes.ts';
import { makeSecrets, markersOf } from './secrets.ts';
import { makeCanaryWorld, type CanaryWorld } from './world.ts';

export interface PlayedCanary {
  markers: readonly Marker[];
  evidence: readonly Evidence[];
  /** Secrets that vendors and servers were truly shown. */
  shown: ReadonlySet<string>;
  /** Those of the operator that they had to be shown. */
  wanted: readonly string[];
  used: ReadonlyMap<string, number>;
  scenes: ReadonlyMap<string, number>;
  spans: number;
  deliveries: number;
  /** Connections at the address to which the collector was moved: none. */
  strayed: number;
  /** What was to fail and did not. */
  oddities: readonly string[];
}

const RUNS_PER_KIND = SCENES.length;
const AT_ONCE = 6;

/** Lets every secret be used, echoed, refused, reloaded, rotated and backed up, and gathers all that was written meanwhile. */
export async function playCanary(): Promise<PlayedCanary> {
  const secrets = makeSecrets();
  await using echo = await startEchoServer();
  await using vault = await startEchoingVault(secrets.vault);
  await using stray = await startReceiver(200);
  await using collector = await startReceiver(200);
  await using webhooks = await startReceiver(500);
  const keyFiles = { 'master.key': `${secrets.masterKey}\n`, 'next.key': `${secrets.nextMasterKey}\n` };
  const files = { ...keyFiles, 'wrong.key': `${secrets.wrongMasterKey}\n`, vendor: `${secrets.file}\n` };
  await using world = await makeCanaryWorld(files);
  Object.assign(world.environment, environmentFor(world, { secrets, vault, collector }));

  const people = await makePeople(world, { secrets, echo, webhooks });
  await using issuer = await startOidcIssuer({ keyId: people.runs.id });
  issuer.keys.push(await issuer.newKey('one'));
  const jwt = await issuer.sign();
  await writeFile(world.configPath, configFor(world, echo.origin, { issuer: issuer.url, keyId: people.runs.id }));

  const oddities: string[] = [];
  if (!(await world.serve())) throw new Error(`the gateway did not start: ${world.lastLines()}`);
  const cast = { secrets, echo, vault, webhooks, people, jwt };
  const tokens = await playRuns(world, cast);
  await callEveryRoute(world, { ...people, token: tokens[0] ?? '', jwt, secrets });
  await playOperators(world, cast, oddities);
  await playFailures(world, { ...cast, stray }, oddities);
  world.signal('SIGTERM');
  await world.gone();
  await world.takeFiles('at the end');

  // The collector's own header is for it alone.
  const collected = { place: 'what the collector received', bytes: Buffer.concat(collector.received) };
  world.evidence.push({ ...collected, shows: [secrets.collector] });
  world.evidence.push({ place: 'what the webhooks received', bytes: Buffer.concat(webhooks.received) });
  const wanted = [
    secrets.stored,
    secrets.environment,
    secrets.file,
    secrets.vault,
    secrets.vaultToken,
    secrets.vaultSecretId,
  ];
  return {
    markers: markersOf(secrets, [
      ...people.markers(),
      ...echo.made.map((value) => ({ name: 'a vendor’s token', value })),
      { name: 'a user’s JWT', value: jwt },
    ]),
    evidence: world.evidence,
    shown: new Set([...echo.shown, ...vault.shown]),
    wanted,
    used: world.used,
    scenes: echo.played,
    spans: collector.received.length / 2,
    deliveries: webhooks.received.length / 2,
    strayed: stray.received.length,
    oddities,
  };
}

/** Runs of every kind in every scene, held, streamed and read again. Resolves to the tokens that were made. */
async function playRuns(world: CanaryWorld, { people, webhooks, jwt }: Cast): Promise<string[]> {
  const authorization = `Bearer ${people.runs.key}`;
  const webhook = { url: `${webhooks.origin}/hook` };
  const tokens: string[] = [];
  for (const subject of ['one', 'two']) {
    const body = { workflows: ['canary'], subject, ttl_s: 600 };
    const text = await world.call(`${world.url}/tokens`, {
      method: 'POST',
      headers: { authorization },
      body,
      shows: people.shows,
    });
    tokens.push((JSON.parse(text) as { token: string }).token);
  }
  const runOf = async (kind: string, i: number) => {
    const accept = i % 2 === 0 ? { accept: 'text/event-stream' } : { prefer: 'wait=8' };
    const asked = { provider: kind, workflow: WORKFLOW, inputs: { text: `run ${i}` }, timeout_s: 8, webhook };
    await world.call(`${world.url}/runs`, { method: 'POST', headers: { authorization, ...accept }, body: asked });
  };
  await Promise.all(
    KINDS.map(async (kind) => {
      let next = 0;
      const work = async () => {
        while (next < RUNS_PER_KIND * 2) await runOf(kind, next++);
      };
      await Promise.all(Array.from({ length: AT_ONCE }, work));
    }),
  );
  await runOf('ai-tutor-down', 1);
  for (const token of [...tokens, jwt]) {
    const headers = { authorization: `Bearer ${token}`, origin: 'https://app.example.com' };
    await world.call(`${world.url}/runs`, { method: 'POST', headers, body: { workflow: 'canary', inputs: {} } });
    await world.call(`${world.url}/runs?limit=5&include=inputs,output`, { headers });
  }
  return tokens;
}
