/** Whole lists, page by page. */

/** The parts of cosmos.base.query.v1beta1.PageRequest. */
export interface Page {
  readonly key: Uint8Array;
  readonly offset: bigint;
  readonly limit: bigint;
  readonly countTotal: boolean;
  readonly reverse: boolean;
}

/** The most that a node puts into one answer. */
const pageLimit = 1_000n;

/** A page that begins at a key; the first one where it is empty. */
export function pageFrom(key: Uint8Array, limit: bigint = pageLimit): Page {
  return { key, offset: 0n, limit, countTotal: false, reverse: false };
}

/**
 * All items of a list.
 * @param ask for one page
 * @throws ChainError
 */
export async function allItems<R extends { readonly pagination?: { readonly nextKey: Uint8Array } | undefined }, T>(
  ask: (pagination: Page) => Promise<R>,
  itemsOf: (answer: R) => readonly T[],
): Promise<T[]> {
  const items: T[] = [];
  let key = new Uint8Array();
  do {
    const answer = await ask(pageFrom(key));
    items.push(...itemsOf(answer));
    key = Uint8Array.from(answer.pagination?.nextKey ?? []);
  } while (key.length > 0);
  return items;
}
