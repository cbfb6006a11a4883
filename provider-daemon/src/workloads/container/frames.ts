/** The engine’s multiplexed streams: 8 bytes (stream, 3 zeros, length as u32 big-endian), then so many bytes. */

export interface Frame {
  readonly stream: 'stdout' | 'stderr';
  readonly payload: Buffer;
}

const headerBytes = 8;
/** The engine cuts at 16 KiB of logs and 32 KiB of other output; far more means that these are no frames. */
const maxFrameBytes = 1024 * 1024;

export class FrameSplitter {
  #pending: Buffer = Buffer.alloc(0);

  /** @returns the frames that are complete now. @throws Error for what cannot be a frame */
  push(chunk: Uint8Array): Frame[] {
    this.#pending = this.#pending.length === 0 ? Buffer.from(chunk) : Buffer.concat([this.#pending, chunk]);
    const frames: Frame[] = [];
    while (this.#pending.length >= headerBytes) {
      const kind = this.#pending[0]!;
      const length = this.#pending.readUInt32BE(4);
      if (kind > 2 || length > maxFrameBytes) throw new Error('the container engine sent no frame');
      if (this.#pending.length < headerBytes + length) break;
      const payload = this.#pending.subarray(headerBytes, headerBytes + length);
      frames.push({ stream: kind === 2 ? 'stderr' : 'stdout', payload });
      this.#pending = this.#pending.subarray(headerBytes + length);
    }
    return frames;
  }
}
