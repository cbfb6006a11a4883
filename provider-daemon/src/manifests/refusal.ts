/** Why a manifest was not taken. */

export type RefusalCode =
  /** This provider holds no live lease of the deployment. */
  | 'not_my_lease'
  /** The head's hash is not the deployment's version on the chain. */
  | 'wrong_hash'
  /** The head is for another chain or deployment. */
  | 'wrong_deployment'
  /** The head is for another revision than the chain's. */
  | 'wrong_revision'
  /** More than is taken of anybody, or than this provider's disk has room for. */
  | 'too_large'
  /** The head is not of the form, or contradicts itself or the chain. */
  | 'invalid'
  /** No key came, and what is held here cannot be started without one. */
  | 'missing_key'
  /** A key came that opens nothing, or that this provider must not hold. */
  | 'wrong_key'
  /** A file is not the one that the head names. */
  | 'wrong_file'
  /** The delivery ended too early or too late, or is not what was signed. */
  | 'incomplete';

/** A manifest that was not taken; nothing of it is stored. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly code: RefusalCode;

  constructor(code: RefusalCode, message: string) {
    super(message);
    this.code = code;
  }
}
