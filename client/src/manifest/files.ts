/** Files of a manifest: cut into pieces, each of which can be checked by itself. */
import { equalBytes, fromHex, toHex } from '@mu/lib/bytes';
import { type MerkleProof, merkleProofs, merkleRoot, verifyMerkleProof } from '@mu/lib/merkle';
import { ManifestError } from './errors.ts';
import { bytesSource, type FileSource } from './file-source.ts';
import { type ManifestFile, manifestLimits } from './head.ts';
import { PieceHasher } from './piece-hasher.ts';

/** What a manifest says of a file's content. */
export type FileHash = Omit<ManifestFile, 'path'>;

/** A file and what a manifest says of it, found in one pass over it. */
export interface HashedFile {
  readonly source: FileSource;
  readonly hash: FileHash;
}

/** The pieces that a builder cuts a file of this size into, in bytes: 256 KiB, 1 MiB where there would be many. */
export function pieceBytesFor(size: number): number {
  return size > manifestLimits.largeFileBytes ? manifestLimits.mostPieceBytes : manifestLimits.pieceBytes;
}

/** The pieces of a file: of the same size each, the last one what is left. Views, not copies. */
export function splitPieces(bytes: Uint8Array, pieceBytes: number = pieceBytesFor(bytes.length)): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
  return pieces;
}

/** The entry of a file in the head. @throws ManifestError when it is empty or too large */
export function fileEntry(path: string, file: Uint8Array | HashedFile): ManifestFile {
  const hash = file instanceof Uint8Array ? hashOf(file) : file.hash;
  checkSize(path, hash.size);
  return { path, ...hash };
}

function hashOf(bytes: Uint8Array): FileHash {
  const size = bytes.length;
  return { size, piece_size: pieceBytesFor(size), merkle_root: toHex(merkleRoot(splitPieces(bytes))) };
}

/** A file of a manifest from bytes that are in memory. */
export function hashedBytes(bytes: Uint8Array): HashedFile {
  return { source: bytesSource(bytes), hash: hashOf(bytes) };
}

/** What a builder says of a file that comes in chunks: given all of them, in order, while they are used for other things. */
export class RunningHash {
  readonly #size: number;
  readonly #hasher: PieceHasher;
  #seen = 0;

  /** @param size bytes that will come; @throws ManifestError when it is empty or too large */
  constructor(path: string, size: number) {
    checkSize(path, size);
    this.#size = size;
    this.#hasher = new PieceHasher(pieceBytesFor(size));
  }

  update(chunk: Uint8Array): void {
    this.#seen += chunk.length;
    this.#hasher.update(chunk);
  }

  /** @throws RangeError where not all bytes have come */
  done(): FileHash {
    if (this.#seen !== this.#size) throw new RangeError(`${this.#seen} of ${this.#size} bytes have come`);
    return { size: this.#size, piece_size: pieceBytesFor(this.#size), merkle_root: toHex(this.#hasher.root()) };
  }
}

function checkSize(path: string, size: number): void {
  if (size > 0 && size <= manifestLimits.fileBytes) return;
  throw new ManifestError('too_large', `${path} has ${size} bytes; allowed: 1 to ${manifestLimits.fileBytes}`);
}

/** How many pieces a file has. */
export function pieceCount(entry: Pick<ManifestFile, 'size' | 'piece_size'>): number {
  return Math.ceil(entry.size / entry.piece_size);
}

/** The proofs of all pieces of a file, in their order. */
export function pieceProofs(bytes: Uint8Array, pieceBytes?: number): MerkleProof[] {
  return merkleProofs(splitPieces(bytes, pieceBytes)).proofs;
}

/** Checks a whole file against its entry. @throws ManifestError `wrong_file` */
export function verifyFile(entry: ManifestFile, bytes: Uint8Array): void {
  checkLength(entry, bytes.length);
  checkRoot(entry, merkleRoot(splitPieces(bytes, entry.piece_size)));
}

/**
 * The chunks of a file, checked against its entry on the way: whoever has read to the end without an error has the file.
 * @throws ManifestError `wrong_file` at the end, or as soon as too many bytes have come
 */
export async function* verifiedChunks(
  entry: ManifestFile,
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  const hasher = new PieceHasher(entry.piece_size);
  let seen = 0;
  for await (const chunk of chunks) {
    seen += chunk.length;
    if (seen > entry.size) checkLength(entry, seen);
    hasher.update(chunk);
    yield chunk;
  }
  checkLength(entry, seen);
  checkRoot(entry, hasher.root());
}

function checkLength({ path, size }: ManifestFile, length: number): void {
  if (length !== size) throw new ManifestError('wrong_file', `${path} has ${length} bytes instead of ${size}`);
}

function checkRoot({ path, merkle_root: root }: ManifestFile, found: Uint8Array): void {
  if (!equalBytes(found, fromHex(root)))
    throw new ManifestError('wrong_file', `${path} is not the file that the manifest names`);
}

/**
 * Checks one piece of a file by its Merkle path: its length, its place and its content.
 * @throws ManifestError `wrong_file`
 */
export function verifyPiece(entry: ManifestFile, index: number, piece: Uint8Array, proof: MerkleProof): void {
  const count = pieceCount(entry);
  const refuse = (why: string) => new ManifestError('wrong_file', `piece ${index} of ${entry.path} ${why}`);
  if (!Number.isInteger(index) || index < 0 || index >= count) throw refuse(`does not exist; it has ${count}`);
  const length = index === count - 1 ? entry.size - index * entry.piece_size : entry.piece_size;
  if (piece.length !== length) throw refuse(`has ${piece.length} bytes instead of ${length}`);
  const placed = proof.index === index && proof.total === count;
  if (!placed || !verifyMerkleProof(fromHex(entry.merkle_root), piece, proof))
    throw refuse('is not the one that the manifest names');
}
