/** Algorithms with which an issuer may sign: its private key signs, its public one checks. Never a shared secret. */
export const JWT_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;
export type JwtAlgorithm = (typeof JWT_ALGORITHMS)[number];

/** Who signs users in, and what their JWTs may do here. */
export interface IssuerSettings {
  /** Exactly as its JWTs have it in `iss`. */
  issuer: string;
  /** What `aud` must hold. */
  audience: string;
  /** Null: as the issuer's discovery document says. */
  jwksUri: string | null;
  /** Any other is refused. */
  algorithms: readonly JwtAlgorithm[];
  /** Id of the client key whose rights and runs they share. */
  keyId: string;
  /** The claim that names the user. */
  subjectClaim: string;
  allowPrivateNetwork: boolean;
}

/** What the configuration says of access beyond keys. */
export interface AccessSettings {
  /** Browser origins that any key or token may be used from. */
  origins: ReadonlySet<string>;
  /** Each `issuer` once. */
  issuers: readonly IssuerSettings[];
}

export const NO_ACCESS_SETTINGS: AccessSettings = Object.freeze({ origins: new Set<string>(), issuers: [] });
