/** Why a manifest, one of its files or one of its sections was refused. */

export type ManifestErrorCode =
  /** The head, a file or a count is beyond its limit. */
  | 'too_large'
  /** The head is not the one RFC 8785 text of its value. */
  | 'not_canonical'
  /** A field is missing, unknown or of the wrong form. */
  | 'schema'
  /** Parts of the head contradict one another. */
  | 'inconsistent'
  /** The head is not the one that the chain names, or belongs to another deployment. */
  | 'wrong_manifest'
  /** A file or a piece is not the one that the head names. */
  | 'wrong_file'
  /** A section does not open with the key. */
  | 'section';

/** A refused manifest; callers match on the code. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
  readonly code: ManifestErrorCode;

  constructor(code: ManifestErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
