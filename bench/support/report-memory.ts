// Loaded before a gateway under measurement: on SIGUSR2 it prints its memory in bytes, before and after a garbage
// collection that also gives pages back; V8 keeps freed ones for a long time, which says nothing of what is in use.
process.on('SIGUSR2', () => {
  const { rss: rssBefore } = process.memoryUsage();
  for (let i = 0; i < 2; i++) globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  const { heapUsed: heap, rss } = process.memoryUsage();
  process.stdout.write(`${JSON.stringify({ heap, rss, rssBefore })}\n`);
});
