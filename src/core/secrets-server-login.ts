import type { Secret } from './secret.ts';

/** How Rungate logs in at the server behind `vault:` references. */
export type SecretsServerLogin =
  | { readonly by: 'token'; readonly token: Secret }
  | { readonly by: 'token_file'; readonly file: string }
  | {
      readonly by: 'approle';
      /** Below `auth/`, without slashes at its ends. */
      readonly mount: string;
      readonly roleId: Secret;
      readonly secretId: { readonly value: Secret } | { readonly file: string };
    };
