import { iavlSpec, ics23 as proto, verifyMembership, verifyNonMembership } from '@confio/ics23';
import { fromHex, toHex } from '@mu/lib/bytes';
import { CommitmentProof } from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { type TreeCase, treeCases } from './vectors.ts';
import { VersionedTree } from './versioned-tree.ts';

type Version = TreeCase['versions'][number];
type Proof = NonNullable<Version['proofs']>[number];

const cases = treeCases().filter(({ versions }) => versions.some(({ proofs }) => proofs !== undefined));

function build({ initialVersion, versions }: TreeCase): VersionedTree {
  const tree = new VersionedTree(initialVersion);
  for (const { ops } of versions) {
    for (const operation of ops) {
      if (operation[0] === 'set') tree.tree.set(operation[1], operation[2]);
      else tree.tree.remove(operation[1]);
    }
    tree.save();
  }
  return tree;
}

/** What ics23 in JavaScript says of a proof. */
function accepted(bytes: Uint8Array, root: Uint8Array, key: Uint8Array, value: Uint8Array | null): boolean {
  const decoded = proto.CommitmentProof.decode(bytes);
  return value === null
    ? verifyNonMembership(decoded, iavlSpec, root, key)
    : verifyMembership(decoded, iavlSpec, root, key, value);
}

function eachProof(one: TreeCase, look: (tree: VersionedTree, version: Version, proof: Proof) => void): void {
  const tree = build(one);
  for (const version of one.versions) for (const proof of version.proofs ?? []) look(tree, version, proof);
}

describe('proofs are those of cosmos/iavl v1.2.6', () => {
  test('the vectors are all there', () => {
    expect(cases).toHaveLength(27);
    expect(cases.flatMap(({ versions }) => versions.flatMap(({ proofs }) => proofs ?? []))).toHaveLength(453);
  });

  test.each(cases.map((one) => [one.name, one] as const))('%s: byte for byte', (_name, one) => {
    eachProof(one, (tree, { version }, { key, value, proof }) => {
      expect(tree.get(version, key) ?? null).toEqual(value);
      expect(toHex(CommitmentProof.encode(tree.prove(version, key)).finish())).toBe(toHex(proof));
    });
  });

  test.each(cases.map((one) => [one.name, one] as const))('%s: as ics23 judges them', (_name, one) => {
    eachProof(one, (tree, { version, root }, { key, value, verifies }) => {
      const bytes = CommitmentProof.encode(tree.prove(version, key)).finish();
      expect(accepted(bytes, fromHex(root), key, value)).toBe(verifies);
    });
  });

  test('a proof holds for its key, value and root alone', () => {
    const one = cases.find(({ name }) => name.startsWith('accounts')) as TreeCase;
    let looked = 0;
    eachProof(one, (tree, { version, root }, { key, value }) => {
      const bytes = CommitmentProof.encode(tree.prove(version, key)).finish();
      const otherKey = Uint8Array.from([...key.slice(0, -1), (key.at(-1) as number) ^ 1]);
      const otherRoot = fromHex(root).map((byte, at) => (at === 0 ? byte ^ 1 : byte));
      expect(accepted(bytes, fromHex(root), key, value)).toBe(true);
      expect(accepted(bytes, otherRoot, key, value)).toBe(false);
      if (value !== null) expect(accepted(bytes, fromHex(root), otherKey, value)).toBe(false);
      expect(accepted(bytes, fromHex(root), key, value === null ? Uint8Array.of(1) : null)).toBe(false);
      if (value !== null) expect(accepted(bytes, fromHex(root), key, Uint8Array.from([...value, 0]))).toBe(false);
      looked += 1;
    });
    expect(looked).toBeGreaterThan(10);
  });
});
