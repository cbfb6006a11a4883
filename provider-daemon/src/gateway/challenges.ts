/** Proofs for a certificate authority that a name is ours: ACME's HTTP-01 (RFC 8555 8.3), answered by plain HTTP. */

const prefix = '/.well-known/acme-challenge/';

export class Challenges {
  readonly #proofs = new Map<string, string>();

  set(token: string, keyAuthorization: string): void {
    this.#proofs.set(token, keyAuthorization);
  }

  delete(token: string): void {
    this.#proofs.delete(token);
  }

  /** The proof asked for at a path; undefined where the path asks for none of ours. */
  answerTo(path: string): string | undefined {
    return path.startsWith(prefix) ? this.#proofs.get(path.slice(prefix.length)) : undefined;
  }
}
