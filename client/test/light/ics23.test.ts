/** Proofs: what ICS-23's Go module accepts and refuses, what @confio/ics23 does, and what the SDK's stores answered. */
import { readFileSync } from 'node:fs';
import { ics23 as confio, iavlSpec, tendermintSpec, verifyMembership, verifyNonMembership } from '@confio/ics23';
import { equalBytes, fromBase64, fromHex } from '@mu/lib/bytes';
import { LightError } from '../../src/light/errors.ts';
import { decodeProof, iavlForm, rootOfAbsence, rootOfMembership, simpleForm } from '../../src/light/ics23.ts';
import { type ProofOp, verifyStoreProof } from '../../src/light/store-proof.ts';
import { type ProofCase, vectors } from './vectors.ts';

function isValid({ form, proof, key, value, root }: ProofCase): boolean {
  const tree = form === 'iavl' ? iavlForm : simpleForm;
  try {
    const decoded = decodeProof(fromBase64(proof));
    const calculated =
      value === undefined
        ? rootOfAbsence(tree, decoded, fromHex(key))
        : rootOfMembership(tree, decoded, fromHex(key), fromHex(value));
    return equalBytes(calculated, fromHex(root));
  } catch (error) {
    if (error instanceof LightError && error.kind === 'invalid_proof') return false;
    throw error;
  }
}

function confioSays({ form, proof, key, value, root }: ProofCase): boolean {
  const spec = form === 'iavl' ? iavlSpec : tendermintSpec;
  const decoded = confio.CommitmentProof.decode(fromBase64(proof));
  try {
    return value === undefined
      ? verifyNonMembership(decoded, spec, fromHex(root), fromHex(key))
      : verifyMembership(decoded, spec, fromHex(root), fromHex(key), fromHex(value));
  } catch {
    return false;
  }
}

describe('ICS-23', () => {
  test('the vectors hold what they should', () => {
    expect(vectors.proofs.length).toBeGreaterThan(500);
    expect(vectors.proofs.filter(({ valid }) => valid).length).toBeGreaterThan(50);
  });

  test.each(vectors.proofs)('$name', (one) => {
    // Trees that do not exist: the specification leaves room for nodes that no tree of these kinds makes.
    const impossible = /inner: (two suffixes|long prefix), its own root$|^key 0 of 1: as a simple proof$/.test(
      one.name,
    );
    // Indexes are keys without values: beside them nothing could be proved absent.
    const empty = /^empty neighbour of .$/.test(one.name);
    expect(isValid(one)).toBe(empty || (one.valid && !impossible));
  });

  test('@confio/ics23 takes proofs that the specification refuses, so it is not used', () => {
    const loose = vectors.proofs.filter((one) => confioSays(one) && !one.valid);
    expect(loose.length).toBeGreaterThan(0);
    const strict = vectors.proofs.filter((one) => !confioSays(one) && one.valid);
    expect(strict).toEqual([]);
  });
});

interface StoreQuery {
  readonly height: number;
  readonly store: string;
  readonly key: string;
  readonly value: string | null;
  readonly ops?: readonly { readonly type: string; readonly key: string; readonly data: string }[];
}

/** What the SDK's store of stores answered to `/store/<name>/key` with a proof. */
const rootmulti = JSON.parse(
  readFileSync(new URL('../../../chain/framework/test/vectors/rootmulti.json', import.meta.url), 'utf8'),
) as {
  readonly chains: readonly {
    readonly name: string;
    readonly blocks: readonly { readonly height: number; readonly appHash: string }[];
    /** null where none was asked */
    readonly queries: readonly StoreQuery[] | null;
  }[];
};

const answers = rootmulti.chains.flatMap(({ name, blocks, queries }) =>
  (queries ?? []).flatMap((query) => {
    const block = blocks.find(({ height }) => height === query.height);
    if (block === undefined || query.ops === undefined) return [];
    const ops = query.ops.map(({ type, key, data }) => ({ type, key: fromBase64(key), data: fromBase64(data) }));
    return [{ ...query, ops, chain: name, appHash: fromHex(block.appHash) }];
  }),
);

describe('store proofs of the SDK', () => {
  test('there are values and absences', () => {
    expect(answers.filter(({ value }) => value !== null).length).toBeGreaterThan(5);
    expect(answers.filter(({ value }) => value === null).length).toBeGreaterThan(5);
  });

  test.each(answers)('$chain, height $height, $store $key', ({ appHash, ops, store, key, value }) => {
    const claim = { store, key: fromHex(key), value: value === null ? undefined : fromHex(value) };
    verifyStoreProof(appHash, ops, claim);
    const other = Uint8Array.from(appHash, (byte, at) => (at === 7 ? byte ^ 1 : byte));
    expect(faultOf(other, ops, claim)).toBe('proof_root');
    expect(faultOf(appHash, ops, { ...claim, store: `${store}x` })).toBe('proof_key');
    expect(faultOf(appHash, ops, { ...claim, key: fromHex(`${key}00`) })).toBe('proof_key');
    expect(faultOf(appHash, ops, { ...claim, value: fromHex('0102ff') })).toBe(
      value === null ? 'proof_form' : 'proof_value',
    );
    if (value !== null) expect(faultOf(appHash, ops, { ...claim, value: undefined })).toBe('proof_form');
    expect(faultOf(appHash, [], claim)).toBe('proof_missing');
    expect(faultOf(appHash, ops.slice(0, 1), claim)).toBe('proof_missing');
    expect(faultOf(appHash, ops.toReversed(), claim)).toBe('proof_form');
    expect(faultOf(appHash, [...ops, ...ops], claim)).toBe('proof_form');
  });
});

function faultOf(
  appHash: Uint8Array,
  ops: readonly ProofOp[],
  claim: { store: string; key: Uint8Array; value: Uint8Array | undefined },
): string | undefined {
  try {
    verifyStoreProof(appHash, ops, claim);
    return undefined;
  } catch (error) {
    if (error instanceof LightError && error.kind === 'invalid_proof') return error.fault;
    throw error;
  }
}
