/** The fields of messages between peers: numbers big-endian, texts with their length, bytes. */
import { readU64be, u64be } from '@mu/lib/bytes';

/** Bytes that are no message, or a message that may not be sent. The connection ends. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

/** Printable ASCII without blanks: all that chain ids and addresses are made of. */
const plain = /^[\x21-\x7e]+$/;
const maxU64 = (1n << 64n) - 1n;

export class FieldWriter {
  readonly parts: Uint8Array[] = [];
  length = 0;

  u8(value: number): void {
    this.#number(value, 1);
  }

  u16(value: number): void {
    this.#number(value, 2);
  }

  u32(value: number): void {
    this.#number(value, 4);
  }

  /** @throws WireError outside of 0…2⁶⁴−1 */
  u64(value: bigint): void {
    if (value < 0n || value > maxU64) throw new WireError(`${value} does not fit into 64 bits`);
    this.#put(u64be(value));
  }

  /** One byte, the first flag its lowest bit. */
  flags(...values: readonly boolean[]): void {
    this.u8(values.reduce((sum, value, at) => sum + (value ? 1 << at : 0), 0));
  }

  /** @throws WireError for one that is empty, too long, or not plain */
  text(value: string, most: number): void {
    if (!plain.test(value) || value.length > most) throw new WireError(`a text of 1 to ${most} plain characters`);
    this.u8(value.length);
    this.#put(new TextEncoder().encode(value));
  }

  /** @throws WireError for another length */
  fixed(bytes: Uint8Array, length: number): void {
    if (bytes.length !== length) throw new WireError(`${bytes.length} bytes instead of ${length}`);
    this.#put(bytes);
  }

  /** All bytes to the end of the message. @throws WireError for more than `most` */
  rest(bytes: Uint8Array, most: number): void {
    if (bytes.length > most) throw new WireError(`${bytes.length} bytes: at most ${most}`);
    this.#put(bytes);
  }

  #number(value: number, length: number): void {
    if (!(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * length))) {
      throw new WireError(`${value} does not fit into ${8 * length} bits`);
    }
    this.#put(Uint8Array.from({ length }, (_, at) => (value / 2 ** (8 * (length - 1 - at))) & 0xff));
  }

  #put(bytes: Uint8Array): void {
    this.parts.push(bytes);
    this.length += bytes.length;
  }
}

/** Reads fields one after the other. Each method throws WireError where the bytes end too soon. */
export class FieldReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  u8(): number {
    return this.#number(1);
  }

  u16(): number {
    return this.#number(2);
  }

  u32(): number {
    return this.#number(4);
  }

  u64(): bigint {
    return readU64be(this.#next(8));
  }

  /** @throws WireError when another bit than those of the flags is set */
  flags(count: number): boolean[] {
    const byte = this.u8();
    if (byte >= 1 << count) throw new WireError(`a flag that is not known in ${byte}`);
    return Array.from({ length: count }, (_, at) => (byte & (1 << at)) !== 0);
  }

  text(most: number): string {
    const length = this.u8();
    if (length > most) throw new WireError(`a text of ${length} characters: at most ${most}`);
    const text = String.fromCharCode(...this.#next(length));
    if (!plain.test(text)) throw new WireError('a text that is empty or not plain');
    return text;
  }

  fixed(length: number): Uint8Array {
    return this.#next(length).slice();
  }

  rest(): Uint8Array {
    return this.#next(this.#bytes.length - this.#at).slice();
  }

  /** @throws WireError when something is left */
  end(): void {
    if (this.#at < this.#bytes.length) throw new WireError(`${this.#bytes.length - this.#at} bytes too many`);
  }

  #number(length: number): number {
    return this.#next(length).reduce((sum, byte) => 256 * sum + byte, 0);
  }

  #next(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new WireError('a message that ends too soon');
    const part = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return part;
  }
}
