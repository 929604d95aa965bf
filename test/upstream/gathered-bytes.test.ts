import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { OutboundAnswer } from '../../src/core/outbound.ts';
import { Secret } from '../../src/core/secret.ts';
import { AnswerCollector } from '../../src/upstream/answer-collector.ts';
import { Call } from '../../src/upstream/call.ts';
import { GatheredBytes } from '../../src/upstream/gathered-bytes.ts';
import type { AnswerHandler, Controller } from '../../src/upstream/interceptors/interceptor.ts';
import { scrubAnswer } from '../../src/upstream/interceptors/scrub-answer.ts';
import { requestTo, SECRET } from './support.ts';

const TEXT = '{"said":"in very small pieces"}';
const ORIGIN = 'http://127.0.0.1:9';
const controller = {} as Controller;
const quiet = () => undefined;

function callOf(): Call {
  const call = new Call(requestTo(ORIGIN), { origin: ORIGIN, basePath: '' });
  call.secrets = [new Secret(SECRET)];
  return call;
}

/** Hands the text over byte by byte and forgets each byte, save the first: who kept the pieces has nothing but zeros. */
function answerByteByByte(handler: AnswerHandler): void {
  handler.onResponseStart(controller, 200, {});
  for (const [i, byte] of Buffer.from(TEXT).entries()) {
    const piece = Buffer.from([byte]);
    handler.onResponseData(controller, piece);
    if (i > 0) piece.fill(0);
  }
  handler.onResponseEnd(controller, {});
}

it('puts pieces of any size together in their order, and then holds nothing', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 60 }), (pieces) => {
      const gathered = new GatheredBytes();
      for (const piece of pieces) gathered.add(Buffer.from(piece));
      expect(gathered.take()).toEqual(pieces.length === 0 ? null : Buffer.concat(pieces));
      expect(gathered.take()).toBeNull();
    }),
  );
});

it('does not hold on to the pieces of an answer that is to be scrubbed', () => {
  let body = '';
  const next: AnswerHandler = {
    onRequestStart: quiet,
    onResponseStart: quiet,
    onResponseData: (_controller, bytes) => void (body += bytes.toString()),
    onResponseEnd: quiet,
    onResponseError: quiet,
  };
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
  scrubAnswer({ log })((_call, handler) => {
    answerByteByByte(handler);
    return true;
  })(callOf(), next);
  expect(body).toBe(TEXT);
});

it('collects an answer in very many pieces in a time that grows with their number', async () => {
  const piece = Buffer.from(' ');
  const before = process.cpuUsage();
  const answer = await new Promise<OutboundAnswer>((resolve, reject) => {
    const collector = new AnswerCollector(callOf(), systemClock, { resolve, reject });
    collector.onResponseStart(controller, 200, {});
    for (let i = 0; i < 500_000; i++) collector.onResponseData(controller, piece);
    collector.onResponseData(controller, Buffer.from(TEXT));
    collector.onResponseEnd();
  });
  const { user, system } = process.cpuUsage(before);
  expect(answer.body).toEqual({ kind: 'json', value: JSON.parse(TEXT) });
  // It is some ten milliseconds; joined one by one, more than ten seconds.
  expect((user + system) / 1e6).toBeLessThan(3);
});
