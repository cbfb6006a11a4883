import { expect, test } from '@jest/globals';
import { allItems, type Page } from '../../src/chain/pages.ts';

/** A list of numbered pages; the last one has no next key. */
const pages = (count: number, size: number) => {
  const asked: string[] = [];
  const ask = ({ key, limit }: Page) => {
    asked.push(`${key.join()} ${limit}`);
    const at = key[0] ?? 0;
    const nextKey = at + 1 < count ? Uint8Array.of(at + 1) : new Uint8Array();
    return Promise.resolve({
      items: Array.from({ length: size }, (_, index) => at * size + index),
      pagination: { nextKey },
    });
  };
  return { ask, asked };
};

test('pages are asked for until there is none, or enough has come', async () => {
  const { ask, asked } = pages(3, 2);
  expect(await allItems(ask, ({ items }) => items)).toEqual([0, 1, 2, 3, 4, 5]);
  expect(asked).toEqual([' 1000', '1 1000', '2 1000']);
  expect(await allItems(ask, ({ items }) => items, 3)).toEqual([0, 1, 2, 3]);
});

test('a list that does not end is given up', async () => {
  const empty = pages(200, 0);
  await expect(allItems(empty.ask, ({ items }) => items)).rejects.toThrow('does not end after 0 items');
  const endless = () =>
    Promise.resolve({ items: new Array(300_000).fill(0), pagination: { nextKey: Uint8Array.of(1) } });
  await expect(allItems(endless, ({ items }) => items)).rejects.toThrow('does not end');
});
