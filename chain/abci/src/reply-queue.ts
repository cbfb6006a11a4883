/** Replies leave in the order of their requests, whichever is ready first. */

/** The place of one reply; filled by {@link ReplyQueue.answer}. */
export interface Slot {
  parts: readonly Uint8Array[] | undefined;
}

export class ReplyQueue {
  #slots: Slot[] = [];
  #head = 0;
  #bytes = 0;

  /** Bytes of replies that are ready and not yet sent. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Places taken and not yet sent. */
  get size(): number {
    return this.#slots.length - this.#head;
  }

  /** The place after all others. */
  open(): Slot {
    const slot: Slot = { parts: undefined };
    this.#slots.push(slot);
    return slot;
  }

  answer(slot: Slot, parts: readonly Uint8Array[]): void {
    slot.parts = parts;
    for (const part of parts) this.#bytes += part.length;
  }

  /** The replies at the head that are ready, in one buffer; undefined where the oldest is still missing. */
  take(): Uint8Array | undefined {
    const parts: Uint8Array[] = [];
    for (let slot = this.#slots[this.#head]; slot?.parts !== undefined; slot = this.#slots[this.#head]) {
      parts.push(...slot.parts);
      this.#head++;
    }
    if (this.#head === this.#slots.length) {
      this.#slots = [];
      this.#head = 0;
    } else if (this.#head >= 1024) {
      this.#slots.splice(0, this.#head);
      this.#head = 0;
    }
    if (parts.length === 0) return undefined;
    const joined = Buffer.concat(parts);
    this.#bytes -= joined.length;
    return joined;
  }
}
