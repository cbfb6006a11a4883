/** A manifest with a file of so many pieces, and holders of it in memory. */

import { ManifestError } from '@mu/client/manifest/errors';
import type { ManifestHead } from '@mu/client/manifest/head';
import { manifestLimits } from '@mu/client/manifest/head';
import { type Manifest, parseManifest } from '@mu/client/manifest/parse';
import { openSection, sealSection } from '@mu/client/manifest/sections';
import { fromHex, toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { merkleLeafHash, merkleProofs, merkleRoot, verifyMerkleProof } from '@mu/lib/merkle';
import type { Surroundings } from '../../../src/identity/certificates.ts';
import type { ManifestKey } from '../../../src/journal/journal.ts';
import type { Carried, CarriedManifests, CarriedPiece } from '../../../src/manifests/carried.ts';
import { Bitfield } from '../../../src/swarm/bitfield.ts';
import { PieceList } from '../../../src/swarm/piece-list.ts';
import { chainId, owner } from '../../overlay/support/providers.ts';

const { pieceBytes } = manifestLimits;

export interface TestManifest extends Manifest {
  readonly key: ManifestKey;
  readonly pieces: readonly Uint8Array[];
  readonly keys: ReadonlyMap<string, Uint8Array>;
}

/** The sections of the manifest: two for holders of their leases, one for all. */
const sections = [
  ['common', 'all'],
  ['db', 'lease'],
  ['web', 'lease'],
] as const;

/** The last of the pieces is a short one. */
export function makeManifest(count: number, revision: bigint, { random }: Surroundings): TestManifest {
  const size = Math.max(0, count - 1) * pieceBytes + (count === 0 ? 0 : 1_000);
  const file = random(size);
  const pieces = Array.from({ length: count }, (_, at) => file.subarray(at * pieceBytes, (at + 1) * pieceBytes));
  const place = { chain_id: chainId, owner, dseq: '7', revision: revision.toString() };
  const sealed = sections.map(([infrastructure, share]) => ({
    infrastructure,
    ...sealSection({ ...place, infrastructure, share }, { env: {} }, random),
  }));
  const module = { type: 'MuFunction', name: 'f', runtime: 'wasi1.0', file: 'f.wasm', memory: 2 ** 20 } as const;
  const head: ManifestHead = {
    ...{ format: 'mu/manifest/1', ...place, salt: toHex(random(32)) },
    workloads: sections.map(([infrastructure]) => ({
      infrastructure,
      services: count > 0 && infrastructure === 'web' ? [{ ...module, timeout_ms: 1_000 }] : [],
    })),
    files:
      count === 0 ? [] : [{ path: 'f.wasm', size, piece_size: pieceBytes, merkle_root: toHex(merkleRoot(pieces)) }],
    sections: sealed.map(({ section }) => section),
  };
  const manifest = parseManifest(utf8(canonicalJson(head)));
  const keys = new Map(sealed.map(({ infrastructure, key }) => [infrastructure, key]));
  return { ...manifest, key: { owner, dseq: 7n, revision }, pieces, keys };
}

export class MemoryCarried implements Carried {
  readonly key: ManifestKey;
  readonly manifest: Manifest;
  readonly pieces: PieceList;
  readonly keys = new Map<string, Uint8Array>();
  readonly #held = new Map<number, Uint8Array>();
  /** Every piece that was written, in their order. */
  readonly written: number[] = [];
  /** What the next writes throw. */
  fails: Error | undefined;
  /** Pieces that are sent wrong. */
  lies = false;
  readonly #proofs: readonly (readonly Uint8Array[])[];

  /** @param all the pieces, for their paths: a disk keeps those with them */
  constructor(all: TestManifest) {
    this.key = all.key;
    this.manifest = { head: all.head, headBytes: all.headBytes, version: all.version };
    this.pieces = new PieceList(all.head.files.map(({ size, piece_size }) => ({ size, pieceSize: piece_size })));
    this.#proofs = all.pieces.length === 0 ? [] : merkleProofs(all.pieces).proofs.map(({ aunts }) => aunts);
  }

  have(): Bitfield {
    const bits = new Bitfield(this.pieces.count);
    for (const piece of this.#held.keys()) bits.add(piece);
    return bits;
  }

  async read(piece: number): Promise<CarriedPiece | undefined> {
    const bytes = this.#held.get(piece);
    if (bytes === undefined) return undefined;
    const sent = this.lies ? bytes.map((byte) => byte ^ 1) : bytes;
    return { bytes: sent, aunts: this.#proofs[piece] as readonly Uint8Array[] };
  }

  verify(piece: number, { bytes, aunts }: CarriedPiece): boolean {
    const [file] = this.manifest.head.files;
    if (file === undefined || piece >= this.pieces.count || bytes.length !== this.pieces.bytesOf(piece)) return false;
    const proof = { total: this.pieces.count, index: piece, leafHash: merkleLeafHash(bytes), aunts: [...aunts] };
    return verifyMerkleProof(fromHex(file.merkle_root), bytes, proof);
  }

  async write(piece: number, bytes: Uint8Array): Promise<void> {
    if (this.fails !== undefined) throw this.fails;
    this.written.push(piece);
    this.#held.set(piece, bytes);
  }

  async addKeys(keys: ReadonlyMap<string, Uint8Array>): Promise<boolean> {
    try {
      for (const [infrastructure, key] of keys) openSection(this.manifest.head, infrastructure, key);
    } catch {
      return false;
    }
    for (const [infrastructure, key] of keys) this.keys.set(infrastructure, key);
    return true;
  }

  /** As if its user had handed it over. */
  give(
    all: TestManifest,
    pieces: Iterable<number> = all.pieces.keys(),
    keys: readonly string[] = [...all.keys.keys()],
  ) {
    for (const piece of pieces) this.#held.set(piece, all.pieces[piece] as Uint8Array);
    for (const name of keys) this.keys.set(name, all.keys.get(name) as Uint8Array);
    return this;
  }
}

export class MemoryStore implements CarriedManifests {
  readonly #known: readonly TestManifest[];
  readonly held = new Map<bigint, MemoryCarried>();

  /** @param known all that there are: a head is adopted only if it is one of them */
  constructor(known: readonly TestManifest[]) {
    this.#known = known;
  }

  async carried({ revision }: ManifestKey): Promise<MemoryCarried | undefined> {
    return this.held.get(revision);
  }

  async adopt(key: ManifestKey & { chainId: string; version: Uint8Array }, headBytes: Uint8Array) {
    const { version } = parseManifest(headBytes, key);
    const manifest = this.#known.find((one) => toHex(one.version) === toHex(version));
    if (manifest === undefined) throw new ManifestError('wrong_manifest', 'no manifest of the test');
    const carried = new MemoryCarried(manifest);
    this.held.set(key.revision, carried);
    return carried;
  }

  /** By revision, who gave something of it. */
  readonly from = new Map<bigint, string[]>();

  cameFrom({ revision }: ManifestKey, provider: string): void {
    this.from.set(revision, [...(this.from.get(revision) ?? []), provider]);
  }

  /** Its user hands over all of it, or these pieces and keys. */
  give(manifest: TestManifest, pieces?: Iterable<number>, keys?: readonly string[]): MemoryCarried {
    const carried = new MemoryCarried(manifest).give(manifest, pieces, keys);
    this.held.set(manifest.key.revision, carried);
    return carried;
  }
}
