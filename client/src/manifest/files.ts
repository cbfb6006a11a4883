/** Files of a manifest: cut into pieces, each of which can be checked by itself. */
import { equalBytes, fromHex, toHex } from '@mu/lib/bytes';
import { type MerkleProof, merkleProofs, merkleRoot, verifyMerkleProof } from '@mu/lib/merkle';
import { ManifestError } from './errors.ts';
import { type ManifestFile, manifestLimits } from './head.ts';

/** The pieces of a file: 256 KiB each, the last one what is left. Views, not copies. */
export function splitPieces(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += manifestLimits.pieceBytes) {
    pieces.push(bytes.subarray(at, at + manifestLimits.pieceBytes));
  }
  return pieces;
}

/** The entry of a file in the head. @throws ManifestError when it is empty or too large */
export function fileEntry(path: string, bytes: Uint8Array): ManifestFile {
  if (bytes.length === 0 || bytes.length > manifestLimits.fileBytes) {
    throw new ManifestError(
      'too_large',
      `${path} has ${bytes.length} bytes; allowed: 1 to ${manifestLimits.fileBytes}`,
    );
  }
  const root = toHex(merkleRoot(splitPieces(bytes)));
  return { path, size: bytes.length, piece_size: manifestLimits.pieceBytes, merkle_root: root };
}

/** How many pieces a file has. */
export function pieceCount(entry: ManifestFile): number {
  return Math.ceil(entry.size / entry.piece_size);
}

/** The proofs of all pieces of a file, in their order. */
export function pieceProofs(bytes: Uint8Array): MerkleProof[] {
  return merkleProofs(splitPieces(bytes)).proofs;
}

/** Checks a whole file against its entry. @throws ManifestError `wrong_file` */
export function verifyFile(entry: ManifestFile, bytes: Uint8Array): void {
  if (bytes.length !== entry.size) {
    throw new ManifestError('wrong_file', `${entry.path} has ${bytes.length} bytes instead of ${entry.size}`);
  }
  if (!equalBytes(merkleRoot(splitPieces(bytes)), fromHex(entry.merkle_root))) {
    throw new ManifestError('wrong_file', `${entry.path} is not the file that the manifest names`);
  }
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
