import type { FastifyReply } from 'fastify';
import type { OpenCalls } from '../access/open-calls.ts';
import type { Log } from '../core/log.ts';
import type { Attendance, RunService, StartedRun } from '../runs/run-service.ts';
import { callerOf } from './app.ts';
import { createEventStream } from './event-stream.ts';

/**
 * Answers the request that began a run, or joined it, with the run's events from the first one on. Its head is sent whatever
 * comes: the run is on disk, and a refusal would invite to begin another.
 */
export async function streamStart(
  reply: FastifyReply,
  { run, replayed }: StartedRun,
  {
    runs,
    openCalls,
    attendance,
    log,
  }: { runs: RunService; openCalls: Pick<OpenCalls, 'hold'>; attendance: Attendance; log: Log },
): Promise<void> {
  const { request } = reply;
  reply.header('location', `/runs/${run.id}`);
  if (replayed) reply.header('idempotent-replayed', 'true');
  const stream = createEventStream(reply, {
    openCalls,
    onOver: (how) => (how === 'left' ? attendance.left() : attendance.answered()),
  });
  stream.open();
  try {
    const following = await runs.follow(callerOf(request), run.id, 0, stream);
    if (following === 'ended') stream.close('done');
    else stream.follow(following);
  } catch (cause) {
    log.warn({ request_id: request.id, run_id: run.id, err: cause }, 'a stream could not begin to follow its run');
    stream.write(`: the events cannot be read now; come back to /runs/${run.id}/events\n\n`);
    stream.close('drain');
  }
}
