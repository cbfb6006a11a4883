/**
 * What a usage report commits to: the request lines of its period, as leaves of a Merkle tree. The tenant, who can fetch
 * the lines, can check that none was left out or made up afterwards. Lines are not held: while the chain is away no report
 * takes them, however many come.
 */
import { createHash } from 'node:crypto';
import { leafPrefix, RunningRoot } from '@mu/lib/merkle';

export class RequestLog {
  readonly #roots = new Map<bigint, RunningRoot>();

  append(lease: bigint, line: string): void {
    const root = this.#roots.get(lease) ?? new RunningRoot();
    this.#roots.set(lease, root);
    // Natively: there are many.
    root.add(new Uint8Array(createHash('sha256').update(leafPrefix).update(line, 'utf8').digest()));
  }

  /** The root of the lines since the last call, 32 bytes; that of an empty tree where there was none. */
  takeRoot(lease: bigint): Uint8Array {
    const root = this.#roots.get(lease) ?? new RunningRoot();
    this.#roots.delete(lease);
    return root.root();
  }

  forget(lease: bigint): void {
    this.#roots.delete(lease);
  }
}
