/** Committed state as the SDK's multistore has it: an IAVL tree per store, flat latest values beside it for reads. */
import { utf8 } from '@mu/lib/bytes';
import { CommitmentProof } from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { ProofOps } from 'cosmjs-types/tendermint/crypto/proof';
import { errInvalidHeight, errInvalidRequest, errTxDecode, errUnknownRequest } from '../errors.ts';
import type { Node, NodeId } from '../iavl/node.ts';
import { NodeCache } from '../iavl/node-cache.ts';
import { proveAbsenceInEmpty, proveKey } from '../iavl/proof.ts';
import { emptyTree, IavlTree, type TreeRoot } from '../iavl/tree.ts';
import { treeChanges } from '../iavl/tree-changes.ts';
import { TreeReader } from '../iavl/tree-reader.ts';
import { postOrder } from '../iavl/walk.ts';
import { BranchStore } from './branch-store.ts';
import { appHashOf, proveStore, type StoreRoot } from './commit-info.ts';
import {
  type CommitInfo,
  type CommitStore,
  emptyAppHash,
  type GenesisStores,
  type StoredValue,
} from './commit-store.ts';
import { ImportStores } from './import-stores.ts';
import type { Change, KVStore, MultiStore } from './kv-store.ts';
import { StagedNodes } from './staged-nodes.ts';
import type { StateBackend, VersionRecord } from './state-backend.ts';
import { noStoreUpgrades, type StoreUpgrades } from './store-upgrades.ts';
import { checkStores, UpgradedStores } from './upgraded-stores.ts';

/** Memory for nodes unless the options say otherwise. */
const defaultCacheBytes = 4 * 1_048_576;

/** While a first version grows, nodes are handed over after so many keys, and written when so many wait. */
const flushEvery = 5_000;
const partRecords = 50_000;

/** Of a first version only nodes of this height are remembered: one in eight, those that are met most. */
const leastCachedHeight = 4;

/** A version that was hashed and is not committed. */
interface Staged {
  readonly height: bigint;
  readonly changes: readonly Change[];
  readonly nodes: StagedNodes;
  readonly roots: readonly StoreRoot[];
  readonly orphans: readonly NodeId[];
  readonly appHash: Uint8Array;
}

export interface TreeStoreOptions {
  /** memory for nodes of the trees */
  readonly cacheBytes?: number;
  /** how the stores change with the block after a height; without it they must be those of the state, to be committed to */
  readonly upgradesAfter?: (height: bigint) => StoreUpgrades;
}

export class TreeCommitStore implements CommitStore {
  readonly #backend: StateBackend;
  readonly #names: readonly string[];
  readonly #cache: NodeCache;
  readonly #trees = new Map<string, IavlTree>();
  #last: CommitInfo = { height: 0n, appHash: emptyAppHash };
  #nextId: NodeId = 1;
  /** new nodes of the version that is being made */
  #nodes: StagedNodes | undefined;
  #staged: Staged | undefined;
  /** how the stores change with the next block, while that is to come */
  #upgraded: UpgradedStores | undefined;
  /** whether the stores of the last version were found to be those of this program */
  #isChecked = false;
  /** whether genesis stands in the flat stores and in no tree yet */
  #hasGenesis = false;

  /**
   * @param names of all stores, as the modules declare them
   * @throws Error when the upgrades do not lead from the stores of the state to these; where none are given, a state of
   *   other stores can be read, and not be committed to
   */
  constructor(
    backend: StateBackend,
    names: readonly string[],
    { cacheBytes = defaultCacheBytes, upgradesAfter }: TreeStoreOptions = {},
  ) {
    this.#backend = backend;
    this.#names = [...names].sort((a, b) => (a < b ? -1 : 1));
    this.#cache = new NodeCache({ nodeRecord: (id) => this.#nodeRecord(id) }, cacheBytes);
    this.#load();
    if (upgradesAfter === undefined) return;
    const upgrades = upgradesAfter(this.#last.height);
    this.requireStores(upgrades);
    if (upgrades !== noStoreUpgrades) this.#upgraded = new UpgradedStores(upgrades, (name) => backend.flat(name));
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
    return this.#upgraded?.store(name) ?? this.#backend.flat(name);
  }

  beginGenesis(): GenesisStores {
    this.#backend.beginFirst(this.#names);
    this.#hasGenesis = true;
    return new ImportStores(this.#names, this.#backend);
  }

  workingHash(height: bigint, changes: readonly Change[]): Uint8Array {
    return this.#stage(height, changes).appHash;
  }

  commit(height: bigint, changes: readonly Change[], note: Uint8Array = new Uint8Array()): CommitInfo {
    const { nodes, roots, orphans, appHash } = this.#stage(height, changes);
    this.#backend.write({
      height: Number(height),
      version: { roots, nextId: nodes.nextId, note },
      changes: this.#upgraded === undefined ? changes : [...this.#upgraded.changes(), ...changes],
      firstId: nodes.firstId,
      records: nodes.records,
      orphans,
    });
    this.#staged = undefined;
    this.#nodes = undefined;
    this.#hasGenesis = false;
    this.#upgraded = undefined;
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
    if (key.length === 0) throw (prove ? errInvalidRequest : errTxDecode).wrap('query cannot be zero length');
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

  note(height: bigint): Uint8Array | undefined {
    const note = this.#backend.version(Number(height))?.note;
    return note?.length === 0 ? undefined : note;
  }

  /** What leads from one kept version to another, by store and key. @throws AbciError as `at` */
  *changesBetween(from: bigint, to: bigint): IterableIterator<Change> {
    const [older, newer] = [this.#version(from), this.#version(to)];
    const names = new Set([...older.roots, ...newer.roots].map(({ store }) => store));
    for (const store of names) {
      const changes = treeChanges(this.#cache, rootOf(older, store), rootOf(newer, store));
      for (const change of changes) yield { store, ...change };
    }
  }

  /** All nodes of a kept version, as state sync sends them: by store, children before parents. @throws AbciError as `at` */
  *nodes(height: bigint): IterableIterator<{ readonly store: string; readonly nodes: IterableIterator<Node> }> {
    for (const { store, root } of this.#version(height).roots) {
      yield { store, nodes: root.id === 0 ? [].values() : postOrder(this.#cache, this.#cache.node(root.id)) };
    }
  }

  /** Takes up what the backend has now: a version that another thread committed, or an older one after a rollback. */
  refresh(): void {
    if (BigInt(this.#backend.latest) !== this.#last.height) this.#load();
  }

  /** @throws Error when the last version has other stores than this program and no upgrade explains it */
  requireStores(upgrades: StoreUpgrades = noStoreUpgrades): void {
    const stored = this.#backend.version(Number(this.#last.height))?.roots.map(({ store }) => store) ?? [];
    checkStores({ height: this.#last.height, stored, names: this.#names }, upgrades);
    this.#isChecked = true;
  }

  #load(): void {
    const version = this.#backend.version(this.#backend.latest);
    this.#staged = undefined;
    // Never an id twice: the cache may know it.
    this.#nextId = Math.max(this.#nextId, version?.nextId ?? 1);
    this.#last =
      version === undefined
        ? { height: 0n, appHash: emptyAppHash }
        : { height: BigInt(this.#backend.latest), appHash: appHashOf(version.roots) };
    for (const name of this.#names) this.#trees.set(name, new IavlTree(this.#cache, rootOf(version, name)));
    // They were for the block after the version that was the last when this was opened.
    this.#upgraded = undefined;
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
    if (this.#staged !== undefined) this.#unstage(this.#staged);
    if (!this.#isChecked) this.requireStores();
    const nodes = new StagedNodes(this.#nextId, this.#cache, this.#hasGenesis ? leastCachedHeight : 1);
    this.#nodes = nodes;
    try {
      this.#staged = this.#grow(height, changes, nodes);
    } catch (error) {
      // The trees stand somewhere in the block: they go back to the last version.
      this.#unstage({ nodes });
      throw error;
    }
    return this.#staged;
  }

  #grow(height: bigint, changes: readonly Change[], nodes: StagedNodes): Staged {
    if (this.#hasGenesis) this.#growFromGenesis(Number(height), changes, nodes);
    else {
      if (this.#upgraded !== undefined) this.#move(this.#upgraded);
      for (const [store, operations] of byStore(changes)) this.#tree(store).apply(operations);
    }
    const orphans: NodeId[] = [...this.#orphansOf(this.#upgraded?.gone ?? [])];
    const roots = this.#names.map((store): StoreRoot => {
      const saved = this.#tree(store).save(Number(height), nodes);
      for (const id of saved.orphans) orphans.push(id);
      return { store, root: saved.root };
    });
    return { height, changes, nodes, roots, orphans, appHash: appHashOf(roots) };
  }

  /** A renamed store is a new one into which all pairs go (rootmulti's moveKVStoreData): its nodes are of this version. */
  #move(upgraded: UpgradedStores): void {
    for (const name of this.#names) {
      for (const [key, value] of upgraded.moved(name)) this.#tree(name).set(key, value);
    }
  }

  /** All nodes of stores that the version under way no longer has. */
  *#orphansOf(stores: readonly string[]): IterableIterator<NodeId> {
    const version = this.#backend.version(Number(this.#last.height));
    for (const store of stores) {
      const { id } = rootOf(version, store);
      if (id === 0) continue;
      for (const node of postOrder(this.#cache, this.#cache.node(id))) yield node.id;
    }
  }

  /** The trees of the first version: each key once, ascending, with its last value, as any block's changes. */
  #growFromGenesis(version: number, changes: readonly Change[], nodes: StagedNodes): void {
    const block = byStore(changes);
    for (const name of this.#names) {
      const tree = this.#tree(name);
      const flat = this.#backend.flat(name);
      const changed = block.get(name);
      const store = changed === undefined ? flat : over(flat, changed);
      for (const [key, value] of store.iterate()) {
        tree.set(key, value);
        if (tree.size % flushEvery !== 0) continue;
        tree.flush(version, nodes);
        if (nodes.records.length < partRecords) continue;
        nodes.handOver((part) => this.#backend.putPart({ ...part, changes: [] }));
      }
    }
  }

  /** The ids that were handed out are not used again: the cache knows their nodes. */
  #unstage({ nodes }: Pick<Staged, 'nodes'>): void {
    this.#nextId = nodes.nextId;
    this.#staged = undefined;
    this.#nodes = undefined;
    for (const tree of this.#trees.values()) tree.rollback();
  }

  #nodeRecord(id: NodeId): Buffer | undefined {
    return this.#nodes?.record(id) ?? this.#backend.nodeRecord(id);
  }
}

/** A store with changes laid over it. */
function over(parent: KVStore, changes: readonly Change[]): KVStore {
  const store = new BranchStore(parent);
  for (const { key, value } of changes) {
    if (value === undefined) store.delete(key);
    else store.set(key, value);
  }
  return store;
}

/** The changes of each store, in their order. */
function byStore(changes: readonly Change[]): Map<string, Change[]> {
  const stores = new Map<string, Change[]>();
  for (const change of changes) {
    const known = stores.get(change.store);
    if (known === undefined) stores.set(change.store, [change]);
    else known.push(change);
  }
  return stores;
}

function rootOf(version: VersionRecord | undefined, name: string): TreeRoot {
  return version?.roots.find(({ store }) => store === name)?.root ?? emptyTree;
}
