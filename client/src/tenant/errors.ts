/** Why a tenant's request was refused. */

export type TenantErrorCode =
  /** Headers are missing or not of the form. */
  | 'malformed'
  /** The delegation has ended. */
  | 'expired'
  /** It was issued in the future, or for longer than 24 hours. */
  | 'lifetime'
  | 'wrong_chain'
  | 'wrong_provider'
  | 'wrong_deployment'
  /** The delegation does not include what the request does. */
  | 'scope'
  /** The delegation was not signed by the owner of the deployment. */
  | 'wrong_signer'
  /** The request was not signed by the delegated key, or was changed: method, path, body, certificate, nonce or time. */
  | 'proof'
  /** The request was signed too long ago, or in the future. */
  | 'stale'
  /** The nonce has been used. */
  | 'replayed'
  /** Too many requests within the time for which nonces are remembered. */
  | 'busy';

/** A refused request or delegation; callers match on the code. */
export class TenantError extends Error {
  override readonly name = 'TenantError';
  readonly code: TenantErrorCode;

  constructor(code: TenantErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
