/**
 * Writes protobuf by hand where a message is written so often that generated code is too slow: one buffer is used again
 * and again, and nothing is made but the bytes at the end. Fields are left out when they are empty, as proto3 has it.
 */
import { utf8 } from './bytes.ts';

const firstSize = 1024;
const maxVarintBytes = 10;
const maxU64 = (1n << 64n) - 1n;
const maxSafe = BigInt(Number.MAX_SAFE_INTEGER);

export class WireWriter {
  #bytes = new Uint8Array(firstSize);
  #at = 0;

  /** Begins a message; what an earlier one left unfinished, because a value was refused, is dropped. */
  start(): this {
    this.#at = 0;
    return this;
  }

  /** A field of bytes; left out when empty. */
  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.chunk(field, value);
  }

  /** A length-delimited field, also when it is empty: an element of a repeated field, a message that is there. */
  chunk(field: number, value: Uint8Array): this {
    this.#tag(field, 2);
    this.#varint(value.length);
    this.#reserve(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** A field of text; left out when empty. */
  text(field: number, value: string): this {
    const { length } = value;
    if (length === 0) return this;
    this.#tag(field, 2);
    const before = this.#at;
    this.#varint(length);
    this.#reserve(length);
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return this.#otherText(value, before);
      this.#bytes[this.#at + i] = code;
    }
    this.#at += length;
    return this;
  }

  /** An unsigned integer; left out when it is 0. @throws RangeError outside of 0…2⁶⁴−1 */
  uint(field: number, value: bigint): this {
    if (value < 0n || value > maxU64) throw new RangeError(`${value} does not fit into 64 bits`);
    if (value === 0n) return this;
    this.#tag(field, 0);
    if (value <= maxSafe) this.#varint(Number(value));
    else this.#bigVarint(value);
    return this;
  }

  /** Begins a message in a message. @returns what `end` wants */
  begin(field: number): number {
    this.#tag(field, 2);
    this.#reserve(1);
    this.#at += 1;
    return this.#at;
  }

  /** Ends it: what was written since gets its length in front. */
  end(start: number): this {
    const length = this.#at - start;
    const width = varintWidth(length);
    if (width > 1) {
      this.#reserve(width - 1);
      this.#bytes.copyWithin(start + width - 1, start, this.#at);
    }
    this.#at = start - 1;
    this.#varint(length);
    this.#at += length;
    return this;
  }

  /** What was written since `start`, as bytes of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#at);
  }

  #otherText(value: string, before: number): this {
    const encoded = utf8(value);
    this.#at = before;
    this.#varint(encoded.length);
    this.#reserve(encoded.length);
    this.#bytes.set(encoded, this.#at);
    this.#at += encoded.length;
    return this;
  }

  #tag(field: number, wireType: number): void {
    this.#varint(field * 8 + wireType);
  }

  #varint(value: number): void {
    this.#reserve(maxVarintBytes);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#at++] = rest;
  }

  #bigVarint(value: bigint): void {
    this.#reserve(maxVarintBytes);
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.#at++] = Number(rest);
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#at + more));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Bytes of the shortest varint of a length. */
function varintWidth(value: number): number {
  let width = 1;
  for (let limit = 128; value >= limit; limit *= 128) width += 1;
  return width;
}
