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

/** A list that is longer is not held in memory. */
const mostItems = 1_000_000;

/**
 * All items of a list.
 * @param ask for one page
 * @param most items that are wanted: further pages are not asked for
 * @throws ChainError; Error where a node's list does not end
 */
export async function allItems<R extends { readonly pagination?: { readonly nextKey: Uint8Array } | undefined }, T>(
  ask: (pagination: Page) => Promise<R>,
  itemsOf: (answer: R) => readonly T[],
  most: number = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const items: T[] = [];
  for (let key = new Uint8Array(); ; ) {
    const answer = await ask(pageFrom(key));
    const page = itemsOf(answer);
    for (const item of page) items.push(item);
    key = Uint8Array.from(answer.pagination?.nextKey ?? []);
    if (key.length === 0 || items.length >= most) return items;
    if (page.length === 0 || items.length > mostItems)
      throw new Error(`the node's list does not end after ${items.length} items: ask another node`);
  }
}
