import { accessSuite } from './access-suite.ts';
import { auditSuite } from './audit-suite.ts';
import { deliveriesSuite } from './deliveries-suite.ts';
import { liveRunsSuite } from './live-runs-suite.ts';
import { resilienceSuite } from './resilience-suite.ts';
import { runStoreSuite } from './run-store-suite.ts';
import { runVerbsSuite } from './run-verbs-suite.ts';
import { sealedSuite } from './sealed-suite.ts';
import { usageSuite } from './usage-suite.ts';

const ENGINES = [
  ['SQLite, writer in a worker thread', { writer: 'worker' }],
  ['SQLite, writer inline', { writer: 'inline' }],
  ['SQLite in memory', { url: 'sqlite::memory:', writer: 'inline' }],
] as const;

for (const [name, options] of ENGINES) {
  runStoreSuite(name, options);
  runVerbsSuite(name, options);
  liveRunsSuite(name, options);
  deliveriesSuite(name, options);
  resilienceSuite(name, options);
  accessSuite(name, options);
  sealedSuite(name, options);
  auditSuite(name, options);
  usageSuite(name, options);
}
