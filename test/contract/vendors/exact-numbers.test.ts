import { afterAll, beforeAll, expect, it } from 'vitest';
import { startTestGateway, vendorOf, type TestGateway } from '../../support/gateway.ts';
import { startScriptedVendor, type ScriptedVendor } from '../../support/scripted-vendor.ts';

/** More than a number of JavaScript holds, in whole and in broken ones. */
const RESULT = '"balances":{"wei":123456789012345678901,"eur":[1234567890123456.78,0.1,-9007199254740993]}';

let vendor: ScriptedVendor;
let gateway: TestGateway;
let runId = '';

beforeAll(async () => {
  gateway = await startTestGateway({
    async providers(sandbox) {
      const simulated = vendorOf(sandbox, 'ai-tutor');
      vendor = await startScriptedVendor(simulated);
      vendor.script = () => (_call, response) => {
        response.setHeader('content-type', 'application/json');
        response.end(`{"success":true,"result":"Paid.",${RESULT}}`);
      };
      return { 'ai-tutor': { kind: 'ai-tutor', baseUrl: vendor.baseUrl } };
    },
  });
});
afterAll(async () => {
  await gateway.stop();
  await vendor.close();
});

/** Parsing would round them here as well. */
async function textOf(url: string, init: RequestInit & { headers: Record<string, string> }): Promise<string> {
  const response = await fetch(url, init);
  expect(response.status).toBe(200);
  return response.text();
}

it('are handed on as the vendor wrote them to the caller who waits', async () => {
  const workflow = gateway.workflowId('ai-tutor', 'any');
  const text = await textOf(`${gateway.url()}/runs`, {
    method: 'POST',
    headers: { authorization: gateway.authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ provider: 'ai-tutor', workflow }),
  });
  runId = /"id":"(run_\w+)"/.exec(text)?.[1] ?? '';
  expect(text).toContain(RESULT);
});

it.each([
  ['of the run', () => `/runs/${runId}`, 'application/json'],
  ['of a list', () => '/runs?include=output', 'application/json'],
  ['of its events', () => `/runs/${runId}/events`, 'text/event-stream'],
])('are as the vendor wrote them for readers %s, who read what is on disk', async (_readers, path, accept) => {
  const headers = { authorization: gateway.authorization, accept };
  expect(await textOf(gateway.url() + path(), { headers })).toContain(RESULT);
});
