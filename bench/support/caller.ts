/**
 * Callers in a process of their own: sends the same `POST /runs` so many times a second for so many seconds, whatever
 * the answers (an open loop), over kept connections and on bare sockets, because an HTTP client would cost more than the
 * gateway that it asks. Prints one line of JSON: see `CallerReport`.
 * Arguments: URL, authorization, body, requests a second, seconds, connections.
 */
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import type { CallerReport } from './callers.ts';

const [url = '', authorization = '', body = '', perSecond = '0', seconds = '0', connections = '0'] =
  process.argv.slice(2);
const { port, host } = new URL(url);
const REQUEST = Buffer.from(
  `POST /runs HTTP/1.1\r\nHost: ${host}\r\nAuthorization: ${authorization}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
);
const HEAD_END = '\r\n\r\n';
const STATUS_AT = 'HTTP/1.1 '.length;
/** What is unanswered for so long after the last was sent is lost. */
const LAST_ANSWERS_MS = 10_000;

const report: CallerReport = { sent: 0, late: 0, accepted: [], refused: [], broken: [], cpuMs: 0 };
const free: Array<() => void> = [];
const waiting = new Set<Socket>();

async function open(): Promise<Socket> {
  const socket = connect(Number(port), '127.0.0.1');
  await once(socket, 'connect');
  socket.setNoDelay(true).setEncoding('latin1');
  let text = '';
  let sentAt = 0;
  const send = () => {
    waiting.add(socket);
    report.sent += 1;
    sentAt = performance.now();
    socket.write(REQUEST);
  };
  socket.on('data', (chunk: string) => {
    text += chunk;
    const headEnd = text.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN);
    if (text.length < headEnd + HEAD_END.length + length) return;
    judge(text, performance.now() - sentAt);
    text = '';
    waiting.delete(socket);
    free.push(send);
  });
  socket.once('close', () => text !== '' && report.broken.push(`cut: ${text.slice(0, 200)}`));
  socket.on('error', (error) => report.broken.push(error.message));
  free.push(send);
  return socket;
}

function judge(text: string, ms: number): void {
  const status = text.slice(STATUS_AT, STATUS_AT + 3);
  if (status === '200' && text.includes('"status":"succeeded"')) report.accepted.push(ms);
  else if (status === '503' && text.includes('"code":"overloaded"') && text.includes('retry-after: '))
    report.refused.push(ms);
  else report.broken.push(text.slice(0, 400));
}

const sockets = await Promise.all(Array.from({ length: Number(connections) }, open));
const cpuBefore = process.cpuUsage();
const begunAt = performance.now();
const total = Number(perSecond) * Number(seconds);
let due = 0;
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    const wanted = Math.min(total, Math.floor(((performance.now() - begunAt) / 1000) * Number(perSecond)));
    for (; due < wanted; due++) {
      const send = free.pop();
      // Nobody is free: an open loop would send all the same. It is counted, not hidden.
      if (send) send();
      else report.late += 1;
    }
    if (due < total) return;
    clearInterval(timer);
    resolve();
  }, 1);
});
const lastAt = performance.now();
while (waiting.size > 0 && performance.now() - lastAt < LAST_ANSWERS_MS)
  await new Promise((next) => setTimeout(next, 20));
report.broken.push(...Array.from(waiting, () => 'never answered'));
const { user, system } = process.cpuUsage(cpuBefore);
report.cpuMs = (user + system) / 1000;
for (const socket of sockets) socket.destroy();
process.stdout.write(`${JSON.stringify(report)}\n`);
