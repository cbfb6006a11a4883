/** A manifest that is held: which of its pieces are there, its keys, and what of it can be started. */
import { filesFor } from '@mu/client/manifest/bundle';
import { ManifestError } from '@mu/client/manifest/errors';
import type { Manifest } from '@mu/client/manifest/parse';
import { openSection } from '@mu/client/manifest/sections';
import { reach } from '../faults/fault-points.ts';
import type { ManifestKey } from '../journal/journal.ts';
import { Bitfield } from '../swarm/bitfield.ts';
import { swarmLimits } from '../swarm/limits.ts';
import type { PieceList } from '../swarm/piece-list.ts';
import type { Carried, CarriedPiece } from './carried.ts';
import { type ManifestFolder, piecesOf, type SectionKeys } from './manifest-folder.ts';
import type { PieceBuffers } from './piece-buffers.ts';
import { PieceFile } from './piece-file.ts';
import type { TreeNode } from './piece-tree.ts';
import { Refusal } from './refusal.ts';

/** A file of a manifest on this machine. */
export interface HeldFile {
  /** Absolute. */
  readonly path: string;
  /** SHA-256, hex. */
  readonly sha256: string;
}

export interface HeldManifestOptions {
  readonly key: ManifestKey;
  readonly manifest: Manifest;
  readonly keys: SectionKeys;
  readonly folder: ManifestFolder;
  readonly buffers: PieceBuffers;
  /** Room for more bytes of it. @throws Refusal `too_large` where it has been given to others meanwhile */
  readonly claim: () => Promise<void>;
  /** Unique names for files in between. */
  readonly suffix: () => string;
  /** What can be started may have changed: a file has become whole or is not any more, or a key has come. */
  readonly onChange: (held: HeldManifest) => void;
}

/** Pieces that were verified and not yet written are remembered with their paths, so many; a swarm has fewer in its hands. */
const maxLearnt = 4 * swarmLimits.requests;

export class HeldManifest implements Carried {
  readonly key: ManifestKey;
  readonly manifest: Manifest;
  readonly pieces: PieceList;
  readonly #options: HeldManifestOptions;
  readonly #files: readonly PieceFile[];
  readonly #keys: Map<string, Uint8Array>;
  /** As on the disk. */
  readonly #claims: Bitfield;
  /** Of these, what was verified since the start of this process. */
  readonly #have: Bitfield;
  /** By file, how many pieces are not claimed. */
  readonly #missing: number[];
  readonly #learnt = new Map<number, readonly TreeNode[]>();
  #verifying: Promise<void> | undefined;
  #isGone = false;

  constructor(options: HeldManifestOptions) {
    const { key, manifest, keys, folder } = options;
    this.#options = options;
    this.key = key;
    this.manifest = manifest;
    this.pieces = piecesOf(manifest.head);
    this.#keys = new Map(keys);
    this.#files = manifest.head.files.map((entry, at) => new PieceFile(folder.fileAt(at), folder.treeAt(at), entry));
    this.#claims = folder.readClaims(manifest.head, this.pieces);
    this.#have = new Bitfield(this.pieces.count);
    this.#missing = this.#files.map(({ count }) => count);
    for (const piece of this.#claims) this.#count(piece, -1);
  }

  get keys(): SectionKeys {
    return this.#keys;
  }

  have(): Bitfield {
    return Bitfield.read(this.#have.toBytes(), this.#have.length) as Bitfield;
  }

  /** Infrastructures whose key and files are held, in the order of the head. */
  runnable(): string[] {
    const { head } = this.manifest;
    return head.workloads
      .map(({ infrastructure }) => infrastructure)
      .filter((infrastructure) => this.#keys.has(infrastructure))
      .filter((infrastructure) => filesFor(head, [infrastructure]).every(({ path }) => this.isWhole(path)));
  }

  /** True where all pieces of a file are said to be there. */
  isWhole(path: string): boolean {
    return this.#missing[this.#fileOf(path)] === 0;
  }

  /** Reads again, once in a process, what the disk is said to have. Pieces that are not there any more are not claimed further. */
  verified(): Promise<void> {
    this.#verifying ??= this.#verifyClaims().catch((error: unknown) => {
      this.#verifying = undefined;
      throw error;
    });
    return this.#verifying;
  }

  /** Waits until nobody verifies: what comes by another way meanwhile must not be taken for what was there before. */
  async quiet(): Promise<void> {
    await this.#verifying?.catch(() => undefined);
  }

  async read(piece: number): Promise<CarriedPiece | undefined> {
    if (this.#isGone || !this.#have.has(piece)) return undefined;
    const { file, index } = this.pieces.placeOf(piece);
    const found = await (this.#files[file] as PieceFile).read(index);
    if (found === undefined) this.#lose([piece]);
    return found;
  }

  verify(piece: number, sent: CarriedPiece): boolean {
    if (!(Number.isInteger(piece) && piece >= 0 && piece < this.pieces.count)) return false;
    const { file, index } = this.pieces.placeOf(piece);
    const nodes = (this.#files[file] as PieceFile).verify(index, sent);
    if (nodes === undefined) return false;
    if (!this.#have.has(piece)) this.#learn(piece, nodes);
    return true;
  }

  async write(piece: number, bytes: Uint8Array): Promise<void> {
    if (this.#have.has(piece)) return;
    await this.#options.claim();
    if (this.#isGone) throw new Error('the manifest is not held any more');
    const { file, index, bytes: length } = this.pieces.placeOf(piece);
    const nodes = this.#learnt.get(piece);
    if (nodes === undefined || bytes.length !== length) throw new Error(`piece ${piece} was not verified`);
    await (this.#files[file] as PieceFile).write(index, bytes, nodes);
    reach('manifest.piece');
    if (!this.#isGone) this.#gain([piece]);
    this.#learnt.delete(piece);
  }

  async addKeys(keys: ReadonlyMap<string, Uint8Array>): Promise<boolean> {
    if (this.#isGone) throw new Error('the manifest is not held any more');
    if (!this.#open(keys)) return false;
    this.mergeKeys(keys);
    this.#options.onChange(this);
    return true;
  }

  /** Keeps keys that are known to be right; those that are held already stay. */
  mergeKeys(keys: SectionKeys): void {
    const fresh = [...keys].filter(([infrastructure]) => !this.#keys.has(infrastructure));
    if (fresh.length === 0) return;
    this.#options.folder.writeKeys(new Map([...this.#keys, ...fresh]), this.#options.suffix());
    for (const [infrastructure, key] of fresh) this.#keys.set(infrastructure, key);
  }

  /** Files stand in the folder whole and verified since. @param paths in the head */
  filesCame(paths: readonly string[]): void {
    const files = new Set(paths.map((path) => this.#fileOf(path)));
    this.#gain(this.#piecesOf((file) => files.has(file)));
  }

  /**
   * A file that is whole, where it lies; see `PieceFile.check` for when it is read.
   * @throws Refusal `wrong_file` when the disk has changed it; what of it is wrong is not held any more then
   */
  async file(path: string): Promise<HeldFile> {
    const at = this.#fileOf(path);
    const file = this.#files[at];
    if (file === undefined) throw new Refusal('wrong_file', `the manifest has no file ${path}`);
    const missing = this.#missing[at] as number;
    if (missing > 0) throw new Refusal('wrong_file', `${path} is not whole here: ${missing} of its pieces are missing`);
    const sha256 = await file.check(this.#options.buffers);
    if (sha256 !== undefined) {
      for (const piece of this.#claimedOf(at)) this.#have.add(piece);
      return { path: file.path, sha256 };
    }
    this.#lose(await this.#wrongOf(at));
    throw new Refusal('wrong_file', `${path} is not the file that the manifest names: the disk has changed it`);
  }

  /** It is being erased: nothing of it is read or written from here on. */
  leave(): void {
    this.#isGone = true;
    this.#learnt.clear();
  }

  async #verifyClaims(): Promise<void> {
    for (const [at, file] of this.#files.entries()) {
      const claimed = this.#claimedOf(at);
      if (claimed.every((piece) => this.#have.has(piece))) continue;
      const isRight = this.#missing[at] === 0 && (await file.check(this.#options.buffers)) !== undefined;
      const wrong = new Set(isRight ? [] : await this.#wrongOf(at));
      for (const piece of claimed) if (!wrong.has(piece)) this.#have.add(piece);
      this.#lose([...wrong]);
    }
  }

  /** The claimed pieces of a file that the disk has not, or has otherwise. */
  async #wrongOf(at: number): Promise<number[]> {
    const claimed = this.#claimedOf(at);
    const first = this.#firstOf(at);
    const indexes = claimed.map((piece) => piece - first);
    const right = new Set(await (this.#files[at] as PieceFile).rightOf(indexes, this.#options.buffers));
    return claimed.filter((piece) => !right.has(piece - first));
  }

  #open(keys: SectionKeys): boolean {
    try {
      for (const [infrastructure, key] of keys) openSection(this.manifest.head, infrastructure, key);
      return true;
    } catch (error) {
      if (error instanceof ManifestError) return false;
      throw error;
    }
  }

  #learn(piece: number, nodes: readonly TreeNode[]): void {
    this.#learnt.set(piece, nodes);
    for (const oldest of this.#learnt.keys()) {
      if (this.#learnt.size <= maxLearnt) return;
      this.#learnt.delete(oldest);
    }
  }

  /** Pieces are on the disk: first the disk says so, then it is believed here. */
  #gain(pieces: readonly number[]): void {
    const before = this.#whole();
    if (pieces.length === 0) return;
    const fresh = pieces.filter((piece) => this.#claims.add(piece));
    for (const piece of fresh) this.#count(piece, -1);
    const isMore = this.#whole() > before;
    try {
      this.#options.folder.writeClaims(this.#claims, isMore);
    } catch (error) {
      for (const piece of fresh) this.#unclaim(piece);
      throw error;
    }
    for (const piece of pieces) this.#have.add(piece);
    if (!isMore) return;
    reach('manifest.claimed');
    this.#options.onChange(this);
  }

  #lose(pieces: readonly number[]): void {
    const lost = pieces.filter((piece) => this.#claims.has(piece));
    for (const piece of lost) this.#unclaim(piece);
    if (lost.length === 0 || this.#isGone) return;
    this.#options.folder.writeClaims(this.#claims, false);
    this.#options.onChange(this);
  }

  #unclaim(piece: number): void {
    this.#claims.delete(piece);
    this.#have.delete(piece);
    this.#count(piece, 1);
  }

  /** How many files are whole. */
  #whole(): number {
    return this.#missing.filter((count) => count === 0).length;
  }

  #count(piece: number, change: 1 | -1): void {
    const { file } = this.pieces.placeOf(piece);
    this.#missing[file] = (this.#missing[file] as number) + change;
  }

  #fileOf(path: string): number {
    return this.manifest.head.files.findIndex((file) => file.path === path);
  }

  #firstOf(at: number): number {
    return this.#files.slice(0, at).reduce((sum, { count }) => sum + count, 0);
  }

  #claimedOf(at: number): number[] {
    return this.#piecesOf((one) => one === at).filter((piece) => this.#claims.has(piece));
  }

  #piecesOf(isWanted: (file: number) => boolean): number[] {
    return this.#files.flatMap(({ count }, at) => {
      const first = isWanted(at) ? this.#firstOf(at) : 0;
      return isWanted(at) ? Array.from({ length: count }, (_, index) => first + index) : [];
    });
  }
}
