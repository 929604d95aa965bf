import { describe, expect, it } from 'vitest';
import { createQueue } from '../../../src/runs/queue.ts';
import type { QueuedShare } from '../../../src/runs/ports.ts';

const share = (lineage: string, runs: number, provider = 'ai-tutor'): QueuedShare => ({ provider, lineage, runs });

function joined(queue: ReturnType<typeof createQueue>, lineage: string, provider = 'ai-tutor'): boolean {
  const ticket = queue.join(provider, lineage);
  ticket?.written();
  return ticket !== null;
}

describe('the queue, as one process knows it', () => {
  it('is stood in by provider: others are not held up', () => {
    const queue = createQueue({ runsMax: 10 });
    joined(queue, 'a');
    expect([queue.hasFor('ai-tutor'), queue.hasFor('b3os')]).toEqual([true, false]);
  });

  it('has room for so many, of which one key may have half', () => {
    const queue = createQueue({ runsMax: 4 });
    expect([joined(queue, 'a'), joined(queue, 'a'), joined(queue, 'a')]).toEqual([true, true, false]);
    expect([joined(queue, 'b'), joined(queue, 'b'), joined(queue, 'c')]).toEqual([true, true, false]);
    expect(queue.total).toBe(4);
  });

  it('counts runs that are being written, and gives their room back where they are not', () => {
    const queue = createQueue({ runsMax: 1 });
    const ticket = queue.join('ai-tutor', 'a');
    expect(queue.join('ai-tutor', 'b')).toBeNull();
    ticket?.leave();
    ticket?.leave();
    expect(joined(queue, 'b')).toBe(true);
  });

  it('begins from the rows', async () => {
    const queue = createQueue({ runsMax: 10 });
    await queue.recount(async () => [share('a', 2), share('b', 1, 'b3os')]);
    expect([queue.total, queue.hasFor('b3os')]).toEqual([3, true]);
    await queue.recount(async () => []);
    expect([queue.total, queue.hasFor('b3os')]).toEqual([0, false]);
  });

  it('overlooks nobody who joins while the rows are counted', async () => {
    const queue = createQueue({ runsMax: 10 });
    await queue.recount(async () => {
      joined(queue, 'a');
      return [];
    });
    expect(queue.hasFor('ai-tutor')).toBe(true);
  });

  it('is stood in until a run that was taken from it has left', async () => {
    const queue = createQueue({ runsMax: 10 });
    const gone = queue.leave('ai-tutor');
    await queue.recount(async () => []);
    expect(queue.hasFor('ai-tutor')).toBe(true);
    gone();
    expect(queue.hasFor('ai-tutor')).toBe(false);
  });

  it('foresees runs that are about to be written too', () => {
    const queue = createQueue({ runsMax: 1_000 });
    const ticket = queue.join('ai-tutor', 'a');
    expect([queue.aheadOf('ai-tutor', 'a'), queue.aheadOf('ai-tutor', 'b')]).toEqual([1, 1]);
    ticket?.leave();
    expect(queue.aheadOf('ai-tutor', 'a')).toBe(0);
  });

  it('foresees whose turn comes before a run: all of its own key, and as many of each other', async () => {
    const queue = createQueue({ runsMax: 1_000 });
    await queue.recount(async () => [share('flood', 200), share('some', 2)]);
    expect(queue.aheadOf('ai-tutor', 'new')).toBe(2);
    expect(queue.aheadOf('ai-tutor', 'some')).toBe(2 + 3);
    expect(queue.aheadOf('ai-tutor', 'flood')).toBe(200 + 2);
  });
});
