/** Pages of records over an index of their keys: a query reads its page and what its filter drops, not the module. */

import { compareBytes, concatBytes } from '@mu/lib/bytes';
import type { Collection, KeyCodec, Range } from './collections.ts';
import type { Context } from './context.ts';
import { errInvalidRequest } from './errors.ts';

/** The parts of cosmos.base.query.v1beta1.PageRequest. */
export interface PageRequest {
  readonly key: Uint8Array;
  readonly offset: bigint;
  readonly limit: bigint;
  readonly countTotal: boolean;
  readonly reverse: boolean;
}

/** A table or an index, and how its keys lead to records. */
export interface Source<K, T> {
  readonly keys: { readonly storeName: string; bounds(range: Range<K>): [Uint8Array, Uint8Array | undefined] };
  readonly codec: KeyCodec<K>;
  readonly prefix: readonly unknown[];
  load(ctx: Context, key: K, value: Uint8Array): T;
}

export interface Page<T> {
  readonly items: T[];
  readonly pagination: { readonly nextKey: Uint8Array; readonly total: bigint };
}

const defaultLimit = 100n;
const maxLimit = 1_000n;

/** @throws AbciError invalid request (18) for key and offset together, a limit above 1000 or a foreign key */
export function listPage<K, T>(
  ctx: Context,
  source: Source<K, T>,
  request: PageRequest | undefined,
  keeps: (item: T) => boolean,
): Page<T> {
  const { key = new Uint8Array(), reverse = false } = request ?? {};
  const [start, end] = startingAt(source.keys.bounds({ prefix: source.prefix }), key, reverse);
  return takePage(kept(ctx, source, ctx.store(source.keys.storeName).iterate(start, end, reverse), keeps), request);
}

function* kept<K, T>(
  ctx: Context,
  source: Source<K, T>,
  pairs: Iterable<readonly [Uint8Array, Uint8Array]>,
  keeps: (item: T) => boolean,
): IterableIterator<readonly [Uint8Array, T]> {
  for (const [at, value] of pairs) {
    const item = source.load(ctx, source.codec.decode(at, 1)[0], value);
    if (keeps(item)) yield [at, item];
  }
}

/**
 * A page of items that come in their order, each with the key at which a next page begins. The caller has begun at the
 * request's key, and goes the request's way.
 * @throws AbciError invalid request (18) for key and offset together or a limit above 1000
 */
export function takePage<T>(
  source: Iterable<readonly [key: Uint8Array, item: T]>,
  request: PageRequest | undefined,
): Page<T> {
  const { key = new Uint8Array(), offset = 0n, countTotal = false } = request ?? {};
  const limit = request === undefined || request.limit === 0n ? defaultLimit : request.limit;
  if (limit > maxLimit) throw errInvalidRequest.wrap(`pagination.limit is ${limit}, at most ${maxLimit}`);
  if (key.length > 0 && offset > 0n) throw errInvalidRequest.wrap('pagination has either key or offset');
  const counts = countTotal && key.length === 0;
  const items: T[] = [];
  let nextKey = new Uint8Array();
  let seen = 0n;
  for (const [at, item] of source) {
    seen += 1n;
    if (seen <= offset) continue;
    if (BigInt(items.length) < limit) {
      items.push(item);
      continue;
    }
    if (nextKey.length === 0) nextKey = Uint8Array.from(at);
    if (!counts) break;
  }
  return { items, pagination: { nextKey, total: counts ? seen : 0n } };
}

/** The records of a collection under leading parts of its key. @throws AbciError invalid request (18) */
export function collectionPage<K, T>(
  ctx: Context,
  collection: Collection<K, T>,
  request: PageRequest | undefined,
  prefix: readonly unknown[],
): Page<T> {
  const { keyCodec: codec } = collection;
  const source: Source<K, T> = {
    keys: collection,
    codec,
    prefix,
    load: (_ctx, _key, value) => collection.codec.decode(value),
  };
  return listPage(ctx, source, request, () => true);
}

/** The bounds of a list that goes on at a key of it. */
function startingAt(
  [start, end]: [Uint8Array, Uint8Array | undefined],
  key: Uint8Array,
  reverse: boolean,
): [Uint8Array, Uint8Array | undefined] {
  if (key.length === 0) return [start, end];
  if (compareBytes(key, start) < 0 || (end !== undefined && compareBytes(key, end) >= 0)) {
    throw errInvalidRequest.wrap('pagination.key is not one of this list');
  }
  return reverse ? [start, concatBytes(key, Uint8Array.of(0))] : [key, end];
}
