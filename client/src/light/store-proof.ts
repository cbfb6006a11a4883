/** Whether an app hash says that a store holds a value under a key, or none (the SDK's proofs of `store/<name>/key`). */
import { equalBytes, utf8 } from '@mu/lib/bytes';
import { LightError, type LightFault } from './errors.ts';
import { decodeProof, iavlForm, rootOfAbsence, rootOfMembership, simpleForm } from './ics23.ts';

/** One step of a proof as CometBFT carries it. */
export interface ProofOp {
  readonly type: string;
  readonly key: Uint8Array;
  readonly data: Uint8Array;
}

export interface StoreClaim {
  readonly store: string;
  readonly key: Uint8Array;
  /** undefined: there is none */
  readonly value: Uint8Array | undefined;
}

/**
 * Checks a claim about a store against a verified app hash: first the key in its store's tree, then the store's root in
 * the tree of stores.
 * @throws LightError of kind invalid_proof
 */
export function verifyStoreProof(appHash: Uint8Array, ops: readonly ProofOp[], claim: StoreClaim): void {
  const { store, key, value } = claim;
  const [inStore, ofStores, ...more] = ops;
  if (inStore === undefined || ofStores === undefined) refuse('proof_missing', 'the answer has no proof');
  if (more.length > 0) refuse('proof_form', `the proof has ${ops.length} parts`);
  checkOp(inStore as ProofOp, 'ics23:iavl', key);
  checkOp(ofStores as ProofOp, 'ics23:simple', utf8(store));
  const proof = decodeProof((inStore as ProofOp).data);
  const storeRoot =
    value === undefined ? rootOfAbsence(iavlForm, proof, key) : rootOfMembership(iavlForm, proof, key, value);
  const stores = decodeProof((ofStores as ProofOp).data);
  // The value that the second tree must hold is the first one's root.
  const claimed = stores.exist?.value;
  if (claimed !== undefined && !equalBytes(claimed, storeRoot)) {
    refuse('proof_root', `the proof leads to another root of store "${store}"`);
  }
  const root = rootOfMembership(simpleForm, stores, utf8(store), storeRoot);
  if (!equalBytes(root, appHash)) refuse('proof_root', 'the proof does not lead to the verified app hash');
}

function checkOp(op: ProofOp, type: string, key: Uint8Array): void {
  if (op.type !== type) refuse('proof_form', `the proof has a part "${op.type}" in the place of "${type}"`);
  if (!equalBytes(op.key, key)) refuse('proof_key', `the proof's part "${type}" is about another key`);
}

function refuse(fault: LightFault, text: string): never {
  throw new LightError(text, { kind: 'invalid_proof', fault });
}
