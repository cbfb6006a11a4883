import { ImportStores } from '@mu/framework/store/import-stores';
import { MemoryBackend } from '@mu/framework/store/memory-backend';
import { MemoryStore } from '@mu/framework/store/memory-store';
import { toHex } from '@mu/lib/bytes';

const key = (...bytes: number[]): Uint8Array => Uint8Array.from(bytes);
const names = ['a', 'b'];

/** Numbers from a seed. */
function numbersFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return (state >>> 8) % below;
  };
}

// With room for nothing each write is handed over at once; with much of it none before the end.
test.each([0, 150_000, 1_000_000_000])('stores of a genesis read as one in memory (%d bytes wait)', (most) => {
  const backend = new MemoryBackend();
  backend.beginFirst();
  const stores = new ImportStores(names, backend, most);
  const expected = new MemoryStore();
  const next = numbersFrom(7);
  const keyOf = (): Uint8Array => key(...Array.from({ length: 1 + next(3) }, () => next(40)));
  for (let round = 0; round < 20_000; round += 1) {
    const [place, value] = [keyOf(), key(next(256), next(256))];
    if (next(4) > 0) {
      stores.store('a').set(place, value);
      expected.set(place, value);
    } else {
      stores.store('a').delete(place);
      expected.delete(place);
    }
    const asked = keyOf();
    expect(stores.store('a').get(asked)).toEqual(expected.get(asked));
    expect(stores.store('a').has(asked)).toBe(expected.has(asked));
  }
  const pairs = (from: { iterate(): Iterable<[Uint8Array, Uint8Array]> }): string[] =>
    Array.from(from.iterate(), ([k, v]) => `${toHex(k)}=${toHex(v)}`);
  expect(pairs(stores.store('a'))).toEqual(pairs(expected));
  stores.end();
  expect(pairs(backend.flat('a'))).toEqual(pairs(expected));
  expect(pairs(backend.flat('b'))).toEqual([]);
});

test('what is written during an iteration is seen where it lies ahead, and stays', () => {
  const backend = new MemoryBackend();
  const stores = new ImportStores(names, backend, 0);
  const store = stores.store('a');
  for (const at of [1, 3, 5]) store.set(key(at), key(at));
  const seen: number[] = [];
  for (const [[at = 0]] of store.iterate()) {
    seen.push(at);
    if (at === 1) store.delete(key(3));
    if (at === 1) store.set(key(4), key(4));
    if (at === 4) store.set(key(2), key(2));
    // Another one, within it, that is left early.
    for (const [[inner = 0]] of store.iterate(key(2))) if (inner > 0) break;
  }
  expect(seen).toEqual([1, 4, 5]);
  stores.end();
  expect(Array.from(backend.flat('a').iterate(), ([[at]]) => at)).toEqual([1, 2, 4, 5]);
});
