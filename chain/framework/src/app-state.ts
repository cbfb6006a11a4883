/**
 * `app_state` of genesis as InitChain hands it over: an object with a member for each module. It may be larger than a string
 * can be, so that each module's part is found in the bytes and read by itself.
 */
import { findSpan, itemParts, members, parseSpan, type Span } from '@mu/lib/json-parts';
import type { Context } from './context.ts';
import { errInvalidRequest } from './errors.ts';
import type { AppModule, Json } from './module.ts';

export class AppState {
  readonly #bytes: Buffer;
  readonly #parts = new Map<string, Span>();

  /** @throws AbciError invalid request (18) for what is no JSON object */
  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    try {
      const whole = findSpan(this.#bytes, []) as Span;
      if (this.#bytes[whole.start] !== 0x7b) throw new SyntaxError('it is not an object');
      for (const { key, ...span } of members(this.#bytes, whole)) this.#parts.set(key, span);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      throw errInvalidRequest.wrap(`app_state of genesis: ${error.message}`);
    }
  }

  /** Names of modules, as they stand there. */
  get keys(): readonly string[] {
    return [...this.#parts.keys()];
  }

  /** The items of a list of a module, several at once; none where there is no such list. @throws SyntaxError */
  *items(key: string, list: string): IterableIterator<unknown[]> {
    const span = this.#parts.get(key);
    const found = span === undefined ? undefined : findSpan(this.#bytes, [list], span);
    if (found !== undefined && this.#bytes[found.start] === 0x5b) yield* itemParts(this.#bytes, found);
  }

  /** The small part under a key; undefined when there is none. @throws SyntaxError */
  get(key: string): Json | undefined {
    const span = this.#parts.get(key);
    return span === undefined ? undefined : (parseSpan(this.#bytes, span) as Json);
  }

  /** Writes a module's genesis, or its defaults where it has no part. @throws Error with the path of what is wrong */
  init(ctx: Context, { name, genesis }: AppModule): void {
    const span = this.#parts.get(name);
    if (span === undefined) genesis.init(ctx, genesis.defaults());
    else if (genesis.initParts !== undefined) genesis.initParts(ctx, this.#bytes, span);
    else genesis.init(ctx, parseSpan(this.#bytes, span) as Json);
  }

  /** Checks a module's genesis; what has no part is sound. @throws Error with the path of what is wrong */
  validate({ name, genesis }: AppModule): void {
    const span = this.#parts.get(name);
    if (span === undefined) return;
    if (genesis.validateParts !== undefined) genesis.validateParts(this.#bytes, span);
    else genesis.validate(parseSpan(this.#bytes, span) as Json);
  }
}
