import { scopeOf, seesEveryone, type Caller } from '../core/caller.ts';
import { GatewayError } from '../core/errors.ts';
import type { RunId } from '../core/ids.ts';
import type { AnyProviderKind } from '../providers/define-provider.ts';
import type { Attendances } from './attendance.ts';
import type { RunCommands } from './commands.ts';
import type { Feed } from './feed.ts';
import type { Flights } from './flights.ts';
import { isSettled, type Run, type RunWithPayloads } from './model.ts';
import type { RunStore } from './ports.ts';
import { cannot } from './resume.ts';
import type { RunService } from './run-service.ts';
import type { Waits } from './waits.ts';

export interface ServiceParts extends Pick<RunService, 'create' | 'resume'> {
  store: RunStore;
  waits: Waits;
  flights: Flights;
  feed: Feed;
  attendances: Attendances;
  commands: RunCommands;
  kindOf: (run: Run) => AnyProviderKind;
  /** Something was made due. */
  soon: () => void;
}

/** What HTTP asks of runs: finds the caller's own, waits, and hands commands on. */
export function createRunService({
  store,
  waits,
  flights,
  feed,
  commands,
  kindOf,
  ...parts
}: ServiceParts): RunService {
  async function visible(caller: Caller, id: RunId): Promise<RunWithPayloads> {
    const run = await store.get(id);
    if (!run || !maySee(caller, run)) throw noSuchRun();
    return run;
  }

  return {
    create: parts.create,
    get: visible,
    async settle(caller, id, { ms, signal, written }) {
      // Subscribe, then read, then wait: an end between reading and waiting would otherwise be missed.
      // While the vendor has not answered the start, there is nothing to read.
      const wait = waits.wait(id, ms, signal);
      try {
        const now = written && flights.isUnanswered(id) ? written.run : await store.peek(id);
        // Before the wait: whoever may not see the run learns nothing from how long the answer takes, and holds no place.
        if (!now || !maySee(caller, now)) throw noSuchRun();
        const moved = isSettled(now) ? null : await wait.done;
        if (moved && written) return { ...moved.run, inputs: written.inputs, output: moved.output };
      } finally {
        wait.stop();
      }
      return visible(caller, id);
    },
    async list(caller, filter, page) {
      if (seesEveryone(caller)) return store.list({ ...filter, lineage: null }, page);
      const scope = scopeOf(caller);
      if (filter.subject !== undefined && scope !== '' && filter.subject !== scope) return { runs: [], next: null };
      return store.list({ ...filter, lineage: caller.lineage, ...(scope === '' ? {} : { subject: scope }) }, page);
    },
    async events(caller, id, after, limit) {
      await visible(caller, id);
      return store.eventsAfter(id, after, limit);
    },
    async follow(caller, id, after, reader) {
      const following = feed.follow(await visible(caller, id), after, reader);
      parts.attendances.followed(id);
      return following;
    },
    attend: (run, joined) => parts.attendances.attend(run, joined),
    async deliveries(caller, id) {
      await visible(caller, id);
      return store.deliveries(id);
    },
    async redeliver(caller, id, deliveryId) {
      await visible(caller, id);
      const delivery = await store.redeliver(id, deliveryId);
      if (!delivery) throw new GatewayError('not_found', { param: 'delivery_id' });
      parts.soon();
      return delivery;
    },
    async resume(caller, id, request, context) {
      await visible(caller, id);
      return parts.resume(caller, id, request, context);
    },
    async pause(caller, id) {
      const kind = kindOf(await visible(caller, id));
      if (!kind.pause) throw cannot(kind, 'pause');
      await commands.pause(id);
      parts.soon();
      return visible(caller, id);
    },
    async cancel(caller, id) {
      await visible(caller, id);
      await commands.cancel(id);
      parts.soon();
      return visible(caller, id);
    },
    async remove(caller, id) {
      const run = await visible(caller, id);
      if ((await store.remove(id)) === 'not_ended') throw new GatewayError('run_not_ended', { runId: id });
      return run;
    },
  };
}

function noSuchRun(): GatewayError {
  return new GatewayError('not_found', { param: 'id' });
}

/** A run belongs to the line of keys that started it and to the scope that did; readers and admins see everyone's. */
function maySee(caller: Caller, run: Run): boolean {
  if (seesEveryone(caller)) return true;
  const scope = scopeOf(caller);
  return run.lineage === caller.lineage && (scope === '' || scope === run.subject);
}
