// The container's health check: exit status 0 if the runs API's process answers. Plain JavaScript that imports nothing
// of ours, because it starts every few seconds, and because it must tell when the rest is broken.
import { get } from 'node:http';

const TIMEOUT_MS = 4_000;
const EVERY_ADDRESS = ['0.0.0.0', '::'];

const host = process.env.RUNGATE_HOST?.trim() || '127.0.0.1';
const port = process.env.RUNGATE_PORT?.trim() || '8080';
const url = { host: EVERY_ADDRESS.includes(host) ? '127.0.0.1' : host, port, path: '/healthz' };

function fail(why) {
  console.error(`/healthz on ${url.host} port ${port}: ${why}`);
  process.exit(1);
}

get({ ...url, timeout: TIMEOUT_MS }, ({ statusCode }) => (statusCode === 200 ? process.exit(0) : fail(statusCode)))
  .on('timeout', () => fail('no answer in time'))
  .on('error', ({ code, message }) => fail(code ?? message));
