/**
 * Pages over the raw keys of a store, with the SDK's semantics (types/query/collections_pagination.go): for the standard
 * Cosmos queries, whose `next_key` clients hand back as they got it.
 */
import { concatBytes } from '@mu/lib/bytes';
import type { Context } from './context.ts';
import { errInvalidRequest } from './errors.ts';
import { prefixEnd } from './store/kv-store.ts';

/** The parts of cosmos.base.query.v1beta1.PageRequest. */
export interface RawPageRequest {
  readonly key: Uint8Array;
  readonly offset: bigint;
  readonly limit: bigint;
  readonly countTotal: boolean;
  readonly reverse: boolean;
}

export interface RawPageSource<T> {
  /** of all keys of the list */
  readonly prefix: Uint8Array;
  readonly request: RawPageRequest | undefined;
  /** @param key without the prefix */
  readonly load: (key: Uint8Array, value: Uint8Array) => T;
}

export interface RawPage<T> {
  readonly items: T[];
  /** `nextKey` is without the prefix */
  readonly pagination: { readonly nextKey: Uint8Array; readonly total: bigint };
}

const defaultLimit = 100n;
/** The SDK has no bound; here a page is one, so that no query walks the whole state. Longer ones are cut to it. */
const maxLimit = 1_000n;

/** @throws AbciError invalid request (18) for key and offset together */
export function rawPage<T>(ctx: Context, storeName: string, source: RawPageSource<T>): RawPage<T> {
  const { prefix, load } = source;
  const { key = new Uint8Array(), offset = 0n, limit: asked = 0n, reverse = false } = source.request ?? {};
  if (offset > 0n && key.length > 0) {
    throw errInvalidRequest.wrap('invalid request, either offset or key is expected, got both');
  }
  const limit = asked === 0n ? defaultLimit : asked < maxLimit ? asked : maxLimit;
  // Like the SDK: who gives no limit is told the total.
  const counts = key.length === 0 && (asked === 0n || source.request?.countTotal === true);
  const at = concatBytes(prefix, key);
  const start = reverse ? prefix : at;
  const end = reverse && key.length > 0 ? concatBytes(at, Uint8Array.of(0)) : prefixEnd(prefix);
  const items: T[] = [];
  let nextKey = new Uint8Array();
  let seen = 0n;
  for (const [full, value] of ctx.store(storeName).iterate(start, end, reverse)) {
    const own = full.slice(prefix.length);
    seen += 1n;
    if (seen <= offset) continue;
    if (BigInt(items.length) < limit) {
      items.push(load(own, value));
      continue;
    }
    if (nextKey.length === 0) nextKey = own;
    if (!counts) break;
  }
  return { items, pagination: { nextKey, total: counts ? seen : 0n } };
}
