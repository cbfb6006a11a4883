import type { Change } from '@mu/framework/store/kv-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { compareBytes, toHex, utf8 } from '@mu/lib/bytes';

/** Changes of a block that come from a seed: few and many, inserts and removals, short keys and some that no slot holds. */
function changesOf(seed: number): Change[] {
  let state = Math.imul(seed, 0x9e3779b1);
  const next = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    return (state >>> 8) % below;
  };
  const changes = new Map<string, Change>();
  for (let left = next(40); left >= 0; left -= 1) {
    const name = `${next(90)}${next(3) === 0 ? '/'.padEnd(80, 'x') : ''}`;
    changes.set(name, { store: 'bank', key: utf8(name), value: next(3) === 0 ? undefined : utf8(`${next(1000)}`) });
  }
  return [...changes.values()].sort((a, b) => compareBytes(a.key, b.key));
}

describe('a block that was hashed and not committed leaves nothing behind', () => {
  test('other changes at the same height', () => {
    const plain = new MemoryCommitStore(['bank']);
    const hashing = new MemoryCommitStore(['bank']);
    for (let height = 1; height <= 200; height += 1) {
      const expected = plain.commit(BigInt(height), changesOf(height)).appHash;
      for (let other = 1; other <= 3; other += 1) hashing.workingHash(BigInt(height), changesOf(height * 1000 + other));
      const found = hashing.commit(BigInt(height), changesOf(height)).appHash;
      expect(`${height} ${toHex(found)}`).toBe(`${height} ${toHex(expected)}`);
    }
    const pairs = (store: MemoryCommitStore, height: bigint): string[] =>
      [...store.at(height).store('bank').iterate()].map(([key, value]) => `${toHex(key)}=${toHex(value)}`);
    for (let height = 1n; height < 200n; height += 1n) expect(pairs(hashing, height)).toEqual(pairs(plain, height));
  });
});
