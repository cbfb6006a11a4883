/**
 * What the engine's main thread and its guest threads share of the call that runs: its arguments, and how much memory
 * the guest had when it ended. One call runs at a time.
 */

/** Key of the shared bytes among worker_threads' environment data. */
export const guestLinkKey = 'mu-guest-link';
/** Name of the channel by which a guest thread is asked for the size of its memory. */
export const guestMemoryChannel = 'mu-guest-memory';

/** Layout: u32 number of guests begun | u32 count of arguments | u32 bytes of arguments | the arguments, NUL-terminated. */
const headerWords = 3;
const maxArgumentBytes = 256 * 1024;

export class GuestLink {
  readonly shared: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(shared = new SharedArrayBuffer(headerWords * 4 + maxArgumentBytes)) {
    this.shared = shared;
    this.#words = new Int32Array(shared, 0, headerWords);
    this.#bytes = new Uint8Array(shared, headerWords * 4);
  }

  /** @throws RangeError where they are longer than the shared bytes */
  setArguments(args: readonly string[]): void {
    // A NUL would end an argument early and shift what follows.
    const text = Buffer.from(args.map((arg) => `${arg.replaceAll('\0', '')}\0`).join(''));
    if (text.length > maxArgumentBytes) throw new RangeError(`arguments of ${text.length} bytes`);
    this.#bytes.set(text);
    this.#words[1] = args.length;
    this.#words[2] = text.length;
  }

  getArguments(): { readonly count: number; readonly bytes: Uint8Array } {
    return { count: this.#words[1]!, bytes: this.#bytes.slice(0, this.#words[2]!) };
  }

  /** Called by a guest thread when a guest begins; its number. */
  beginGuest(): number {
    return Atomics.add(this.#words, 0, 1) + 1;
  }

  /** Number of the guest that began last. */
  get lastGuest(): number {
    return Atomics.load(this.#words, 0);
  }
}
