/** Gathering request bodies: CGI states a body's length before the program begins. */
import type { IncomingMessage } from 'node:http';

/** All bodies together may take so much; beyond it a request is refused until others are done. */
export class BodyBudget {
  readonly #most: number;
  #used = 0;

  constructor(most: number) {
    this.#most = most;
  }

  take(bytes: number): boolean {
    if (this.#used + bytes > this.#most) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

export type Body = { readonly bytes: Buffer } | { readonly refused: 'too_large' | 'no_room' | 'aborted' };

/** Reads a body of at most `limit` bytes. What was taken from the budget is given back by the caller with `bytes.length`. */
export async function readBody(request: IncomingMessage, limit: number, budget: BodyBudget): Promise<Body> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > limit) return { refused: 'too_large' };
  const chunks: Buffer[] = [];
  let length = 0;
  let refused: 'too_large' | 'no_room' | 'aborted' | undefined;
  try {
    // Left early, the request must stay open: its refusal has yet to be sent.
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      if (length + chunk.length > limit) refused = 'too_large';
      else if (!budget.take(chunk.length)) refused = 'no_room';
      if (refused !== undefined) break;
      chunks.push(chunk);
      length += chunk.length;
    }
  } catch {
    refused = 'aborted';
  }
  if (refused === undefined) return { bytes: Buffer.concat(chunks, length) };
  budget.give(length);
  return { refused };
}
