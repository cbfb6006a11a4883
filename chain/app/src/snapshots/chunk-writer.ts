/** Cuts a packed stream into chunk files and hashes them. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { writeDurably } from './snapshot-files.ts';

export class ChunkWriter extends Writable {
  readonly #folder: string;
  readonly #chunk: Buffer;
  readonly #hash = createHash('sha256');
  readonly chunkHashes: Uint8Array[] = [];
  bytes = 0;
  #used = 0;

  constructor(folder: string, chunkBytes: number) {
    super();
    this.#folder = folder;
    this.#chunk = Buffer.allocUnsafeSlow(chunkBytes);
  }

  /** SHA-256 of all chunks; asked for once, at the end. */
  digest(): Uint8Array {
    return new Uint8Array(this.#hash.digest());
  }

  override _write(piece: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#add(piece).then(() => done(), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    (this.#used > 0 ? this.#finishChunk() : Promise.resolve()).then(() => done(), done);
  }

  async #add(piece: Buffer): Promise<void> {
    this.bytes += piece.length;
    for (let at = 0; at < piece.length; ) {
      const length = piece.copy(this.#chunk, this.#used, at);
      this.#used += length;
      at += length;
      if (this.#used === this.#chunk.length) await this.#finishChunk();
    }
  }

  async #finishChunk(): Promise<void> {
    const chunk = this.#chunk.subarray(0, this.#used);
    this.#used = 0;
    this.#hash.update(chunk);
    this.chunkHashes.push(new Uint8Array(createHash('sha256').update(chunk).digest()));
    await writeDurably(join(this.#folder, String(this.chunkHashes.length - 1)), chunk);
  }
}
