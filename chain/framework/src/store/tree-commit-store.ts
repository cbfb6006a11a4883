/** Committed state as the SDK's multistore has it: an IAVL tree per store, flat latest values beside it for reads. */
import { utf8 } from '@mu/lib/bytes';
import { CommitmentProof } from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { ProofOps } from 'cosmjs-types/tendermint/crypto/proof';
import { errInvalidHeight, errInvalidRequest, errUnknownRequest } from '../errors.ts';
import type { NodeId } from '../iavl/node.ts';
import { NodeCache } from '../iavl/node-cache.ts';
import { proveAbsenceInEmpty, proveKey } from '../iavl/proof.ts';
import { emptyTree, IavlTree, type TreeRoot } from '../iavl/tree.ts';
import { TreeReader } from '../iavl/tree-reader.ts';
import { appHashOf, proveStore, type StoreRoot } from './commit-info.ts';
import { type CommitInfo, type CommitStore, emptyAppHash, type StoredValue } from './commit-store.ts';
import type { Change, KVStore, MultiStore } from './kv-store.ts';
import { StagedNodes } from './staged-nodes.ts';
import type { StateBackend, VersionRecord } from './state-backend.ts';

/** Nodes kept in memory unless the options say otherwise. */
const defaultCacheNodes = 100_000;

/** A version that was hashed and is not committed. */
interface Staged {
  readonly height: bigint;
  readonly changes: readonly Change[];
  readonly nodes: StagedNodes;
  readonly roots: readonly StoreRoot[];
  readonly orphans: readonly NodeId[];
  readonly appHash: Uint8Array;
}

export class TreeCommitStore implements CommitStore {
  readonly #backend: StateBackend;
  readonly #names: readonly string[];
  readonly #cache: NodeCache;
  readonly #trees = new Map<string, IavlTree>();
  readonly #constants = new Map<string, Uint8Array>();
  #last: CommitInfo;
  #nextId: NodeId;
  #staged: Staged | undefined;

  /** @param names of all stores, as the modules declare them */
  constructor(
    backend: StateBackend,
    names: readonly string[],
    { cacheNodes = defaultCacheNodes }: { readonly cacheNodes?: number } = {},
  ) {
    this.#backend = backend;
    this.#names = [...names].sort((a, b) => (a < b ? -1 : 1));
    this.#cache = new NodeCache({ nodeRecord: (id) => this.#nodeRecord(id) }, cacheNodes);
    const version = backend.version(backend.latest);
    this.#nextId = version?.nextId ?? 1;
    this.#last =
      version === undefined
        ? { height: 0n, appHash: emptyAppHash }
        : { height: BigInt(backend.latest), appHash: appHashOf(version.roots) };
    for (const name of this.#names) this.#trees.set(name, new IavlTree(this.#cache, rootOf(version, name)));
  }

  get last(): CommitInfo {
    return this.#last;
  }

  /** Nodes in memory, and how often one was found there. */
  get cache(): Pick<NodeCache, 'size' | 'hits' | 'misses'> {
    return this.#cache;
  }

  /** Leaves of a store's tree. */
  treeSize(store: string): number {
    return this.#tree(store).size;
  }

  store(name: string): KVStore {
    this.#tree(name);
    return this.#backend.flat(name);
  }

  workingHash(height: bigint, changes: readonly Change[]): Uint8Array {
    return this.#stage(height, changes).appHash;
  }

  commit(height: bigint, changes: readonly Change[]): CommitInfo {
    const { nodes, roots, orphans, appHash } = this.#stage(height, changes);
    this.#backend.write({
      height: Number(height),
      version: { roots, nextId: nodes.nextId },
      changes,
      firstId: nodes.firstId,
      records: nodes.records,
      orphans,
      constants: [...this.#constants.entries()],
    });
    this.#constants.clear();
    this.#staged = undefined;
    this.#nextId = nodes.nextId;
    for (const { store, root } of roots) this.#tree(store).settle(root);
    this.#last = { height, appHash };
    return this.#last;
  }

  at(height: bigint): MultiStore {
    if (height === this.#last.height) return this;
    const version = this.#version(height);
    return {
      store: (name) => {
        const known = version.roots.find((one) => one.store === name);
        if (known === undefined) throw errUnknownRequest.wrap(`no such store: ${name}`);
        return new TreeReader(this.#cache, known.root);
      },
    };
  }

  read(store: string, key: Uint8Array, height: bigint, prove: boolean): StoredValue {
    const at = height === 0n ? this.#last.height : height;
    if (!prove) return { value: this.at(at).store(store).get(key), height: at };
    if (at <= 1n) {
      throw errInvalidRequest.wrap('cannot query with proof when height <= 1; please provide a valid height');
    }
    const { roots } = this.#version(at);
    const known = roots.find((one) => one.store === store);
    if (known === undefined) throw errUnknownRequest.wrap(`no such store: ${store}`);
    const inStore = this.#proof(known.root, key);
    return {
      value: inStore.exist?.value,
      height: at,
      proof: ProofOps.fromPartial({
        ops: [
          { type: 'ics23:iavl', key, data: CommitmentProof.encode(inStore).finish() },
          { type: 'ics23:simple', key: utf8(store), data: CommitmentProof.encode(proveStore(roots, store)).finish() },
        ],
      }),
    };
  }

  constant(name: string): Uint8Array | undefined {
    return this.#constants.get(name) ?? this.#backend.constant(name);
  }

  setConstant(name: string, value: Uint8Array): void {
    this.#constants.set(name, value);
  }

  #proof(root: TreeRoot, key: Uint8Array): CommitmentProof {
    return root.id === 0 ? proveAbsenceInEmpty(key) : proveKey(this.#cache, this.#cache.node(root.id), key);
  }

  #tree(name: string): IavlTree {
    const tree = this.#trees.get(name);
    if (tree === undefined) throw errUnknownRequest.wrap(`no such store: ${name}`);
    return tree;
  }

  #version(height: bigint): VersionRecord {
    const { height: latest } = this.#last;
    if (height < 0n) throw errInvalidRequest.wrap('cannot query with height < 0; please provide a valid height');
    if (height > latest) {
      throw errInvalidHeight.wrap('cannot query with height in the future; please provide a valid height');
    }
    const version = this.#backend.version(Number(height));
    if (version === undefined) {
      throw errInvalidHeight.wrap(`height ${height} is not kept by this node; the latest is ${latest}`);
    }
    return version;
  }

  /** Applies a block to the trees and hashes them. Asked again for the same block it answers what it has. */
  #stage(height: bigint, changes: readonly Change[]): Staged {
    if (this.#staged?.changes === changes && this.#staged.height === height) return this.#staged;
    if (this.#staged !== undefined) this.#unstage();
    const nodes = new StagedNodes(this.#nextId, this.#cache);
    for (const { store, key, value } of changes) {
      if (value === undefined) this.#tree(store).remove(key);
      else this.#tree(store).set(key, value);
    }
    const orphans: NodeId[] = [];
    const roots = this.#names.map((store): StoreRoot => {
      const saved = this.#tree(store).save(Number(height), nodes);
      for (const id of saved.orphans) orphans.push(id);
      return { store, root: saved.root };
    });
    this.#staged = { height, changes, nodes, roots, orphans, appHash: appHashOf(roots) };
    return this.#staged;
  }

  #unstage(): void {
    this.#staged = undefined;
    for (const tree of this.#trees.values()) tree.rollback();
  }

  #nodeRecord(id: NodeId): Buffer | undefined {
    return this.#staged?.nodes.record(id) ?? this.#backend.nodeRecord(id);
  }
}

function rootOf(version: VersionRecord | undefined, name: string): TreeRoot {
  return version?.roots.find(({ store }) => store === name)?.root ?? emptyTree;
}
