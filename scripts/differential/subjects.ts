/** Our side of the differential run: the tree alone, and the state of a node over LMDB. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Node } from '@mu/framework/iavl/node';
import { appHashOf } from '@mu/framework/store/commit-info';
import type { Change } from '@mu/framework/store/kv-store';
import { fromHex } from '@mu/lib/bytes';
import { CommitmentProof } from 'cosmjs-types/cosmos/ics23/v1/proofs';
import { LmdbCommitStore } from '../../chain/app/src/store/lmdb-store.ts';
import { VersionedTree } from '../../chain/framework/test/iavl/versioned-tree.ts';
import type { Operation } from './traffic.ts';

/** What is driven beside the tree in Go. Versions are numbered from 1. */
export interface Subject {
  readonly last: number;
  /** whether it takes operations one after another; else a version's are sorted, each key once, and applied at once */
  readonly takesAnyOrder: boolean;
  /** @returns of how many keys the tree said that they were there; undefined where it does not say */
  apply(operations: readonly Operation[], inOrder: boolean): number | undefined;
  /** Operations that are hashed or looked at, and dropped. */
  discard(operations: readonly Operation[], inOrder: boolean): void;
  /** @returns the root, or what is made of it */
  save(): Uint8Array;
  /** What `save` answers where the tree has this root. */
  expected(root: Uint8Array): Uint8Array;
  reload(): Promise<void>;
  goBackTo(version: number): Promise<void>;
  /** Drops what is older than so many versions before the last. */
  prune(keep: number): Promise<void>;
  get(version: number, key: Uint8Array): Uint8Array | undefined;
  /** The bytes of an ics23 proof in the tree. */
  prove(version: number, key: Uint8Array): Uint8Array;
  nodes(version: number): Iterable<Node>;
  pairs(version: number): Iterable<[Uint8Array, Uint8Array]>;
  /** Nodes kept, once only the last version is. */
  nodesLeft(): Promise<number>;
  close(): Promise<void>;
}

const op = ({ key, value }: Operation) => ({ key: fromHex(key), value });

/** The tree over nodes in memory. */
export class TreeSubject implements Subject {
  readonly #tree = new VersionedTree();
  readonly takesAnyOrder = true;

  get last(): number {
    return this.#tree.last;
  }

  apply(operations: readonly Operation[], inOrder: boolean): number | undefined {
    if (!inOrder) {
      this.#tree.tree.apply(operations.map(op));
      return undefined;
    }
    let existed = 0;
    for (const { key, value } of operations.map(op)) {
      const was = value === undefined ? this.#tree.tree.remove(key) : this.#tree.tree.set(key, value);
      if (was) existed += 1;
    }
    return existed;
  }

  discard(operations: readonly Operation[], inOrder: boolean): void {
    this.apply(operations, inOrder);
    this.#tree.tree.rollback();
  }

  save(): Uint8Array {
    return this.#tree.save();
  }

  expected(root: Uint8Array): Uint8Array {
    return root;
  }

  async reload(): Promise<void> {
    this.#tree.reload();
  }

  async goBackTo(version: number): Promise<void> {
    this.#tree.goBackTo(version);
  }

  async prune(keep: number): Promise<void> {
    this.#tree.prune(this.last - keep - 1);
  }

  get(version: number, key: Uint8Array): Uint8Array | undefined {
    return this.#tree.get(version, key);
  }

  prove(version: number, key: Uint8Array): Uint8Array {
    return CommitmentProof.encode(this.#tree.prove(version, key)).finish();
  }

  nodes(version: number): Iterable<Node> {
    return this.#tree.nodes(version);
  }

  pairs(version: number): Iterable<[Uint8Array, Uint8Array]> {
    return this.#tree.pairs(version);
  }

  async nodesLeft(): Promise<number> {
    this.#tree.prune(this.last - 1);
    return this.#tree.records;
  }

  async close(): Promise<void> {}
}

const storeName = 'bank';

/** The state of a node: trees, flat values, pruning in the background and rollback over LMDB, in a temporary folder. */
export class LmdbSubject implements Subject {
  readonly takesAnyOrder = false;
  readonly #folder = mkdtempSync(join(tmpdir(), 'mu-differential-'));
  readonly #keep: number;
  #store: LmdbCommitStore;
  #changes: Change[] = [];
  #failure: unknown;

  constructor(keep: number) {
    this.#keep = keep;
    this.#store = this.#open(keep);
  }

  get last(): number {
    return Number(this.#store.last.height);
  }

  apply(operations: readonly Operation[]): undefined {
    this.#changes = changesOf(operations);
  }

  discard(operations: readonly Operation[]): void {
    this.#store.workingHash(BigInt(this.last + 1), changesOf(operations));
  }

  save(): Uint8Array {
    if (this.#failure !== undefined) throw this.#failure;
    const changes = this.#changes;
    this.#changes = [];
    return this.#store.commit(BigInt(this.last + 1), changes).appHash;
  }

  expected(hash: Uint8Array): Uint8Array {
    return appHashOf([{ store: storeName, root: { id: 0, hash } }]);
  }

  async reload(): Promise<void> {
    await this.#store.close();
    this.#store = this.#open(this.#keep);
  }

  async goBackTo(version: number): Promise<void> {
    await this.#store.rollback(BigInt(version));
  }

  async prune(keep: number): Promise<void> {
    if (keep !== this.#keep) throw new Error(`this store keeps ${this.#keep} versions`);
    await this.#store.prune();
  }

  get(version: number, key: Uint8Array): Uint8Array | undefined {
    return this.#store.at(BigInt(version)).store(storeName).get(key);
  }

  prove(version: number, key: Uint8Array): Uint8Array {
    return this.#store.read(storeName, key, BigInt(version), true).proof?.ops[0]?.data as Uint8Array;
  }

  *nodes(version: number): Iterable<Node> {
    for (const { nodes } of this.#store.nodes(BigInt(version))) yield* nodes;
  }

  pairs(version: number): Iterable<[Uint8Array, Uint8Array]> {
    return this.#store.at(BigInt(version)).store(storeName).iterate();
  }

  async nodesLeft(): Promise<number> {
    await this.#store.close();
    this.#store = this.#open(0);
    await this.#store.prune();
    return this.#store.figures.nodes;
  }

  async close(): Promise<void> {
    await this.#store.close();
    rmSync(this.#folder, { recursive: true });
    if (this.#failure !== undefined) throw this.#failure;
  }

  #open(keepRecent: number): LmdbCommitStore {
    return new LmdbCommitStore(this.#folder, [storeName], {
      // Small, so that nodes are read again and again.
      cacheBytes: 200_000,
      pruning: { keepRecent, interval: 10 },
      onFailure: (error) => {
        this.#failure ??= error;
      },
    });
  }
}

const changesOf = (operations: readonly Operation[]): Change[] =>
  operations.map((operation) => ({ store: storeName, ...op(operation) }));
