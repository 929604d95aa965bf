import type { Caller } from '../../../src/core/caller.ts';

/** Everybody who asks comes with the same key. */
export const CALLER: Caller = {
  keyId: 'k',
  keyName: 'simulation',
  lineage: 'k',
  subject: null,
  role: 'runs',
  allowedWorkflows: [],
  allowedProviders: [],
};
