/** Gathering request bodies: CGI states a body's length before the program begins. */
import type { Call } from './call.ts';

/** All bodies together may take so much, and those of one deployment a part of it. */
export class BodyBudget {
  readonly #most: number;
  readonly #all: BodyBudget | undefined;
  #used = 0;

  constructor(most: number, all?: BodyBudget) {
    this.#most = most;
    this.#all = all;
  }

  /** `here`: this budget has no room; `all`: that of all has none. */
  take(bytes: number): 'here' | 'all' | undefined {
    if (this.#used + bytes > this.#most) return 'here';
    if (this.#all?.take(bytes) !== undefined) return 'all';
    this.#used += bytes;
    return undefined;
  }

  give(bytes: number): void {
    this.#used -= bytes;
    this.#all?.give(bytes);
  }
}

export type Body =
  | { readonly bytes: Buffer }
  | { readonly refused: 'too_large' | 'no_room' | 'no_room_here' | 'aborted' };

/** Reads a body of at most `limit` bytes. What was taken from the budget is given back by the caller with `bytes.length`. */
export function readBody(call: Call, limit: number, budget: BodyBudget): Promise<Body> | Body {
  if (!call.hasBody) return { bytes: Buffer.alloc(0) };
  if (Number(call.headers['content-length'] ?? 0) > limit) return { refused: 'too_large' };
  call.proceed();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let settled = false;
    const refuse = (refused: 'too_large' | 'no_room' | 'no_room_here' | 'aborted') => {
      if (settled) return;
      settled = true;
      chunks.length = 0;
      budget.give(length);
      resolve({ refused });
    };
    call.body.on('data', (chunk: Buffer) => {
      if (settled) return;
      call.bodyBytes += chunk.length;
      if (length + chunk.length > limit) return refuse('too_large');
      const full = budget.take(chunk.length);
      if (full !== undefined) return refuse(full === 'here' ? 'no_room_here' : 'no_room');
      chunks.push(chunk);
      length += chunk.length;
    });
    call.body.once('end', () => {
      if (settled) return;
      settled = true;
      resolve({ bytes: Buffer.concat(chunks, length) });
    });
    call.onClose(() => refuse('aborted'));
  });
}
