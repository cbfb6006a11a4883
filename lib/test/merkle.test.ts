import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../src/bytes.ts';
import { sha256 } from '../src/hashes.ts';
import {
  type MerkleProof,
  merkleInnerHash,
  merkleLeafHash,
  merkleProofs,
  merkleRoot,
  RunningRoot,
  verifyMerkleProof,
} from '../src/merkle.ts';

/** The definition of RFC 6962 section 2.1, word by word: the oracle. */
function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array());
  if (leaves.length === 1) return sha256(concatBytes(fromHex('00'), leaves[0]!));
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha256(
    concatBytes(fromHex('01'), rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split))),
  );
}

const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(i % 5).fill(i));

describe('root', () => {
  test("RFC 6962's published roots", () => {
    // Google's certificate-transparency vectors, also in CometBFT's tests.
    const leaves = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ].map(fromHex);
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    expect(roots.map((_, count) => toHex(merkleRoot(leaves.slice(0, count))))).toEqual(roots);
  });

  test('every size up to 130 has the root of the definition', () => {
    for (let count = 0; count <= 130; count++) {
      const leaves = leavesOf(count);
      expect(toHex(merkleRoot(leaves))).toBe(toHex(rootByDefinition(leaves)));
    }
  });
});

describe('running root', () => {
  test('every size up to 130 has the root of the definition, also between two leaves', () => {
    const running = new RunningRoot();
    for (const [count, leaf] of leavesOf(131).entries()) {
      expect(toHex(running.root())).toBe(toHex(rootByDefinition(leavesOf(count))));
      running.add(merkleLeafHash(leaf));
    }
  });

  test('no leaf is held, but a hash for each level of the tree', () => {
    const running = new RunningRoot();
    const leaf = merkleLeafHash(new Uint8Array());
    for (let at = 0; at < 100_000; at += 1) running.add(leaf);
    expect(running.held).toBeLessThanOrEqual(17);
  });
});

describe('proofs', () => {
  test('every leaf of every size is proven, and only where it stands', () => {
    for (let count = 0; count <= 40; count++) {
      const leaves = Array.from({ length: count }, (_, i) => new Uint8Array([i]));
      const { root, proofs } = merkleProofs(leaves);
      expect(toHex(root)).toBe(toHex(merkleRoot(leaves)));
      expect(proofs).toHaveLength(count);
      for (const [i, proof] of proofs.entries()) {
        expect(verifyMerkleProof(root, leaves[i]!, proof)).toBe(true);
        expect(verifyMerkleProof(root, leaves[(i + 1) % count]!, proof)).toBe(count === 1);
        if (i > 0) expect(verifyMerkleProof(root, leaves[i]!, { ...proof, index: i - 1 })).toBe(false);
      }
    }
  });

  test("an aunt is the sibling, lowest first (CometBFT's order)", () => {
    const leaves = leavesOf(3);
    const [a, b, c] = leaves.map(merkleLeafHash);
    const { proofs } = merkleProofs(leaves);
    expect(proofs.map((proof) => proof.aunts)).toEqual([[b, c], [a, c], [merkleInnerHash(a!, b!)]]);
  });

  test('any change to a proof or root is noticed', () => {
    const leaves = leavesOf(21);
    const { root, proofs } = merkleProofs(leaves);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 159 }), (at, place) => {
        const proof = proofs[at]!;
        const aunt = Math.floor(place / 32) % proof.aunts.length;
        const aunts = proof.aunts.map((bytes) => bytes.slice());
        aunts[aunt]![place % 32]! ^= 1;
        expect(verifyMerkleProof(root, leaves[at]!, { ...proof, aunts })).toBe(false);
      }),
    );
    const [first] = proofs;
    const verify = (change: Partial<MerkleProof>): boolean =>
      verifyMerkleProof(root, leaves[0]!, { ...first!, ...change });
    expect(verify({})).toBe(true);
    expect(verify({ aunts: first!.aunts.slice(1) })).toBe(false);
    expect(verify({ aunts: [...first!.aunts, new Uint8Array(32)] })).toBe(false);
    expect(verify({ leafHash: new Uint8Array(32) })).toBe(false);
    for (const total of [0, -1, 1.5, Number.NaN, 2 ** 31, 1]) expect(verify({ total })).toBe(false);
    for (const index of [-1, 21, 0.5, Number.NaN]) expect(verify({ index })).toBe(false);
    expect(verifyMerkleProof(sha256(root), leaves[0]!, first!)).toBe(false);
  });

  test('an inner node cannot pose as a leaf', () => {
    const { root, proofs } = merkleProofs(leavesOf(4));
    const inner = concatBytes(merkleLeafHash(leavesOf(4)[0]!), merkleLeafHash(leavesOf(4)[1]!));
    const forged = { total: 2, index: 0, leafHash: merkleLeafHash(inner), aunts: [proofs[0]!.aunts[1]!] };
    expect(verifyMerkleProof(root, inner, forged)).toBe(false);
  });
});
