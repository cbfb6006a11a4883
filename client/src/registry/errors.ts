/** Why an image cannot be had from a registry. */

/** `name`: it is no image's name. `refused`: the registry, or what it gives, is not what is needed. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly reason: 'name' | 'refused';

  constructor(reason: RegistryError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}
