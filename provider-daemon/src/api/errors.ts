/** Errors of the API: a status, a code that programs match on, a sentence, and what to do next. */
import { TenantError, type TenantErrorCode } from '@mu/client/tenant/errors';
import { Refusal, type RefusalCode } from '../manifests/refusal.ts';

/** Codes beyond those of tenants and manifests. */
export type ApiErrorCode =
  | RefusalCode
  | TenantErrorCode
  | 'not_found'
  | 'method_not_allowed'
  | 'bad_request'
  | 'length_required'
  | 'chain_unavailable'
  | 'upgrade_required'
  | 'cannot_exec'
  | 'unavailable'
  | 'internal';

export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: ApiErrorCode;
  readonly hint: string;

  constructor(code: ApiErrorCode, message: string) {
    super(message);
    [this.status, this.hint] = meanings[code];
    this.code = code;
  }
}

const signAgain = 'sign a new request';
const sendAgain = 'send the manifest that was made with the deployment, by `mucli deployment send-manifest`';

/** Status and next step by code; the type makes it complete. */
const meanings: Readonly<Record<ApiErrorCode, readonly [status: number, hint: string]>> = {
  not_found: [404, 'see GET /v1/status for what this listener is'],
  method_not_allowed: [405, 'use the method that the header Allow names'],
  bad_request: [400, 'correct the request'],
  length_required: [411, 'send content-length and content-digest with the body'],
  chain_unavailable: [503, 'try again; the provider cannot ask its chain node now'],
  upgrade_required: [426, 'ask with `upgrade: websocket`, as `mucli deployment exec` does'],
  cannot_exec: [409, 'look at `mucli deployment status` for what runs'],
  unavailable: [503, 'try again in a few seconds; the workloads run on meanwhile'],
  internal: [500, 'try again, and tell the provider when it stays so'],
  not_my_lease: [404, 'look at `mucli query market leases` for who holds the lease; a new one may need a block'],
  wrong_hash: [409, sendAgain],
  wrong_deployment: [403, 'send the manifest of this deployment, under a delegation for it'],
  wrong_revision: [409, sendAgain],
  too_large: [413, 'make the manifest or its files smaller, or choose a provider with more room'],
  invalid: [422, 'make the manifest with a `mucli` of this network’s version'],
  missing_key: [422, sendAgain],
  wrong_key: [422, sendAgain],
  wrong_file: [422, sendAgain],
  incomplete: [400, 'send it again, whole'],
  malformed: [400, 'send the headers mu-delegation and mu-proof as `mucli` does'],
  expired: [401, 'delegate to a new key'],
  lifetime: [401, 'delegate for at most 24 hours, with a right clock'],
  wrong_signer: [401, 'let the owner of the deployment, or one of its access keys, sign the delegation'],
  proof: [401, signAgain],
  stale: [401, 'check the clock and sign a new request'],
  replayed: [401, signAgain],
  wrong_chain: [403, 'delegate for this chain'],
  wrong_provider: [403, 'delegate for this provider'],
  scope: [403, 'delegate with the scope that this needs'],
  busy: [429, 'wait a minute, or end what runs already'],
};

/** Every error as one of the API's. What is not a refusal shows nothing of itself: it may hold what is not the caller's. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof Refusal || error instanceof TenantError) return new ApiError(error.code, error.message);
  return new ApiError('internal', 'the provider could not do this');
}
