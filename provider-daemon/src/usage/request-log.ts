/**
 * What a usage report commits to: the request lines of its period, as leaves of a Merkle tree. The tenant, who can fetch
 * the lines, can check that none was left out or made up afterwards.
 */
import { utf8 } from '@mu/lib/bytes';
import { merkleRoot } from '@mu/lib/merkle';

export class RequestLog {
  readonly #lines = new Map<bigint, Uint8Array[]>();

  append(lease: bigint, line: string): void {
    const lines = this.#lines.get(lease);
    if (lines === undefined) this.#lines.set(lease, [utf8(line)]);
    else lines.push(utf8(line));
  }

  /** The root of the lines since the last call, 32 bytes; that of an empty tree where there was none. */
  takeRoot(lease: bigint): Uint8Array {
    const lines = this.#lines.get(lease) ?? [];
    this.#lines.delete(lease);
    return merkleRoot(lines);
  }

  forget(lease: bigint): void {
    this.#lines.delete(lease);
  }
}
