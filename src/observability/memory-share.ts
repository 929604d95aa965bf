import { getHeapStatistics } from 'node:v8';

/**
 * Of the heap that V8 may take, the part in use, with the buffers that hang on it: 0 to 1, and beyond 1 where buffers
 * are many. Not resident memory: the system's allocators keep what they once had, so it does not fall when work is done.
 */
export function memoryShare(): number {
  const { used_heap_size: used, external_memory: external, heap_size_limit: limit } = getHeapStatistics();
  return (used + external) / limit;
}
