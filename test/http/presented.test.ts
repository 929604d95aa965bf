import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { callerWith, sendRaw, startRunsApp, type Envelope, type RunningApp } from '../support/runs-app.ts';

let asked = 0;
let app: RunningApp;
beforeAll(async () => {
  app = await startRunsApp({
    async authenticate() {
      asked += 1;
      return callerWith('runs');
    },
  });
});
afterAll(() => app[Symbol.asyncDispose]());

describe('a header `Authorization` that is there twice', () => {
  it('is refused, whichever of the two would do', async () => {
    const [good, bad] = ['Authorization: Bearer runs', 'authorization: Bearer nobody'];
    for (const two of [`${good}\r\n${bad}`, `${bad}\r\n${good}`, `${good}\r\n${good}`]) {
      const lines = `Host: x\r\n${two}\r\nConnection: close`;
      const answer = await sendRaw(app.port, `GET /runs HTTP/1.1\r\n${lines}\r\n\r\n`);
      const { error } = JSON.parse(answer.body) as Envelope;
      expect([answer.status, error.param, error.message]).toEqual([
        400,
        'Authorization',
        expect.stringContaining('once'),
      ]);
    }
    expect(asked).toBe(0);
  });
});
