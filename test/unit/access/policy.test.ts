import { describe, expect, it } from 'vitest';
import { NO_LIMITS } from '../../../src/access/key-limits.ts';
import { allowsProvider, allowsWorkflow, mayStart } from '../../../src/access/policy.ts';
import { ROLES, seesEveryone, type Caller } from '../../../src/core/caller.ts';

const anything: Caller = {
  keyId: 'k',
  keyName: 'k',
  lineage: 'k',
  keyExpiresAt: null,
  subject: null,
  token: null,
  origins: [],
  role: 'runs',
  allowedWorkflows: [],
  allowedProviders: [],
  limits: NO_LIMITS,
};
const workflowsOnly: Caller = { ...anything, allowedWorkflows: ['summarize'] };
const providersOnly: Caller = { ...anything, allowedProviders: ['ai-tutor', 'b3os/wf_1', 'dify/a/b'] };

describe('a key without allow-lists', () => {
  it('starts everything', () => {
    mayStart(anything, { workflow: 'summarize' });
    mayStart(anything, { provider: 'b3os', workflow: 'wf_1' });
    expect(allowsWorkflow(anything, 'summarize')).toBe(true);
    expect(allowsProvider(anything, 'b3os')).toBe(true);
  });
});

describe('a token', () => {
  const token = { id: 't', runsMax: null, expiresAt: 1, origin: null };

  it('starts registered workflows alone and is shown no provider, whatever its key may', () => {
    for (const key of [anything, providersOnly]) {
      const caller: Caller = { ...key, token };
      expect(() => mayStart(caller, { provider: 'ai-tutor', workflow: 'wf_1' })).toThrow('leave `provider` out');
      expect(allowsProvider(caller, 'ai-tutor')).toBe(false);
    }
    mayStart({ ...anything, token }, { workflow: 'summarize' });
  });
});

describe('a key for registered workflows', () => {
  it('starts those, and nothing by a vendor’s own id', () => {
    mayStart(workflowsOnly, { workflow: 'summarize' });
    expect(() => mayStart(workflowsOnly, { workflow: 'other' })).toThrow('allow-list');
    expect(() => mayStart(workflowsOnly, { provider: 'ai-tutor', workflow: 'summarize' })).toThrow('allow-list');
    expect(allowsWorkflow(workflowsOnly, 'other')).toBe(false);
    expect(allowsProvider(workflowsOnly, 'ai-tutor')).toBe(false);
  });
});

describe('a key for providers', () => {
  it('starts any workflow of a named one, a named workflow of another, and no registered one', () => {
    mayStart(providersOnly, { provider: 'ai-tutor', workflow: 'whatever' });
    mayStart(providersOnly, { provider: 'b3os', workflow: 'wf_1' });
    mayStart(providersOnly, { provider: 'dify', workflow: 'a/b' });
    for (const target of [
      { provider: 'b3os', workflow: 'wf_2' },
      { provider: 'ai', workflow: 'tutor' },
      { provider: 'dify', workflow: 'a' },
      { provider: 'b3os/wf_1', workflow: '' },
      { workflow: 'ai-tutor' },
      { workflow: 'b3os/wf_1' },
    ]) {
      expect(() => mayStart(providersOnly, target)).toThrow('allow-list');
    }
  });

  it('is shown the providers that it can use, wholly or in part', () => {
    expect(['ai-tutor', 'b3os', 'dify', 'ai', 'b3'].filter((name) => allowsProvider(providersOnly, name))).toEqual([
      'ai-tutor',
      'b3os',
      'dify',
    ]);
  });
});

describe('a role', () => {
  it('runs alone starts runs', () => {
    for (const role of ROLES.filter((name) => name !== 'runs')) {
      expect(() => mayStart({ ...anything, role }, { workflow: 'summarize' })).toThrow(role);
    }
  });

  it('viewer and admin see everyone’s runs', () => {
    expect(ROLES.filter((role) => seesEveryone({ role }))).toEqual(['viewer', 'admin']);
  });
});
