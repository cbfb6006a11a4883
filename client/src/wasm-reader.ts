/** Reading the binary format of WebAssembly, within bounds. */

/** A cursor over a part of a module's bytes; every read beyond its end is the failure that `failure` makes. */
export class WasmReader {
  readonly #bytes: Uint8Array;
  readonly #fail: (what: string) => Error;
  readonly end: number;
  position: number;

  constructor(bytes: Uint8Array, fail: (what: string) => Error, range?: { from: number; to: number }) {
    this.#bytes = bytes;
    this.#fail = fail;
    this.position = range?.from ?? 0;
    this.end = range?.to ?? bytes.length;
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  failure(what: string): Error {
    return this.#fail(what);
  }

  skip(count: number): void {
    if (count > this.end - this.position) throw this.#fail('it ends too early');
    this.position += count;
  }

  peek(): number | undefined {
    return this.position < this.end ? this.#bytes[this.position] : undefined;
  }

  byte(): number {
    if (this.position >= this.end) throw this.#fail('it ends too early');
    return this.#bytes[this.position++]!;
  }

  /** Unsigned LEB128 of at most `bits` bits. */
  varU64(bits = 64): bigint {
    let value = 0n;
    for (let shift = 0; shift < bits; shift += 7) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << BigInt(shift);
      if (byte < 0x80) {
        if (value >> BigInt(bits) !== 0n) break;
        return value;
      }
    }
    throw this.#fail('a number is too long');
  }

  varU32(): number {
    return Number(this.varU64(32));
  }

  /** The next `length` bytes as a reader of its own; this one goes on behind them. */
  part(length: number): WasmReader {
    const from = this.position;
    this.skip(length);
    return new WasmReader(this.#bytes, this.#fail, { from, to: this.position });
  }

  between(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }

  /** A counted list that fills the reader exactly. */
  list<T>(read: (reader: WasmReader) => T): T[] {
    const count = this.varU32();
    const items: T[] = [];
    for (let i = 0; i < count; i++) items.push(read(this));
    if (!this.atEnd) throw this.#fail('a section is longer than its entries');
    return items;
  }
}

/** A name: counted UTF-8. */
export function wasmString(reader: WasmReader): string {
  const part = reader.part(reader.varU32());
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(part.between(part.position, part.end));
  } catch {
    throw reader.failure('a name is not UTF-8');
  }
}

/** Unsigned LEB128. */
export function writeVarU32(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}
