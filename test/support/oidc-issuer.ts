import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type GenerateKeyPairResult, type JWK } from 'jose';
import type { IssuerSettings, JwtAlgorithm } from '../../src/core/access-settings.ts';

/** One of an issuer's keys, with both halves. */
export interface IssuerKey {
  kid: string;
  algorithm: JwtAlgorithm;
  privateKey: CryptoKey;
  publicJwk: JWK;
}

export interface IssuedJwt {
  key?: IssuerKey;
  header?: object;
  /** Over the usual ones; undefined leaves one out. */
  claims?: Record<string, unknown>;
}

/** An OpenID Connect issuer on loopback: its discovery document, its keys, and JWTs that it signs. */
export interface OidcIssuer extends AsyncDisposable {
  url: string;
  /** What it publishes now. */
  keys: IssuerKey[];
  /** Paths that were asked for, in order. */
  asked: string[];
  /** Answers instead of the documents; null: the documents. `hang`: never. */
  answer: { status?: number; body?: string; headers?: Record<string, string> } | 'hang' | null;
  /** Over its discovery document. */
  discovery: Record<string, unknown>;
  /** Published beside `keys`, as they are. */
  strayKeys: unknown[];
  newKey(kid: string, algorithm?: JwtAlgorithm): Promise<IssuerKey>;
  sign(jwt?: IssuedJwt): Promise<string>;
  settings(changes?: Partial<IssuerSettings>): IssuerSettings;
}

export const AUDIENCE = 'https://gateway.example';
const ISSUED_FOR_S = 300;

/** Making RSA keys takes long: the issuers of one process share them, each taking as many different ones as it needs. */
const pairs = new Map<JwtAlgorithm, Promise<GenerateKeyPairResult>[]>();

function keyPair(algorithm: JwtAlgorithm, nth: number): Promise<GenerateKeyPairResult> {
  const known = pairs.get(algorithm) ?? [];
  pairs.set(algorithm, known);
  return (known[nth] ??= generateKeyPair(algorithm, { extractable: true }));
}

/** Starts it with one RS256 key. `now` is the clock of its JWTs. */
export async function startOidcIssuer({
  keyId,
  now = Date.now,
}: {
  keyId: string;
  now?: () => number;
}): Promise<OidcIssuer> {
  const open = new Set<ServerResponse>();
  let made = 0;
  const server = createServer((request, response) => respond(request, response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  function respond({ url: path = '', method, headers }: IncomingMessage, response: ServerResponse): void {
    issuer.asked.push(path);
    open.add(response);
    response.on('close', () => open.delete(response));
    if (issuer.answer === 'hang') return;
    const documents: Record<string, object> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys`, ...issuer.discovery },
      '/keys': { keys: [...issuer.keys.map(({ publicJwk }) => publicJwk), ...issuer.strayKeys] },
    };
    const found = documents[path];
    // A client that showed a credential, or asked for something else, has a bug.
    const isOrderly = method === 'GET' && headers.authorization === undefined && headers.cookie === undefined;
    const status = issuer.answer?.status ?? (found !== undefined && isOrderly ? 200 : 404);
    response.writeHead(status, { 'content-type': 'application/json', ...issuer.answer?.headers });
    response.end(issuer.answer?.body ?? JSON.stringify(found ?? {}));
  }

  const issuer: OidcIssuer = {
    url,
    keys: [],
    asked: [],
    answer: null,
    discovery: {},
    strayKeys: [],
    async newKey(kid, algorithm = 'RS256') {
      const { publicKey, privateKey } = await keyPair(algorithm, made++);
      return {
        kid,
        algorithm,
        privateKey,
        publicJwk: { ...(await exportJWK(publicKey)), kid, alg: algorithm, use: 'sig' },
      };
    },
    async sign({ key = issuer.keys[0], header = {}, claims = {} } = {}) {
      if (key === undefined) throw new Error('the issuer has no key');
      const nowS = Math.floor(now() / 1000);
      const usual = { iss: url, aud: AUDIENCE, sub: 'user-42', iat: nowS, exp: nowS + ISSUED_FOR_S, ...claims };
      const payload = Object.fromEntries(Object.entries(usual).filter(([, value]) => value !== undefined));
      return new SignJWT(payload)
        .setProtectedHeader({ alg: key.algorithm, kid: key.kid, ...header })
        .sign(key.privateKey);
    },
    settings: (changes = {}) => ({
      issuer: url,
      audience: AUDIENCE,
      jwksUri: null,
      algorithms: ['RS256'],
      keyId,
      subjectClaim: 'sub',
      allowPrivateNetwork: true,
      ...changes,
    }),
    async [Symbol.asyncDispose]() {
      for (const response of open) response.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  issuer.keys.push(await issuer.newKey('first'));
  return issuer;
}
