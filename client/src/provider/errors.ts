/** What goes wrong between a user and a provider. */

/** A provider that cannot be reached, or is not the one that the chain names. */
export class ProviderConnectionError extends Error {
  override readonly name = 'ProviderConnectionError';
}

/** What a provider answered instead of doing what it was asked. Its `code` is one of the API's. */
export class ProviderRefusal extends Error {
  override readonly name = 'ProviderRefusal';
  readonly status: number;
  readonly code: string;
  /** What to do next, as the provider says. */
  readonly hint: string;

  constructor(status: number, code: string, message: string, hint: string) {
    super(hint === '' ? message : `${message}: ${hint}`);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }
}
