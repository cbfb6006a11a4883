/** Reads a body in parts of known lengths, hashing all of it on the way. */
import { createHash } from 'node:crypto';
import { Refusal } from './refusal.ts';

export class BodyReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #hash = createHash('sha256');
  #rest: Uint8Array = new Uint8Array();

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Exactly so many bytes, as they come. @throws Refusal `incomplete` when the body ends before */
  async *chunks(length: number): AsyncGenerator<Uint8Array> {
    for (let left = length; left > 0; ) {
      if (this.#rest.length === 0 && !(await this.#more())) {
        throw new Refusal('incomplete', `the delivery ended ${left} bytes too early`);
      }
      const part = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** The same, in one piece. */
  async exactly(length: number): Promise<Uint8Array> {
    const whole = new Uint8Array(length);
    let at = 0;
    for await (const part of this.chunks(length)) {
      whole.set(part, at);
      at += part.length;
    }
    return whole;
  }

  /** SHA-256 of the whole body. @throws Refusal `incomplete` when it goes on */
  async end(): Promise<Uint8Array> {
    if (this.#rest.length > 0 || (await this.#more())) {
      throw new Refusal('incomplete', 'the delivery goes on after its last file');
    }
    return new Uint8Array(this.#hash.digest());
  }

  /** Lets go of the body: what is still to come is somebody else's. */
  async release(): Promise<void> {
    await this.#source.return?.();
  }

  /** Waits for bytes; false at the end. */
  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#next();
      if (next === undefined) return false;
      this.#hash.update(next);
      this.#rest = next;
      if (next.length > 0) return true;
    }
  }

  async #next(): Promise<Uint8Array | undefined> {
    try {
      const { done, value } = await this.#source.next();
      return done === true ? undefined : value;
    } catch (error) {
      throw new Refusal('incomplete', `the connection broke: ${(error as Error).message}`);
    }
  }
}
