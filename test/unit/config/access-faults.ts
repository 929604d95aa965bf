import { JWT_ALGORITHMS } from '../../../src/core/access-settings.ts';
import { ORIGIN_FORM } from '../../../src/core/origin.ts';

export const ISSUER = 'issuer: https://id.example.com, audience: https://gateway.example.com, key: 0123456789abcdef';
export const issuer = (fields: string) => `access: { issuers: [{ ${fields} }] }`;
const origins = (list: string) => `access: { origins: [${list}] }`;

const ALGORITHMS = `expected one of ${JWT_ALGORITHMS.join(', ')}`;

/** What can be wrong with `access`: its name, a file that has it, and the first fault that is told, with its place. */
export const ACCESS_FAULTS: [string, string, string][] = [
  ['access that is a list', 'access: []', '1:9 access: expected an object'],
  ['an unknown part of access', 'access: { origin: [] }', '1:11 access.origin: unknown field; did you mean origins?'],
  [
    'an origin with a path',
    origins('https://a.example/'),
    `1:21 access.origins[0]: expected ${ORIGIN_FORM}; not "https://a.example/"`,
  ],
  ['an origin with a star', origins('"*"'), `1:21 access.origins[0]: expected ${ORIGIN_FORM}; not "*"`],
  ['an origin that is null', origins('"null"'), `1:21 access.origins[0]: expected ${ORIGIN_FORM}; not "null"`],
  [
    'an origin with a password',
    origins('https://me:hunter2@a.example'),
    `1:21 access.origins[0]: expected ${ORIGIN_FORM}`,
  ],
  [
    'an origin in plain HTTP',
    origins('http://a.example'),
    `1:21 access.origins[0]: expected ${ORIGIN_FORM}; not "http://a.example"`,
  ],
  [
    'an origin in capitals',
    origins('https://ok.example, HTTPS://A.example'),
    `1:41 access.origins[1]: expected ${ORIGIN_FORM}; not "HTTPS://A.example"`,
  ],
  [
    'an origin twice',
    origins('https://a.example, https://a.example'),
    '1:40 access.origins[1]: expected each origin once',
  ],
  ['an issuer without anything', issuer(''), '1:21 access.issuers[0].issuer: required: expected a string'],
  [
    'an issuer that is a text',
    'access: { issuers: [https://id.example.com] }',
    '1:21 access.issuers[0]: expected an object, not a string',
  ],
  [
    'an issuer that is no URL',
    issuer(ISSUER.replace('https://id.example.com', 'hunter2')),
    '1:31 access.issuers[0].issuer: expected an https:// URL',
  ],
  [
    'an issuer in plain HTTP',
    issuer(ISSUER.replace('https://id', 'http://id')),
    '1:31 access.issuers[0].issuer: expected https://; http:// is only for private networks, with allow_private_network: true',
  ],
  [
    'an issuer with a password',
    issuer(ISSUER.replace('https://', 'https://u:hunter2@')),
    '1:31 access.issuers[0].issuer: expected a URL without user and password',
  ],
  [
    'keys that lie in a file',
    issuer(`${ISSUER}, jwks_uri: file:///etc/hunter2`),
    '1:127 access.issuers[0].jwks_uri: expected an https:// URL',
  ],
  [
    'an algorithm with a shared secret',
    issuer(`${ISSUER}, algorithms: [HS256]`),
    `1:130 access.issuers[0].algorithms[0]: ${ALGORITHMS}`,
  ],
  ['no algorithm', issuer(`${ISSUER}, algorithms: [none]`), `1:130 access.issuers[0].algorithms[0]: ${ALGORITHMS}`],
  [
    'no algorithms at all',
    issuer(`${ISSUER}, algorithms: []`),
    '1:129 access.issuers[0].algorithms: expected at least 1 item',
  ],
  [
    'a key’s secret instead of its id',
    issuer(ISSUER.replace('0123456789abcdef', 'rgk_hunter2')),
    '1:99 access.issuers[0].key: expected the id of a key, as `rungate keys list` shows it',
  ],
  [
    'an issuer twice',
    `access: { issuers: [{ ${ISSUER} }, { ${ISSUER.replace('0123', '9999')} }] }`,
    '1:129 access.issuers[1].issuer: expected each issuer once',
  ],
  [
    'two issuers of one key',
    `access: { issuers: [{ ${ISSUER} }, { ${ISSUER.replace('id.', 'two.')} }] }`,
    '1:198 access.issuers[1].key: expected a key of its own for each issuer: users of two may have one name',
  ],
];
