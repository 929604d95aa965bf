import { runStoreSuite } from './run-store-suite.ts';

runStoreSuite('SQLite, writer in a worker thread', { writer: 'worker' });
runStoreSuite('SQLite, writer inline', { writer: 'inline' });
runStoreSuite('SQLite in memory', { url: 'sqlite::memory:', writer: 'inline' });
