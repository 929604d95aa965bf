import { readdir } from 'node:fs/promises';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';

/** How often the loop's lateness is measured. */
const RESOLUTION_MS = 20;
const NANOSECONDS_PER_SECOND = 1e9;
const MICROSECONDS_PER_SECOND = 1e6;

export interface EventLoopSeen {
  p50Seconds: number;
  p99Seconds: number;
  maxSeconds: number;
  /** The share of the time in which it was busy. */
  utilization: number;
}

export interface EventLoopMonitor {
  /** Since the last call. */
  take(): EventLoopSeen;
  stop(): void;
}

/** Begins to measure; does not keep the process alive. */
export function monitorEventLoop(): EventLoopMonitor {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delays.enable();
  let before = performance.eventLoopUtilization();
  // What is measured is the time between two ticks, the wanted one included.
  const late = (nanoseconds: number) =>
    delays.count === 0 ? 0 : Math.max(0, nanoseconds / NANOSECONDS_PER_SECOND - RESOLUTION_MS / 1000);
  return {
    take() {
      const now = performance.eventLoopUtilization();
      const seen = {
        p50Seconds: late(delays.percentile(50)),
        p99Seconds: late(delays.percentile(99)),
        maxSeconds: late(delays.max),
        utilization: performance.eventLoopUtilization(now, before).utilization,
      };
      before = now;
      delays.reset();
      return seen;
    },
    stop: () => void delays.disable(),
  };
}

/** CPU seconds of all threads, memory and heap in bytes. */
export function readProcessStats(): { cpuSeconds: number; rss: number; heapUsed: number; heapLimit: number } {
  const { user, system } = process.cpuUsage();
  const heap = getHeapStatistics();
  return {
    cpuSeconds: (user + system) / MICROSECONDS_PER_SECOND,
    rss: process.memoryUsage.rss(),
    heapUsed: heap.used_heap_size,
    heapLimit: heap.heap_size_limit,
  };
}

/** Open file descriptors; null where the system does not tell. */
export async function countOpenFiles(): Promise<number | null> {
  try {
    return (await readdir('/proc/self/fd')).length;
  } catch {
    return null;
  }
}
