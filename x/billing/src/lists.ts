/** Pages of a collection, by the SDK's rules of PageRequest. */
import type { Collection } from '@mu/framework/collections';
import type { Context } from '@mu/framework/context';
import { errInvalidRequest } from '@mu/framework/errors';
import { compareBytes, concatBytes } from '@mu/lib/bytes';
import { storeName } from './keys.ts';

/** The parts of cosmos.base.query.v1beta1.PageRequest. */
export interface PageRequest {
  readonly key: Uint8Array;
  readonly offset: bigint;
  readonly limit: bigint;
  readonly countTotal: boolean;
  readonly reverse: boolean;
}

export interface Page<T> {
  readonly items: T[];
  readonly pagination: { readonly nextKey: Buffer; readonly total: bigint };
}

const defaultLimit = 100n;
const maxLimit = 1000n;

/**
 * The records under leading parts of a key.
 * @throws AbciError invalid request (18) for key and offset together, a limit above 1000 or a key of another list
 */
export function paginate<K, T>(
  ctx: Context,
  collection: Collection<K, T>,
  request: PageRequest | undefined,
  prefix: readonly unknown[],
): Page<T> {
  const { key = new Uint8Array(), offset = 0n, countTotal = false, reverse = false } = request ?? {};
  const limit = request === undefined || request.limit === 0n ? defaultLimit : request.limit;
  if (limit > maxLimit) throw errInvalidRequest.wrap(`pagination.limit is ${limit}, at most ${maxLimit}`);
  if (key.length > 0 && offset > 0n) throw errInvalidRequest.wrap('pagination has either key or offset');
  const [start, end] = startingAt(collection.bounds({ prefix }), key, reverse);
  const counts = countTotal && key.length === 0;
  const items: T[] = [];
  let nextKey = Buffer.alloc(0);
  let seen = 0n;
  for (const [at, value] of ctx.store(storeName).iterate(start, end, reverse)) {
    seen += 1n;
    if (seen <= offset) continue;
    if (BigInt(items.length) < limit) {
      items.push(collection.codec.decode(value));
      continue;
    }
    if (nextKey.length === 0) nextKey = Buffer.from(at);
    if (!counts) break;
  }
  return { items, pagination: { nextKey, total: counts ? seen : 0n } };
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
