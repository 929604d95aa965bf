import type { CanarySecrets } from './secrets.ts';
import type { CanaryWorld } from './world.ts';

interface Callers {
  runs: { key: string };
  viewer: { key: string };
  admin: { key: string };
  token: string;
  jwt: string;
  secrets: CanarySecrets;
}

interface Document {
  paths: Record<string, Record<string, unknown>>;
}

const METHODS = new Set(['get', 'post', 'delete', 'put', 'patch']);
/** These make or end keys, and are called where their answers are read. */
const CALLED_ELSEWHERE = /^(?:post \/admin\/keys|post \/tokens|post \/me\/webhook-secret|delete \/admin\/keys)/;

/** Calls every route that the two documents name, in the name of everybody and nobody, with secrets where none belong. */
export async function callEveryRoute(world: CanaryWorld, callers: Callers): Promise<void> {
  const { secrets, token, jwt } = callers;
  const people = [callers.runs.key, callers.viewer.key, callers.admin.key, token, jwt, secrets.inWrongHeader];
  const authorizations = [
    null,
    ...people.map((secret) => `Bearer ${secret}`),
    `Basic ${Buffer.from(`u:${secrets.inWrongHeader}`).toString('base64')}`,
  ];
  const runs = await newestRuns(world, callers.admin.key);
  for (const base of [world.url, world.adminUrl]) {
    const document = JSON.parse(await world.call(`${base}/openapi.json`)) as Document;
    for (const [path, item] of Object.entries(document.paths)) {
      for (const method of Object.keys(item).filter((one) => METHODS.has(one))) {
        if (CALLED_ELSEWHERE.test(`${method} ${path}`)) continue;
        for (const authorization of authorizations) {
          const run = runs.shift() ?? 'run_00000000000000000000000000';
          runs.push(run);
          // A run that is deleted is one less to look at; any other id does for that.
          const id = method === 'delete' ? 'run_00000000000000000000000000' : run;
          const target = `${base}${path.replace('{provider}', 'b3os').replaceAll(/\{\w+\}/g, id)}`;
          const headers: Record<string, string> = {
            accept: 'application/json',
            ...(authorization === null ? {} : { authorization }),
          };
          await world.call(target, {
            method: method.toUpperCase(),
            headers,
            ...(method === 'get' ? {} : { body: {} }),
          });
        }
      }
    }
  }
  await showSecretsWhereNoneBelong(world, { ...callers, run: runs[0] ?? '' });
}

async function newestRuns(world: CanaryWorld, key: string): Promise<string[]> {
  const headers = { authorization: `Bearer ${key}` };
  const text = await world.call(`${world.adminUrl}/admin/runs?limit=100&include=inputs,output`, { headers });
  return (JSON.parse(text) as { data: { id: string }[] }).data.map(({ id }) => id);
}

/** Callers put their secrets into the wrong places: no log may keep them. */
async function showSecretsWhereNoneBelong(
  world: CanaryWorld,
  { runs, token, secrets, run }: Callers & { run: string },
): Promise<void> {
  const accept = { accept: 'text/event-stream' };
  const queries = [
    `token=${runs.key}`,
    `token=${token}`,
    `token=${token}x`,
    `token=${secrets.inAddress}`,
    `key=${secrets.inAddress}&api_key=${runs.key}`,
  ];
  for (const query of queries) {
    // Answers name the parameter that they refuse; what was in it, they need not.
    for (const path of [`/runs/${run}/events`, '/runs', '/me', '/nowhere'])
      await world.call(`${world.url}${path}?${query}`, { headers: accept });
  }
  for (const header of ['x-api-key', 'cookie', 'proxy-authorization', 'x-forwarded-for', 'prefer', 'tracestate']) {
    await world.call(`${world.url}/me`, { headers: { [header]: secrets.inWrongHeader } });
  }
}
