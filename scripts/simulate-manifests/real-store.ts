/** Manifests on the disk for the measurement with real connections: one file of pieces, written and read by piece. */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type ManifestHead, manifestFormat, manifestLimits } from '@mu/client/manifest/head';
import { type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { sealSection } from '@mu/client/manifest/sections';
import { fromHex, toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { type MerkleProof, merkleLeafHash, merkleProofs, verifyMerkleProof } from '@mu/lib/merkle';
import type { Carried, CarriedManifests, CarriedPiece } from '../../provider-daemon/src/manifests/carried.ts';
import { Bitfield } from '../../provider-daemon/src/swarm/bitfield.ts';
import { PieceList } from '../../provider-daemon/src/swarm/piece-list.ts';

const { pieceBytes } = manifestLimits;

export interface RealManifest extends Manifest {
  readonly pieces: readonly Uint8Array[];
  readonly proofs: readonly MerkleProof[];
  readonly key: Uint8Array;
  readonly bytes: number;
}

/** A manifest of one infrastructure `main` with one file. @param random cryptographically strong bytes */
export function realManifest(
  count: number,
  of: { readonly chainId: string; readonly owner: string; readonly dseq: bigint },
  random: (length: number) => Uint8Array,
): RealManifest {
  const pieces = Array.from({ length: count }, () => random(pieceBytes));
  const { root, proofs } = merkleProofs(pieces);
  const place = { chain_id: of.chainId, owner: of.owner, dseq: of.dseq.toString(), revision: '1' };
  const { section, key } = sealSection({ ...place, infrastructure: 'main', share: 'lease' }, { env: {} }, random);
  const bytes = count * pieceBytes;
  const service = { type: 'MuFunction', name: 'f', runtime: 'wasi1.0', file: 'f.wasm', memory: 2 ** 20 } as const;
  const head: ManifestHead = {
    ...{ format: manifestFormat, ...place, salt: toHex(random(32)) },
    workloads: [{ infrastructure: 'main', services: [{ ...service, timeout_ms: 1_000 }] }],
    files: [{ path: 'f.wasm', size: bytes, piece_size: pieceBytes, merkle_root: toHex(root) }],
    sections: [section],
  };
  return { ...parseManifest(utf8(canonicalJson(head))), pieces, proofs, key, bytes };
}

/** What one peer has of it. */
export class RealStore implements CarriedManifests {
  readonly #all: RealManifest;
  readonly #folder: string;
  #held: RealCarried | undefined;

  constructor(all: RealManifest, folder: string) {
    this.#all = all;
    this.#folder = folder;
  }

  async carried(): Promise<Carried | undefined> {
    return this.#held;
  }

  async adopt(key: Parameters<CarriedManifests['adopt']>[0], headBytes: Uint8Array): Promise<Carried> {
    parseManifest(headBytes, key);
    this.#held = await RealCarried.open(this.#all, join(this.#folder, 'pieces'));
    return this.#held;
  }

  cameFrom(): void {}

  /** Its user hands over everything. */
  async give(): Promise<void> {
    const held = await RealCarried.open(this.#all, join(this.#folder, 'pieces'));
    for (const [piece, bytes] of this.#all.pieces.entries()) await held.write(piece, bytes);
    await held.addKeys(new Map([['main', this.#all.key]]));
    this.#held = held;
  }

  async close(): Promise<void> {
    await this.#held?.close();
  }
}

class RealCarried implements Carried {
  readonly manifest: Manifest;
  readonly key: Carried['key'];
  readonly pieces: PieceList;
  readonly keys = new Map<string, Uint8Array>();
  readonly #have: Bitfield;
  readonly #file: FileHandle;
  readonly #proofs: readonly MerkleProof[];
  readonly #root: Uint8Array;

  private constructor(all: RealManifest, file: FileHandle) {
    const { head } = all;
    this.manifest = { head, headBytes: all.headBytes, version: all.version };
    this.key = { owner: head.owner, dseq: BigInt(head.dseq), revision: BigInt(head.revision) };
    this.pieces = new PieceList(head.files.map(({ size, piece_size }) => ({ size, pieceSize: piece_size })));
    this.#have = new Bitfield(this.pieces.count);
    this.#proofs = all.proofs;
    this.#root = fromHex(head.files[0]?.merkle_root ?? '');
    this.#file = file;
  }

  static async open(all: RealManifest, file: string): Promise<RealCarried> {
    return new RealCarried(all, await open(file, 'w+', 0o600));
  }

  have(): Bitfield {
    const copy = new Bitfield(this.pieces.count);
    for (const piece of this.#have) copy.add(piece);
    return copy;
  }

  async read(piece: number): Promise<CarriedPiece | undefined> {
    if (!this.#have.has(piece)) return undefined;
    const bytes = new Uint8Array(this.pieces.bytesOf(piece));
    await this.#file.read(bytes, 0, bytes.length, piece * pieceBytes);
    return { bytes, aunts: this.#proofs[piece]?.aunts ?? [] };
  }

  verify(piece: number, { bytes, aunts }: CarriedPiece): boolean {
    if (bytes.length !== this.pieces.bytesOf(piece)) return false;
    const proof = { total: this.pieces.count, index: piece, leafHash: merkleLeafHash(bytes), aunts: [...aunts] };
    return verifyMerkleProof(this.#root, bytes, proof);
  }

  async write(piece: number, bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes, 0, bytes.length, piece * pieceBytes);
    await this.#file.datasync();
    this.#have.add(piece);
  }

  async addKeys(keys: ReadonlyMap<string, Uint8Array>): Promise<boolean> {
    for (const [infrastructure, key] of keys) this.keys.set(infrastructure, key);
    return true;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
