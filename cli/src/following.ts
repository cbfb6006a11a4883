/** Numbered lines of a provider, followed over its restarts: nothing twice, and nothing lost of what it still holds. */

import { ProviderConnectionError, ProviderRefusal } from '@mu/client/provider/errors';
import { messageOf } from '@mu/lib/error-message';

export interface Following<T extends { readonly seq: number }> {
  /** Lines behind a number; undefined at the first time. */
  readonly open: (after: number | undefined) => AsyncIterable<T>;
  readonly follow: boolean;
  /** Whether more can come; asked when a stream has ended. */
  readonly isLive: () => Promise<boolean>;
  /** Told once for each time that the provider goes. */
  readonly onTrouble: (reason: string) => void;
  readonly pause: () => Promise<void>;
}

/** Refusals that end by themselves: the chain link of a provider that starts, or too many readers. */
const passing = ['chain_unavailable', 'busy', 'stale', 'unavailable', 'not_my_lease'];

/** @throws ProviderConnectionError or ProviderRefusal where it is not followed, or cannot be any more */
export async function* followed<T extends { readonly seq: number }>(of: Following<T>): AsyncGenerator<T> {
  let last: number | undefined;
  let isTold = false;
  for (;;) {
    try {
      for await (const line of of.open(last)) {
        last = line.seq;
        isTold = false;
        yield line;
      }
      if (!of.follow || !(await of.isLive())) return;
    } catch (error) {
      if (!of.follow || !isPassing(error)) throw error;
      // A chain that cannot be asked says nothing against it.
      if (!(await of.isLive().catch(() => true))) return;
      if (!isTold) of.onTrouble(messageOf(error));
      isTold = true;
    }
    await of.pause();
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof ProviderConnectionError) return true;
  return error instanceof ProviderRefusal && passing.includes(error.code);
}

/** Several streams as one, in the order in which lines come. */
export async function* merged<T>(streams: readonly AsyncIterable<T>[]): AsyncGenerator<T> {
  const iterators = streams.map((stream) => stream[Symbol.asyncIterator]());
  const next = (at: number) => iterators[at]!.next().then((result) => ({ at, result }));
  const waiting = new Map(iterators.map((_one, at) => [at, next(at)]));
  try {
    while (waiting.size > 0) {
      const { at, result } = await Promise.race(waiting.values());
      if (result.done === true) {
        waiting.delete(at);
        continue;
      }
      waiting.set(at, next(at));
      yield result.value;
    }
  } finally {
    // What one of them says after the reader has gone is nobody's.
    for (const result of waiting.values()) result.catch(() => {});
    for (const iterator of iterators) iterator.return?.().catch(() => {});
  }
}
