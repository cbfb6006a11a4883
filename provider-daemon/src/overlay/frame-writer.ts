/** Writes the frames of one direction: those of one turn go out together, in few records, by one call. */
import type { Duplex } from 'node:stream';

/** Frames up to this size together are copied into one piece, which costs less than a list of them. */
const copiedBytes = 16_384;

export class FrameWriter {
  readonly #socket: Duplex;
  /** What is to go out at the end of the turn. */
  #batch: Buffer[] = [];
  #batchBytes = 0;

  constructor(socket: Duplex) {
    this.#socket = socket;
  }

  /** That wait, here and in the socket. */
  get queuedBytes(): number {
    return this.#socket.writableLength + this.#batchBytes;
  }

  write(bytes: Buffer): void {
    if (this.#socket.destroyed) return;
    if (this.#batch.length === 0) process.nextTick(this.flush);
    this.#batch.push(bytes);
    this.#batchBytes += bytes.length;
  }

  /** Hands to the socket what waits, unless the socket is over. */
  readonly flush = (): void => {
    const [batch, length] = [this.#batch, this.#batchBytes];
    if (length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    if (this.#socket.destroyed || this.#socket.writableEnded) return;
    if (length <= copiedBytes) {
      this.#socket.write(batch.length === 1 ? batch[0] : Buffer.concat(batch, length));
      return;
    }
    this.#socket.cork();
    for (const bytes of batch) this.#socket.write(bytes);
    this.#socket.uncork();
  };
}
