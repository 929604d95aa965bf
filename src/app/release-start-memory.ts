import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '../core/clock.ts';

const LOOK_MS = 1_000;
/** Whoever uses no more CPU from one look to the next keeps nobody waiting. */
const REST_CPU_MS = 50;
/** Whoever has used so much since the start has compiled what callers use. */
const IN_USE_CPU_MS = 400;

export interface ReleaseParts {
  clock: Pick<Clock, 'after'>;
  /** What the process has used so far. */
  cpuMs: () => number;
  /** Collects all garbage, and gives back the room that it had. */
  collect: () => void;
}

/**
 * Gives back what the start needed and nobody needs any more, once, as soon as the process has rested for a second. While
 * modules load, V8 enlarges the space for young objects to 32 MB, and on its own keeps it: that was a quarter of an idle
 * gateway's private memory (97 MB, then 74). It takes 30 to 70 ms, and throws away what was compiled: done to a process that
 * has served thousands of runs, each later one costs half as much again, so it is done to none that is in use.
 */
export function releaseStartMemory({ clock, cpuMs, collect }: ReleaseParts): void {
  const begunMs = cpuMs();
  let lastMs = begunMs;
  clock.after(LOOK_MS, function look() {
    const nowMs = cpuMs();
    if (nowMs - begunMs > IN_USE_CPU_MS) return;
    if (nowMs - lastMs <= REST_CPU_MS) return collect();
    lastMs = nowMs;
    clock.after(LOOK_MS, look);
  });
}

/** Of this process, with all its threads. */
export function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
}

/** Node.js shows `gc` to contexts that are made while the flag is set; the flavor is what also gives room back. */
export function collectGarbage(): void {
  const options = { type: 'major', flavor: 'last-resort' } as const;
  // Whoever started Node.js with the flag keeps it.
  if (globalThis.gc) {
    globalThis.gc(options);
    return;
  }
  setFlagsFromString('--expose-gc');
  const collect: unknown = runInNewContext('globalThis.gc');
  setFlagsFromString('--no-expose-gc');
  if (typeof collect === 'function') collect(options);
}
