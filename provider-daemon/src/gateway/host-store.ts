/** Proofs of host names, kept over restarts. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

/** A host name that has been proved to belong to a deployment. */
export interface HostProof {
  readonly host: string;
  /** `<owner>/<dseq>`. */
  readonly id: string;
  /** Milliseconds since 1970. */
  readonly provedAt: number;
  /** When the record was seen last; ms since 1970. */
  readonly seenAt: number;
}

export interface HostStore {
  load(): readonly HostProof[];
  /** On disk when it returns. */
  put(proof: HostProof): void;
  delete(host: string): void;
}

export class MemoryHostStore implements HostStore {
  readonly #proofs = new Map<string, HostProof>();

  load(): readonly HostProof[] {
    return [...this.#proofs.values()];
  }

  put(proof: HostProof): void {
    this.#proofs.set(proof.host, proof);
  }

  delete(host: string): void {
    this.#proofs.delete(host);
  }
}

/** All proofs in one file, replaced whole at each change. */
export class FileHostStore implements HostStore {
  readonly #path: string;
  readonly #proofs: Map<string, HostProof>;

  /** @throws Error where the file is there and cannot be read */
  constructor(path: string) {
    this.#path = path;
    this.#proofs = new Map(readProofs(path).map((proof) => [proof.host, proof]));
  }

  load(): readonly HostProof[] {
    return [...this.#proofs.values()];
  }

  put(proof: HostProof): void {
    this.#proofs.set(proof.host, proof);
    this.#write();
  }

  delete(host: string): void {
    if (this.#proofs.delete(host)) this.#write();
  }

  #write(): void {
    writeFileSync(`${this.#path}.new`, JSON.stringify(this.load()), { mode: 0o600, flush: true });
    renameSync(`${this.#path}.new`, this.#path);
  }
}

function readProofs(path: string): HostProof[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return JSON.parse(text) as HostProof[];
}
