/** The evidence of a usage line: the report that a node signed, put together again from the line. */
import { createPublicKey, verify } from 'node:crypto';
import { concatBytes, fromHex } from '@mu/lib/bytes';
import { usageSignBytes } from '@mu/lib/sign-bytes';
import { type BillLine, UsageReport } from '@mu/proto/billing';
import { type Node, RemovalReason } from '@mu/proto/provider';
import { BillError } from './errors.ts';

/** SubjectPublicKeyInfo of an Ed25519 key up to the key itself (RFC 8410). */
const spkiPrefix = fromHex('302a300506032b6570032100');

/** The report of a usage line: prices and costs are the chain's, all else was the node's. */
export function reportOf(line: BillLine): UsageReport {
  const { lease, nodeId, sequence, fromHeight, toHeight, logRoot } = line;
  const items = line.items.map(({ service, metric, quantity }) => ({ service, metric, quantity }));
  return { lease, nodeId, sequence, fromHeight, toHeight, items, logRoot };
}

/**
 * That the node, as it is proved, held at the end of the period and has signed exactly this report.
 * @param node of the lease's provider
 * @throws BillError
 */
export function checkEvidence(line: BillLine, node: Node | undefined, chainId: string): void {
  if (node === undefined) throw new BillError(line.line, 'node_id', `the provider has no node "${line.nodeId}"`);
  if (line.toHeight < node.validFromHeight || line.toHeight > node.validToHeight) {
    const when = `from ${node.validFromHeight} to ${node.validToHeight}`;
    throw new BillError(line.line, 'node_id', `${node.nodeId} is certified ${when}, not at ${line.toHeight}`);
  }
  checkRemoval(line, node);
  const signed = usageSignBytes(chainId, UsageReport.encode(reportOf(line)).finish());
  if (!isSignedBy(node.publicKey, signed, line.signature))
    throw new BillError(line.line, 'signature', `${node.nodeId} has not signed this report`);
}

/** A removal counts for what came after its block. */
function checkRemoval(line: BillLine, { nodeId, removedHeight, removalReason }: Node): void {
  if (removedHeight === 0n || removedHeight >= line.height) return;
  const isCompromised = removalReason !== RemovalReason.REMOVAL_REASON_RETIRED;
  if (isCompromised || line.toHeight >= removedHeight) {
    const how = isCompromised ? 'as compromised' : 'before the end of the period';
    throw new BillError(line.line, 'node_id', `${nodeId} was removed at ${removedHeight}, ${how}`);
  }
}

function isSignedBy(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    const key = createPublicKey({ key: Buffer.from(concatBytes(spkiPrefix, publicKey)), format: 'der', type: 'spki' });
    return verify(null, message, key, signature);
  } catch {
    return false;
  }
}
