/** Follows the frames of one direction of a websocket (RFC 6455 5.2): where one ends, and how much of it is payload. */

/** The longest head of a frame: two bytes, eight of length, four of mask. */
const maxHeadBytes = 14;
const closeOpcode = 0x8;

export class FrameFollower {
  readonly #head = Buffer.alloc(maxHeadBytes);
  #headLength = 0;
  /** Bytes of payload that are still to come. */
  #left = 0;
  #closed = false;

  /** Whether the next byte begins a frame: here another one can be put in. */
  get isBetweenFrames(): boolean {
    return this.#left === 0 && this.#headLength === 0;
  }

  /** A close frame has gone this way: nothing may follow it. */
  get hasClosed(): boolean {
    return this.#closed;
  }

  /** Takes what passes. @returns how many of the bytes are payload */
  push(chunk: Uint8Array): number {
    let payload = 0;
    let at = 0;
    while (at < chunk.length) {
      if (this.#left > 0) {
        const part = Math.min(this.#left, chunk.length - at);
        this.#left -= part;
        payload += part;
        at += part;
        continue;
      }
      this.#head[this.#headLength] = chunk[at]!;
      this.#headLength += 1;
      at += 1;
      if (this.#headLength >= 2 && this.#headLength === this.#headSize()) this.#begin();
    }
    return payload;
  }

  #headSize(): number {
    const short = this.#head[1]! & 0x7f;
    const length = short === 126 ? 2 : short === 127 ? 8 : 0;
    return 2 + length + ((this.#head[1]! & 0x80) === 0 ? 0 : 4);
  }

  #begin(): void {
    const short = this.#head[1]! & 0x7f;
    if (short === 126) this.#left = this.#head.readUInt16BE(2);
    else if (short === 127) this.#left = Number(this.#head.readBigUInt64BE(2));
    else this.#left = short;
    if ((this.#head[0]! & 0x0f) === closeOpcode) this.#closed = true;
    this.#headLength = 0;
  }
}

/** A close frame with the code 1001, going away; masked as clients must, with a mask of zeros. */
export function goingAwayFrame(from: 'server' | 'client'): Buffer {
  const code = [0x03, 0xe9];
  return Buffer.from(from === 'server' ? [0x88, 0x02, ...code] : [0x88, 0x82, 0, 0, 0, 0, ...code]);
}
