import { startWriterThread } from '../store/writer-thread.ts';
import { listenToSignals } from './listen-to-signals.ts';
import type { ServeOptions } from './serve.ts';

/** What `rungate serve` does. */
export type BeginServe = (options: Omit<ServeOptions, 'writerThread' | 'signals'>) => Promise<void>;

/** Loads the gateway and runs it: see `serve`. The store's thread loads at the same time, on another core. */
export const beginServe: BeginServe = async (options) => {
  const signals = listenToSignals();
  const writerThread = startWriterThread();
  const { serve } = await import('./serve.ts');
  await serve({ ...options, writerThread, signals });
};
