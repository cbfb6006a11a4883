import { describe, expect, test } from '@jest/globals';
import { merkleLeafHash, merkleProofs } from '@mu/lib/merkle';
import { seeded } from '../../../client/test/manifest/fixture.ts';
import { nodeBytes, PieceTree, pieceHash } from '../../src/manifests/piece-tree.ts';

describe.each([1, 2, 3, 4, 5, 7, 8, 11, 64, 65])('the tree of %d pieces', (count) => {
  const random = seeded(`tree ${count}`);
  const pieces = Array.from({ length: count }, () => random(100));
  const { root, proofs } = merkleProofs(pieces);
  const tree = new PieceTree(count);
  const row = tree.rowOf(pieces.map(pieceHash));
  const nodeOf = (node: number): Uint8Array => row.slice(node * nodeBytes, (node + 1) * nodeBytes);

  test('has the root at its end, and the path of each piece at the places that it names', () => {
    expect(row).toHaveLength(tree.nodes * nodeBytes);
    expect(tree.nodes).toBeLessThanOrEqual(2 * count + 7);
    expect(nodeOf(tree.nodes - 1)).toEqual(root);
    for (const [leaf, { aunts }] of proofs.entries()) expect(tree.auntsOf(leaf).map(nodeOf)).toEqual(aunts);
  });

  test('shows by a right path only nodes of the row, from the leaf to what is below the root', () => {
    for (const [leaf, { aunts, leafHash }] of proofs.entries()) {
      const shown = tree.walk(leaf, leafHash, { aunts, root }) ?? [];
      expect(shown[0]).toEqual({ node: leaf, hash: leafHash });
      for (const { node, hash } of shown) expect(hash).toEqual(nodeOf(node));
      expect(new Set(shown.map(({ node }) => node)).size).toBe(shown.length);
    }
  });

  test('takes no wrong path', () => {
    const [{ aunts, leafHash }] = proofs as [(typeof proofs)[number]];
    const walk = (change: { leaf?: number; hash?: Uint8Array; aunts?: readonly Uint8Array[] }) =>
      tree.walk(change.leaf ?? 0, change.hash ?? leafHash, { aunts: change.aunts ?? aunts, root });
    expect(walk({})).toBeDefined();
    expect(walk({ hash: merkleLeafHash(random(100)) })).toBeUndefined();
    expect(walk({ aunts: [...aunts, random(32)] })).toBeUndefined();
    for (const leaf of [-1, count, 0.5, Number.NaN]) expect(walk({ leaf })).toBeUndefined();
    if (count === 1) return;
    expect(walk({ leaf: 1 })).toBeUndefined();
    expect(walk({ aunts: aunts.slice(1) })).toBeUndefined();
    expect(walk({ aunts: [aunts[0]!.subarray(1), ...aunts.slice(1)] })).toBeUndefined();
  });
});

test('there is no tree without pieces', () => {
  expect(() => new PieceTree(0)).toThrow(RangeError);
  expect(() => new PieceTree(3).auntsOf(3)).toThrow(RangeError);
});
