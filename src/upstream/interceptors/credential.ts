import { isJsonObject } from '../../core/json.ts';
import type { Log } from '../../core/log.ts';
import type { Auth } from '../../core/outbound.ts';
import type { Secret } from '../../core/secret.ts';
import { withQuery, type Call } from '../call.ts';
import { invalidRequest } from '../target.ts';
import { headerNameIsSafe, headerValueIsSafe } from './header-rules.ts';
import type { Interceptor } from './interceptor.ts';

/** Opening failed; `cause` is what the vault threw, and what the caller gets. */
export class CredentialNotOpened extends Error {
  override readonly name = 'CredentialNotOpened';
}

/**
 * Opens the credential and puts it into the request: only for the origin that it is bound to, checked before it is
 * opened. undici fixes a request's headers when it is dispatched, and opening is asynchronous, so the rest of the way
 * is gone once the secret is there (undici's own `dns` interceptor dispatches later in the same manner). That is the
 * latest moment there is: for a call that has to wait for a connection, the secret waits in undici's queue with it.
 * Redirects are never followed, so no other origin comes in later.
 */
export function credential({ log }: { log: Log }): Interceptor {
  return (dispatch) => (call, handler) => {
    const { credential } = call.request;
    if (credential === null) throw invalidRequest('a call to a vendor needs a credential');
    if (credential.origin !== call.target.origin) {
      log.error(
        { credential: credential.id, origin: call.target.origin },
        'credential refused: bound to another origin',
      );
      throw invalidRequest('the credential is bound to another origin');
    }
    credential.open().then(
      (secret) => {
        // Aborted or out of time meanwhile: the caller has its error already.
        if (call.over) return;
        try {
          inject(call, secret);
          dispatch(call, handler);
        } catch (error) {
          handler.onResponseError(null, error as Error);
        }
      },
      (cause: unknown) => handler.onResponseError(null, new CredentialNotOpened('not opened', { cause })),
    );
    return true;
  };
}

function inject(call: Call, secret: Secret): void {
  const { auth, secretQuery } = call.request;
  call.secrets = secretQuery === undefined ? [secret] : [secret, secretQuery.value];
  show(call, auth, secret.open());
  if (secretQuery === undefined) return;
  const value = secretQuery.value.open();
  if (value === '') throw invalidRequest('a secret parameter is empty');
  call.path = withQuery(call.path, { [secretQuery.name]: value });
}

/** A credential that is not shown is opened all the same: only so can an echo of it be found. */
function show(call: Call, auth: Auth, value: string): void {
  if (auth.type === 'none') return;
  if (auth.type === 'query') {
    call.path = withQuery(call.path, { [auth.name]: value });
    return;
  }
  if (auth.type === 'body') {
    const { body } = call.request;
    if (!isJsonObject(body) || call.kind === 'upgrade') throw invalidRequest('the credential has no body to go into');
    call.body = JSON.stringify({ ...body, [auth.name]: value });
    return;
  }
  const name = auth.type === 'bearer' ? 'authorization' : auth.name;
  if (!headerNameIsSafe(name) || !headerValueIsSafe(value) || value.trim() !== value || value === '') {
    throw invalidRequest('the credential cannot be written as a header');
  }
  call.headers.push(name, auth.type === 'bearer' ? `Bearer ${value}` : value);
}
