/** A place in bytes of protobuf, and the few steps that can be made from it. Nothing is copied. */

/** Why bytes were refused; callers match on this, never on the text. */
export type WireErrorReason =
  | 'size'
  | 'truncated'
  | 'varint'
  | 'tag'
  | 'group'
  | 'wire-type'
  | 'unknown-field'
  | 'duplicate'
  | 'utf8'
  | 'depth'
  | 'any-depth'
  | 'count'
  | 'type-url'
  | 'map';

/** Bytes that are not an acceptable message. `path` says where: `TxBody.messages[0].value.amount[1]`. */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly reason: WireErrorReason;
  readonly path: string;

  constructor(reason: WireErrorReason, path: string, text: string) {
    super(`${path}: ${text}`);
    this.reason = reason;
    this.path = path;
  }
}

/** What a step ran into; the walk turns it into a WireError, since it knows the path. */
export type StepFailure = 'truncated' | 'varint' | 'tag';

export class StepError extends Error {
  override readonly name = 'StepError';
  readonly reason: StepFailure;

  constructor(reason: StepFailure, text: string) {
    super(text);
    this.reason = reason;
  }
}

export const wireVarint = 0;
export const wireFixed64 = 1;
export const wireBytes = 2;
export const wireFixed32 = 5;

// Go's protowire: field numbers have 29 bits, so a tag fits into 32.
const maxTag = 0xffff_ffff;
const maxVarintBytes = 10;

/** The bytes between `at` and `end`. */
export class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, at: number, end: number) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
  }

  /**
   * The varint here as a number, rounded above 2⁵³: fit for tags and lengths, which are compared with small bounds.
   * @throws StepError when it is cut, longer than 10 bytes or above 64 bits
   */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < maxVarintBytes; i++) {
      if (this.at >= this.end) throw new StepError('truncated', 'ends within a varint');
      const byte = this.bytes[this.at++]!;
      // The tenth byte holds bit 63 alone.
      if (i === maxVarintBytes - 1 && byte > 1) break;
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return value;
    }
    throw new StepError('varint', 'varint does not fit into 64 bits');
  }

  /** Field number × 8 + wire type. @throws StepError */
  tag(): number {
    const tag = this.varint();
    if (tag > maxTag || tag < 8) throw new StepError('tag', 'tag has no valid field number');
    return tag;
  }

  /** Goes past so many bytes. @throws StepError */
  skip(length: number): void {
    if (length > this.end - this.at) throw new StepError('truncated', `ends before the ${length} bytes it announces`);
    this.at += length;
  }

  /** Goes past a length and its bytes, and gives a cursor over them. @throws StepError */
  chunk(): Cursor {
    const length = this.varint();
    const start = this.at;
    this.skip(length);
    return new Cursor(this.bytes, start, this.at);
  }
}

/**
 * ADR-027 for a TxRaw: body (1), auth info (2) and signatures (3) in this order, the first two at most once, all
 * length-delimited, tags and lengths as short as possible. Two such byte strings of one transaction cannot differ in
 * their framing, so its hash identifies it.
 */
export function isCanonicalTxRaw(bytes: Uint8Array): boolean {
  const cursor = new Cursor(bytes, 0, bytes.length);
  let last = 0;
  try {
    while (cursor.at < cursor.end) {
      // The shortest tags of fields 1 to 3 are one byte: no other byte can begin a field.
      const tag = bytes[cursor.at++]!;
      const field = tag >> 3;
      if ((tag & 7) !== wireBytes || field < 1 || field > 3) return false;
      if (field < last || (field === last && field !== 3)) return false;
      last = field;
      const lengthAt = cursor.at;
      const length = cursor.varint();
      if (cursor.at - lengthAt !== varintWidth(length)) return false;
      cursor.skip(length);
    }
  } catch (error) {
    if (error instanceof StepError) return false;
    throw error;
  }
  return true;
}

/** Bytes of the shortest varint of a length. */
function varintWidth(value: number): number {
  let width = 1;
  for (let limit = 128; value >= limit; limit *= 128) width += 1;
  return width;
}
