/** Where a fault arose, so that nobody mistakes a vendor's 401 for their own. */
export type ErrorSource = 'gateway' | 'upstream' | 'network';

export interface CatalogueEntry {
  /** HTTP status of an answer that carries this code. */
  readonly status: number;
  readonly source: ErrorSource;
  /**
   * True: the same request sent again, with the same idempotency key or none, may succeed and
   * cannot begin a second run. The upstream codes give the default; an answer can decide otherwise.
   */
  readonly retryable: boolean;
  /** What happened, as a default message and in the documents. */
  readonly message: string;
  /** What the reader does about it. */
  readonly advice: string;
}

/** Every error code there is. The documents and the OpenAPI file are checked against this table. */
export const ERROR_CATALOGUE = {
  invalid_request: gateway(400, 'The request has a wrong field, header or parameter.', 'Correct what `param` names.'),
  invalid_json: gateway(400, 'The request body is not valid JSON.', 'Send one JSON object in UTF-8.'),
  unknown_option: gateway(400, 'This provider has no such option.', 'Look at the options that `GET /providers` lists.'),
  unauthorized: gateway(
    401,
    'The client key or token is missing, wrong, expired or revoked.',
    'Send `Authorization: Bearer rgk_…` with a key from `rungate keys create`, or a token of one. Beside `serve --sandbox` that is a key from `rungate keys create --sandbox`.',
  ),
  forbidden: gateway(
    403,
    'This key may not do that.',
    'Use a key with the role or the allow-list entry that the message names.',
  ),
  not_found: gateway(
    404,
    'There is no such resource, or it is not yours.',
    'Check the path and the id. `/admin/…` and `/metrics` are on the admin listener (`http://127.0.0.1:8081`).',
  ),
  unknown_provider: gateway(
    404,
    'No provider of this name is configured; `GET /providers` lists those that are.',
    'Correct the name, or have the operator configure the provider.',
  ),
  unknown_workflow: gateway(
    404,
    'No workflow of this name is registered.',
    'Register it in `rungate.yaml`, or send `provider` with the vendor’s own id.',
  ),
  method_not_allowed: gateway(405, 'This path does not take that method.', 'The `Allow` header lists the methods.'),
  not_acceptable: gateway(
    406,
    'The answer cannot be given in the form that `Accept` asks for.',
    'Accept `application/json`.',
  ),
  run_not_waiting: gateway(
    409,
    'The run is not waiting, so there is nothing to resume.',
    'Read the run; it has moved on.',
  ),
  run_not_running: gateway(409, 'The run is not running, so it cannot be paused.', 'Read the run; it has moved on.'),
  run_not_addressable: gateway(
    409,
    'The vendor has not named this run yet.',
    'Try again once `upstream.run_id` is set.',
  ),
  run_not_ended: gateway(409, 'The run has not ended yet.', 'Cancel it, or wait for its end.'),
  payload_too_large: gateway(413, 'The request body is too large.', 'Send less, or have the operator raise the limit.'),
  unsupported_media_type: gateway(
    415,
    'The request is not declared as plain JSON: send `Content-Type: application/json`, in UTF-8, without a content encoding.',
    'Correct the request’s headers.',
  ),
  unsupported_operation: gateway(
    422,
    'This provider or this version cannot do that.',
    '`GET /providers` lists what each provider can do.',
  ),
  idempotency_key_reused: gateway(
    422,
    'This idempotency key was used with another request.',
    'Use a new key for a new request.',
  ),
  rate_limited: gateway(429, 'This key sends too many requests.', 'Wait for `Retry-After`.', true),
  concurrency_limited: gateway(429, 'This key has too many unfinished runs.', 'Wait for one of them to end.', true),
  quota_exceeded: gateway(
    429,
    'This key or token has used up its runs.',
    'Key: wait for the next day of UTC, or ask the operator. Token (`max_runs`): get a new one; waiting does not help.',
    true,
  ),
  credentials_exhausted: gateway(
    502,
    'Every credential of this provider is set aside.',
    'The operator checks them with `rungate credentials list`.',
  ),
  no_credential: gateway(
    503,
    'This provider has no credential.',
    'The operator adds one with `rungate credentials add <provider> --stdin`.',
    true,
  ),
  overloaded: gateway(503, 'Rungate has as much work as it can take.', 'Wait for `Retry-After`.', true),
  shutting_down: gateway(503, 'This process is about to stop.', 'Send the request again after `Retry-After`.', true),
  store_unavailable: gateway(
    503,
    'The store cannot be written to or read.',
    'Nothing was started. Send the request again; the operator looks at the disk.',
    true,
  ),
  vault_unavailable: gateway(
    503,
    'The credential cannot be opened now.',
    'Send the request again; the operator looks at the vault.',
    true,
  ),
  loop_detected: gateway(
    508,
    'The request has come from Rungate itself.',
    'The operator corrects the provider’s `base_url`.',
  ),
  internal: gateway(
    500,
    'Rungate made a mistake; the log has the cause under `request_id`.',
    'Report it with the `request_id`.',
  ),

  upstream_rejected_input: upstream(
    422,
    'The vendor refused the request.',
    'Correct `inputs` or `options` as the vendor’s message says.',
  ),
  upstream_auth_failed: upstream(
    502,
    'The vendor refused our credential.',
    'The operator replaces the credential; the caller’s key is fine.',
  ),
  upstream_payment_required: upstream(
    402,
    'The vendor’s account has no credit left.',
    'The operator tops up the vendor’s account.',
  ),
  upstream_forbidden: upstream(
    502,
    'Our credential may not use this workflow.',
    'The operator checks the credential’s rights at the vendor.',
  ),
  upstream_workflow_not_found: upstream(
    404,
    'The vendor does not know this workflow.',
    'Check the workflow id, and that it is published.',
  ),
  upstream_conflict: upstream(
    409,
    'The vendor says that the request conflicts with its state.',
    'Read the vendor’s message.',
  ),
  upstream_rate_limited: upstream(
    429,
    'The vendor is limiting this account, or (source `gateway`) nothing was sent because its limit is known to be used up.',
    'Wait for `Retry-After`.',
    true,
  ),
  upstream_quota_exhausted: upstream(
    429,
    'The vendor’s quota for this account is used up.',
    'The operator raises the quota or waits for the next period.',
  ),
  upstream_error: upstream(
    502,
    'The vendor failed while it was asked.',
    'The run may have begun: look at the vendor before you send it again.',
  ),
  upstream_unavailable: upstream(
    503,
    'The vendor says that it is unavailable, or (source `gateway`) nothing was sent because it has been failing.',
    'Source `gateway`: send it again after `Retry-After`. Source `upstream`: the run may have begun, look at the vendor before you send it again.',
  ),
  upstream_invalid_response: upstream(
    502,
    'The vendor’s answer is not what its documents describe.',
    'The run may have begun: look at the vendor before you send it again.',
  ),
  upstream_unreachable: network(502, 'No connection to the vendor; nothing was sent.', 'Send the request again.', true),
  upstream_timeout: network(
    504,
    'The vendor did not answer in time.',
    'The run may have begun: look at the vendor before you send it again.',
  ),
  outcome_unknown: network(
    502,
    'The connection broke after the request was sent; nobody can tell whether the run began.',
    'Look at the vendor, and send the request again only if the run did not begin; the operator records what was found with `rungate runs resolve`.',
  ),

  workflow_failed: upstream(
    502,
    'The vendor ran the workflow, and it failed.',
    'Read the vendor’s reason in `message`.',
  ),
  upstream_run_not_found: upstream(
    502,
    'The vendor no longer knows this run.',
    'Look at the vendor: the run may have been deleted there.',
  ),
  run_timed_out: {
    status: 504,
    source: 'gateway',
    retryable: false,
    message: 'The run did not end in time.',
    advice: 'Raise `timeout_s`, or look at the vendor for what it was doing.',
  },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

function gateway(status: number, message: string, advice: string, retryable = false): CatalogueEntry {
  return { status, source: 'gateway', retryable, message, advice };
}

function upstream(status: number, message: string, advice: string, retryable = false): CatalogueEntry {
  return { status, source: 'upstream', retryable, message, advice };
}

function network(status: number, message: string, advice: string, retryable = false): CatalogueEntry {
  return { status, source: 'network', retryable, message, advice };
}
