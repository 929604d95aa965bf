import { provider, workflow } from './config-faults.ts';

/** A workflow of these targets. */
export const targets = (entries: string, more = '') => `workflows: { w: { targets: [${entries}]${more} } }`;
const fallbacks = (entries: string) => workflow(`fallbacks: [${entries}]`);
const CODES =
  'upstream_unreachable, upstream_unavailable, upstream_rate_limited, upstream_quota_exhausted, upstream_auth_failed, upstream_payment_required, credentials_exhausted, no_credential, vault_unavailable, upstream_forbidden, upstream_workflow_not_found';

/** What can be wrong with where starts go and how many: its name, a file that has it, and the first fault that is told. */
export const TARGET_FAULTS: [string, string, string][] = [
  ['limits that are a list', provider('limits: []'), '1:30 providers.b3os.limits: expected an object'],
  [
    'an unknown limit',
    provider('limits: { concurency: 1 }'),
    '1:32 providers.b3os.limits.concurency: unknown field; did you mean concurrency?',
  ],
  [
    'a limit of nothing',
    provider('limits: { concurrency: 0 }'),
    '1:45 providers.b3os.limits.concurrency: expected at least 1',
  ],
  [
    'a limit that is a fraction',
    provider('limits: { requests_per_minute: 1.5 }'),
    '1:53 providers.b3os.limits.requests_per_minute: expected a whole number',
  ],
  [
    'a limit beyond all bounds',
    provider('limits: { requests_per_minute: 1000001 }'),
    '1:53 providers.b3os.limits.requests_per_minute: expected at most 1000000',
  ],
  [
    'an unknown limit of a credential',
    provider('limits: { per_credential: { rpm: 1 } }'),
    '1:50 providers.b3os.limits.per_credential.rpm: unknown field; expected one of concurrency, requests_per_minute',
  ],
  [
    'a limit of a credential that is a text',
    provider('limits: { per_credential: { concurrency: many } }'),
    '1:63 providers.b3os.limits.per_credential.concurrency: expected a number, not a string',
  ],
  [
    'an unknown timeout',
    provider('timeouts: { header_s: 1 }'),
    '1:34 providers.b3os.timeouts.header_s: unknown field; did you mean headers_s?',
  ],
  [
    'a timeout that is too short',
    provider('timeouts: { headers_s: 0.001 }'),
    '1:45 providers.b3os.timeouts.headers_s: expected at least 0.01',
  ],
  [
    'an idle time over an hour',
    provider('timeouts: { idle_s: 3601 }'),
    '1:42 providers.b3os.timeouts.idle_s: expected at most 3600',
  ],
  [
    'a total time over a day',
    provider('timeouts: { total_s: 86401 }'),
    '1:43 providers.b3os.timeouts.total_s: expected at most 86400',
  ],
  [
    'a credential that is a number',
    provider('credentials: [1]'),
    '1:36 providers.b3os.credentials[0]: expected a reference such as env:AI_TUTOR_KEY, or { ref, weight }',
  ],
  [
    'a credential without reference',
    provider('credentials: [{ weight: 2 }]'),
    '1:36 providers.b3os.credentials[0].ref: required: expected a string',
  ],
  [
    'a secret with a weight',
    provider('credentials: [{ ref: hunter2, weight: 2 }]'),
    '1:43 providers.b3os.credentials[0].ref: expected a reference to a secret, such as env:AI_TUTOR_KEY, and never the secret itself',
  ],
  [
    'a credential without weight',
    provider('credentials: [{ ref: env:AI_TUTOR_KEY, weight: 0 }]'),
    '1:69 providers.b3os.credentials[0].weight: expected at least 1',
  ],
  [
    'a credential with an unknown field',
    provider('credentials: [{ ref: env:AI_TUTOR_KEY, wieght: 1 }]'),
    '1:61 providers.b3os.credentials[0].wieght: unknown field; did you mean weight?',
  ],
  [
    'an unset variable with a weight',
    provider('credentials: [{ ref: env:NOT_SET, weight: 2 }]'),
    '1:43 providers.b3os.credentials[0].ref: env:NOT_SET: set this variable in the server’s environment',
  ],
  [
    'a reference twice',
    provider('credentials: [env:AI_TUTOR_KEY, { ref: env:AI_TUTOR_KEY, weight: 2 }]'),
    '1:61 providers.b3os.credentials[1].ref: expected each reference once; a weight gives it more',
  ],
  [
    'targets beside a provider',
    workflow('targets: [{ provider: b3os, workflow: wf_2 }]'),
    '1:51 workflows.w.targets: expected either targets, or provider and workflow',
  ],
  ['targets that are none', targets(''), '1:28 workflows.w.targets: expected at least 1 item'],
  [
    'targets that are a text',
    'workflows: { w: { targets: b3os } }',
    '1:28 workflows.w.targets: expected a list, not a string',
  ],
  ['a target that is a text', targets('b3os'), '1:29 workflows.w.targets[0]: expected an object, not a string'],
  [
    'a target without workflow',
    targets('{ provider: b3os }'),
    '1:29 workflows.w.targets[0].workflow: required: expected a string',
  ],
  [
    'a target with an unknown field',
    targets('{ provider: b3os, workflow: w, wieght: 1 }'),
    '1:60 workflows.w.targets[0].wieght: unknown field; did you mean weight?',
  ],
  [
    'a target of a provider that is not there',
    targets('{ provider: b3os, workflow: w }, { provider: b4os, workflow: w }'),
    '1:74 workflows.w.targets[1].provider: no provider of this name; did you mean b3os?',
  ],
  [
    'a target whose id has a slash',
    targets('{ provider: b3os, workflow: a/b }'),
    '1:57 workflows.w.targets[0].workflow: expected 1 to 200 letters, digits or . _ ~ : @ -, beginning with a letter or digit',
  ],
  [
    'a weight below nothing',
    targets('{ provider: b3os, workflow: w, weight: -1 }'),
    '1:68 workflows.w.targets[0].weight: expected at least 0',
  ],
  [
    'a weight that is a fraction',
    targets('{ provider: b3os, workflow: w, weight: 0.5 }'),
    '1:68 workflows.w.targets[0].weight: expected a whole number',
  ],
  [
    'a weight beyond all bounds',
    targets('{ provider: b3os, workflow: w, weight: 1001 }'),
    '1:68 workflows.w.targets[0].weight: expected at most 1000',
  ],
  [
    'targets without any weight',
    targets('{ provider: b3os, workflow: w, weight: 0 }'),
    '1:28 workflows.w.targets: expected at least one target with a weight over 0',
  ],
  [
    'a target twice',
    targets('{ provider: b3os, workflow: w }, { provider: b3os, workflow: w, weight: 2 }'),
    '1:62 workflows.w.targets[1]: expected each target once',
  ],
  [
    'a sticky key without targets',
    workflow('sticky_by: user_id'),
    '1:51 workflows.w.sticky_by: expected targets beside it, which it chooses among',
  ],
  ['a sticky key that is none', workflow('sticky_by: ""'), '1:62 workflows.w.sticky_by: expected at least 1 character'],
  ['a fallback that is a text', fallbacks('b3os'), '1:63 workflows.w.fallbacks[0]: expected an object, not a string'],
  [
    'a fallback of a provider that is not there',
    fallbacks('{ provider: b4os, workflow: w }'),
    '1:75 workflows.w.fallbacks[0].provider: no provider of this name; did you mean b3os?',
  ],
  [
    'a fallback with a weight',
    fallbacks('{ provider: ai-tutor, workflow: w, weight: 1 }'),
    '1:98 workflows.w.fallbacks[0].weight: unknown field; expected one of provider, workflow, when',
  ],
  [
    'a fallback to the only target',
    fallbacks('{ provider: b3os, workflow: wf_1 }'),
    '1:63 workflows.w.fallbacks[0]: expected another target than the one that has failed by then',
  ],
  [
    'a fallback to the only one of the targets',
    targets('{ provider: b3os, workflow: w }', ', fallbacks: [{ provider: b3os, workflow: w }]'),
    '1:75 workflows.w.fallbacks[0]: expected another target than the one that has failed by then',
  ],
  [
    'a fallback twice',
    fallbacks('{ provider: b3os, workflow: w }, { provider: b3os, workflow: w, when: [no_credential] }'),
    '1:96 workflows.w.fallbacks[1]: expected each target once',
  ],
  [
    'a fallback that is never taken',
    fallbacks('{ provider: b3os, workflow: w, when: [] }'),
    '1:100 workflows.w.fallbacks[0].when: expected at least 1 item',
  ],
  [
    'a misspelt error',
    fallbacks('{ provider: b3os, workflow: w, when: [upstream_unavailible] }'),
    `1:101 workflows.w.fallbacks[0].when[0]: expected one of ${CODES}; did you mean upstream_unavailable?`,
  ],
  [
    'an error that is no proof',
    fallbacks('{ provider: b3os, workflow: w, when: [no_credential, outcome_unknown] }'),
    `1:116 workflows.w.fallbacks[0].when[1]: outcome_unknown is no proof that nothing began at the target: expected one of ${CODES}`,
  ],
  [
    'an error that is a number',
    fallbacks('{ provider: b3os, workflow: w, when: [503] }'),
    '1:101 workflows.w.fallbacks[0].when[0]: expected a string, not a number',
  ],
];
