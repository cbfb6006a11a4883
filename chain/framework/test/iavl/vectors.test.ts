import { toHex } from '@mu/lib/bytes';
import { type TreeCase, type TreeOperation, treeCases } from './vectors.ts';
import { VersionedTree } from './versioned-tree.ts';

const cases = treeCases();

/** Runs operations. @returns what the tree said of each: whether the key existed */
function run(tree: VersionedTree, operations: readonly TreeOperation[]): boolean[] {
  return operations.map(([kind, key, ...rest]) =>
    kind === 'set' ? tree.tree.set(key, rest[0] as Uint8Array) : tree.tree.remove(key),
  );
}

const existed = (operations: readonly TreeOperation[]): boolean[] =>
  operations.map((operation) => operation.at(-1) as boolean);

function shapeOf(tree: VersionedTree, version: number): unknown[] {
  return [...tree.nodes(version)].map((node) => [
    Buffer.from(node.key, 'latin1').toString('hex'),
    node.value === undefined ? null : toHex(node.value),
    node.version,
    node.height,
  ]);
}

function runCase({ initialVersion, versions }: TreeCase): VersionedTree {
  const tree = new VersionedTree(initialVersion);
  for (const expected of versions) {
    if (expected.reloaded) tree.reload();
    if (expected.discarded !== undefined) {
      expect(run(tree, expected.discarded)).toEqual(existed(expected.discarded));
      tree.tree.rollback();
    }
    expect(run(tree, expected.ops)).toEqual(existed(expected.ops));
    expect(tree.tree.size).toBe(expected.size);
    const root = toHex(tree.save());
    expect({ version: tree.last, root }).toEqual({ version: expected.version, root: expected.root });
  }
  return tree;
}

describe('the tree does what cosmos/iavl v1.2.6 does', () => {
  test('the vectors are all there', () => {
    expect(cases).toHaveLength(35);
    expect(cases.flatMap(({ versions }) => versions)).toHaveLength(249);
    expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
  });

  test.each(cases.map((one) => [one.name, one] as const))('%s', (_name, one) => {
    const tree = runCase(one);
    // Looked at when all versions stand: later ones have not touched the earlier.
    for (const { version, root, size, height, shape } of one.versions) {
      expect(toHex(tree.rootAt(version))).toBe(root);
      const nodes = [...tree.nodes(version)];
      expect(nodes.filter((node) => node.height === 0)).toHaveLength(size);
      expect(nodes.at(-1)?.height ?? 0).toBe(height);
      if (shape !== undefined) expect(shapeOf(tree, version)).toEqual(shape);
    }
  });

  test.each(cases.map((one) => [one.name, one] as const))('pruned to its last version: %s', (_name, one) => {
    const tree = runCase(one);
    const last = one.versions.at(-1) as TreeCase['versions'][number];
    tree.prune(last.version - 1);
    tree.reload();
    expect(toHex(tree.rootAt(last.version))).toBe(last.root);
    // All nodes of the last version, and no other.
    expect([...tree.nodes(last.version)]).toHaveLength(tree.records);
    expect(tree.records).toBe(Math.max(0, 2 * last.size - 1));
  });
});
