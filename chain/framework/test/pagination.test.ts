/** Pages of lists: forwards and backwards, by key and by offset, filtered and counted. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { Collection, type MessageCodec, tupleKey, u64Key } from '../src/collections.ts';
import { type Context, freshContext } from '../src/context.ts';
import { AbciError } from '../src/errors.ts';
import { listPage, type PageRequest, type Source } from '../src/pagination.ts';
import { BranchMultiStore } from '../src/store/branch-store.ts';
import { MemoryCommitStore } from '../src/store/memory-commit-store.ts';

type Key = readonly [bigint, bigint];
const key = tupleKey<Key>(u64Key, u64Key);
const codec: MessageCodec<bigint> = {
  encode: (number) => ({ finish: () => u64Key.encode(number) }),
  decode: (bytes) => u64Key.decode(bytes, 0)[0],
};
const table = new Collection<Key, bigint>('toy', 7, key, codec);
const source = (group: bigint): Source<Key, bigint> => ({
  keys: table,
  codec: key,
  prefix: [group],
  load: (_ctx, [, number], value) => {
    expect(codec.decode(value)).toBe(number);
    return number;
  },
});

let ctx: Context;
beforeEach(() => {
  const stores = new BranchMultiStore(new MemoryCommitStore(['toy']));
  const chain = { chainId: 'toy-1', bech32Prefix: 'toy', denom: 'utoy' };
  ctx = freshContext({ chain, block: { height: 1n, timeNs: 0n, proposer: new Uint8Array() }, mode: 'query', stores });
  for (const group of [1n, 2n, 3n]) {
    for (let number = 1n; number <= 10n; number += 1n) table.set(ctx, [group, number], number);
  }
});

const request = (parts: Partial<PageRequest>): PageRequest => ({
  key: new Uint8Array(),
  offset: 0n,
  limit: 0n,
  countTotal: false,
  reverse: false,
  ...parts,
});
const page = (parts: Partial<PageRequest>, keeps = (_: bigint): boolean => true) =>
  listPage(ctx, source(2n), request(parts), keeps);
const even = (number: bigint): boolean => number % 2n === 0n;
const numbers = (...list: number[]): bigint[] => list.map(BigInt);

/** All pages one after the other, each going on where the last one ended. */
function walk(parts: Partial<PageRequest>, keeps = (_: bigint): boolean => true): bigint[][] {
  const pages: bigint[][] = [];
  let next: Uint8Array = new Uint8Array();
  do {
    const { items, pagination } = page({ ...parts, key: next }, keeps);
    pages.push(items);
    next = pagination.nextKey;
  } while (next.length > 0 && pages.length < 100);
  return pages;
}

describe('a list in pages', () => {
  test('holds its own group alone, whole within the default limit', () => {
    expect(listPage(ctx, source(2n), undefined, () => true)).toEqual({
      items: numbers(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
      pagination: { nextKey: new Uint8Array(), total: 0n },
    });
  });

  test('goes on by key, each item once', () => {
    expect(walk({ limit: 4n })).toEqual([numbers(1, 2, 3, 4), numbers(5, 6, 7, 8), numbers(9, 10)]);
  });

  test('goes backwards by key, each item once', () => {
    expect(walk({ limit: 4n, reverse: true })).toEqual([numbers(10, 9, 8, 7), numbers(6, 5, 4, 3), numbers(2, 1)]);
  });

  test('ends with the last item and no empty page', () => {
    expect(walk({ limit: 5n })).toEqual([numbers(1, 2, 3, 4, 5), numbers(6, 7, 8, 9, 10)]);
    expect(walk({ limit: 10n })).toHaveLength(1);
  });

  test('filters before it counts, forwards and backwards', () => {
    expect(walk({ limit: 2n }, even)).toEqual([numbers(2, 4), numbers(6, 8), numbers(10)]);
    expect(walk({ limit: 2n, reverse: true }, even)).toEqual([numbers(10, 8), numbers(6, 4), numbers(2)]);
  });

  test('skips by offset', () => {
    expect(page({ offset: 3n, limit: 2n }).items).toEqual(numbers(4, 5));
    expect(page({ offset: 1n, limit: 2n, reverse: true }, even).items).toEqual(numbers(8, 6));
    expect(page({ offset: 10n }).items).toEqual([]);
  });

  test('counts all that the filter keeps, only when asked and not on a page by key', () => {
    expect(page({ limit: 1n, countTotal: true }).pagination.total).toBe(10n);
    expect(page({ limit: 1n, offset: 2n, countTotal: true }, even).pagination.total).toBe(5n);
    expect(page({ limit: 1n }).pagination.total).toBe(0n);
    const { nextKey } = page({ limit: 1n }).pagination;
    expect(page({ key: nextKey, countTotal: true }).pagination.total).toBe(0n);
  });

  test('reads its page and one more, not the list', () => {
    const before = ctx.gas.consumed;
    page({ limit: 1n });
    const one = ctx.gas.consumed - before;
    page({ limit: 10n });
    expect(ctx.gas.consumed - before - one).toBeGreaterThan(2n * one);
  });
});

describe('refused with code 18', () => {
  const refused: [string, () => unknown][] = [
    ['a limit above 1000', () => page({ limit: 1_001n })],
    ['key and offset together', () => page({ key: table.rawKey([2n, 3n]), offset: 1n })],
    ['the key of another group before it', () => page({ key: table.rawKey([1n, 3n]) })],
    ['the key of another group behind it', () => page({ key: table.rawKey([3n, 1n]) })],
    ['a key of nothing', () => page({ key: Uint8Array.of(255) })],
  ];
  test.each(refused)('%s', (_what, run) => {
    try {
      run();
    } catch (error) {
      expect(error).toBeInstanceOf(AbciError);
      expect([(error as AbciError).codespace, (error as AbciError).code]).toEqual(['sdk', 18]);
      return;
    }
    throw new Error('it was accepted');
  });

  test('but a limit of 1000 is served', () => {
    expect(page({ limit: 1_000n }).items).toHaveLength(10);
  });
});
