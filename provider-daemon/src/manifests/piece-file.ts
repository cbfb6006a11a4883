/**
 * One file of a manifest on the disk, as the pieces that it has: the bytes in a file of the file's size, the nodes of its
 * Merkle tree beside it. Both are believed only as far as the root says, each time that they are read.
 */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { pieceCount } from '@mu/client/manifest/files';
import type { ManifestFile } from '@mu/client/manifest/head';
import { equalBytes, fromHex, toHex } from '@mu/lib/bytes';
import type { CarriedPiece } from './carried.ts';
import { GroupSync } from './group-sync.ts';
import type { PieceBuffers } from './piece-buffers.ts';
import { nodeBytes, PieceTree, pieceHash, type TreeNode } from './piece-tree.ts';

/** A file that was read and found right, and what the system said of it then. */
interface Checked {
  readonly stamp: string;
  /** Of the whole file, hex. */
  readonly sha256: string;
}

/** Gives nodes of the tree by their numbers; zeros where there are none yet. */
type NodeSource = (node: number) => Promise<Uint8Array>;

export class PieceFile {
  /** Absolute. */
  readonly path: string;
  readonly entry: ManifestFile;
  readonly #treePath: string;
  readonly #tree: PieceTree;
  readonly #root: Uint8Array;
  readonly #sync: GroupSync;
  #checked: Checked | undefined;
  #checking: Promise<string | undefined> | undefined;

  constructor(path: string, treePath: string, entry: ManifestFile) {
    this.path = path;
    this.entry = entry;
    this.#treePath = treePath;
    this.#tree = new PieceTree(pieceCount(entry));
    this.#root = fromHex(entry.merkle_root);
    this.#sync = new GroupSync(() => this.#syncBoth());
  }

  /** Pieces that it has when it is whole. */
  get count(): number {
    return this.#tree.leaves;
  }

  /** Bytes of a piece. */
  bytesOf(index: number): number {
    const { size, piece_size: pieceSize } = this.entry;
    return Math.min(pieceSize, size - index * pieceSize);
  }

  /** @returns what the path shows of the tree; undefined where it is not that piece */
  verify(index: number, { bytes, aunts }: CarriedPiece): readonly TreeNode[] | undefined {
    if (!(index >= 0 && index < this.count) || bytes.length !== this.bytesOf(index)) return undefined;
    return this.#tree.walk(index, pieceHash(bytes), { aunts, root: this.#root });
  }

  /** Writes a piece with what `verify` has shown; it lasts when this returns. @throws the system's error */
  async write(index: number, bytes: Uint8Array, nodes: readonly TreeNode[]): Promise<void> {
    await withFile(this.path, writing, (file) => writeAt(file, bytes, index * this.entry.piece_size));
    await withFile(this.#treePath, writing, async (file) => {
      for (const { node, hash } of nodes) await writeAt(file, hash, node * nodeBytes);
    });
    await this.#sync.done();
  }

  /** The piece as it stands on the disk; undefined where that is not it. */
  read(index: number): Promise<CarriedPiece | undefined> {
    return unlessGone(() =>
      withFile(this.path, constants.O_RDONLY, (file) =>
        withFile(this.#treePath, constants.O_RDONLY, (tree) => {
          const buffer = new Uint8Array(this.bytesOf(index));
          return this.#readWith(file, { index, buffer, nodes: (node) => readNode(tree, node) });
        }),
      ),
    );
  }

  /** Which of these pieces the disk has right. Reads each, one after the other, into one buffer. */
  async rightOf(indexes: readonly number[], buffers: PieceBuffers): Promise<number[]> {
    const right: number[] = [];
    await unlessGone(() =>
      withFile(this.path, constants.O_RDONLY, (file) =>
        withFile(this.#treePath, constants.O_RDONLY, async (tree) => {
          const row = new Uint8Array(this.#tree.nodes * nodeBytes);
          await readAt(tree, row, 0);
          const nodes: NodeSource = (node) => Promise.resolve(row.subarray(node * nodeBytes, (node + 1) * nodeBytes));
          await buffers.use(async (whole) => {
            for (const index of indexes) {
              const buffer = whole.subarray(0, this.bytesOf(index));
              if ((await this.#readWith(file, { index, buffer, nodes })) !== undefined) right.push(index);
            }
          });
        }),
      ),
    );
    return right;
  }

  /**
   * Whether the whole file is the one that the head names. It is read once, and again when the system says that somebody
   * has written to it since: a start costs no second reading.
   * @returns SHA-256 of its bytes, hex; undefined where it is another one, or is not whole
   */
  check(buffers: PieceBuffers): Promise<string | undefined> {
    this.#checking ??= this.#check(buffers).finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  async #check(buffers: PieceBuffers): Promise<string | undefined> {
    return unlessGone(() =>
      withFile(this.path, constants.O_RDONLY, async (file) => {
        // As it is before the reading: who writes meanwhile has it read again.
        const stamp = await stampOf(file);
        if (this.#checked?.stamp === stamp) return this.#checked.sha256;
        this.#checked = undefined;
        const sha256 = await buffers.use((buffer) => this.#hashWith(file, buffer));
        if (sha256 !== undefined) this.#checked = { stamp, sha256 };
        return sha256;
      }),
    );
  }

  async #hashWith(file: FileHandle, buffer: Uint8Array): Promise<string | undefined> {
    const whole = createHash('sha256');
    const leaves: Uint8Array[] = [];
    if ((await file.stat()).size !== this.entry.size) return undefined;
    for (let index = 0; index < this.count; index += 1) {
      const piece = buffer.subarray(0, this.bytesOf(index));
      if (!(await readAt(file, piece, index * this.entry.piece_size))) return undefined;
      leaves.push(pieceHash(piece));
      whole.update(piece);
    }
    const row = this.#tree.rowOf(leaves);
    if (!equalBytes(row.subarray(-nodeBytes), this.#root)) return undefined;
    await this.#mendTree(row);
    return toHex(whole.digest());
  }

  /** The nodes of a file that is right follow from it: those on the disk need not be believed. */
  async #mendTree(row: Uint8Array): Promise<void> {
    await withFile(this.#treePath, constants.O_RDWR | constants.O_CREAT, async (tree) => {
      const found = new Uint8Array(row.length);
      if ((await readAt(tree, found, 0)) && equalBytes(found, row)) return;
      await writeAt(tree, row, 0);
      await tree.datasync();
    });
  }

  async #readWith(
    file: FileHandle,
    { index, buffer, nodes }: { readonly index: number; readonly buffer: Uint8Array; readonly nodes: NodeSource },
  ): Promise<CarriedPiece | undefined> {
    if (!(await readAt(file, buffer, index * this.entry.piece_size))) return undefined;
    const aunts: Uint8Array[] = [];
    for (const aunt of this.#tree.auntsOf(index)) aunts.push(await nodes(aunt));
    const piece = { bytes: buffer, aunts };
    return this.verify(index, piece) === undefined ? undefined : piece;
  }

  async #syncBoth(): Promise<void> {
    for (const path of [this.path, this.#treePath]) await withFile(path, writing, (file) => file.datasync());
  }
}

/** Files of a manifest are made with it; one that is not there any more is the store's to notice. */
const writing = constants.O_WRONLY | constants.O_CREAT;

async function withFile<T>(path: string, flags: number, work: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await work(file);
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
  }
}

/** Fills the bytes. @returns false where the file ends before */
async function readAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<boolean> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) return false;
    at += bytesRead;
  }
  return true;
}

async function readNode(tree: FileHandle, node: number): Promise<Uint8Array> {
  const hash = new Uint8Array(nodeBytes);
  await readAt(tree, hash, node * nodeBytes);
  return hash;
}

async function stampOf(file: FileHandle): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs } = await file.stat({ bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join('/');
}

/** A file that is not there, or that the disk cannot read, has no pieces; want of anything else is no fault of the file. */
async function unlessGone<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'EIO') return undefined;
    throw error;
  }
}
