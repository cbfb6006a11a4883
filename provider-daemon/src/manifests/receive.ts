/**
 * A delivery from a user. Its body is
 *
 *     length of the first message: 4 bytes, big-endian
 *     the first message: head, section keys, and which files follow (`encodeDelivery` of @mu/client/manifest/bundle)
 *     these files, in the order of the head, each of the size that the head says
 *
 * and nothing else. What does not come with it comes from peers, or with another delivery. The first message is checked whole
 * before a byte of a file is taken, so that nobody can make us store what the chain does not name; the files are checked by
 * their Merkle roots. What is refused leaves nothing behind.
 */
import { decodeDelivery, maxDeliveryBytes } from '@mu/client/manifest/bundle';
import { ManifestError } from '@mu/client/manifest/errors';
import { equalBytes, readU32be } from '@mu/lib/bytes';
import { reach } from '../faults/fault-points.ts';
import type { ManifestRecord } from '../journal/journal.ts';
import { BodyReader } from './body-reader.ts';
import type { ManifestStore } from './manifest-store.ts';
import { Refusal } from './refusal.ts';
import { type AcceptedDelivery, type DeploymentFacts, fromManifestError, verifyDelivery } from './verify-delivery.ts';

/** What is known of a body before it comes. */
export interface IncomingBody {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** SHA-256 of the whole body, as the tenant has signed it. */
  readonly sha256: Uint8Array;
}

/** Receives, checks and stores a delivery. @throws Refusal; then nothing is stored */
export async function receiveDelivery(
  body: IncomingBody,
  facts: DeploymentFacts,
  store: Pick<ManifestStore, 'begin'>,
): Promise<ManifestRecord> {
  const reader = new BodyReader(body.chunks);
  try {
    reach('manifest.arriving');
    return await take(reader, body.sha256, facts, store);
  } finally {
    await reader.release();
  }
}

async function take(
  reader: BodyReader,
  sha256: Uint8Array,
  facts: DeploymentFacts,
  store: Pick<ManifestStore, 'begin'>,
): Promise<ManifestRecord> {
  const accepted = await readHead(reader, facts);
  const incoming = await store.begin(accepted);
  reach('manifest.head');
  try {
    for (const entry of accepted.files) {
      await incoming.file(entry, reader.chunks(entry.size));
      reach('manifest.file');
    }
    if (!equalBytes(await reader.end(), sha256)) {
      throw new Refusal('incomplete', 'the delivery is not the one that was signed');
    }
    reach('manifest.whole');
    return await incoming.commit();
  } catch (error) {
    await incoming.discard();
    throw error;
  }
}

async function readHead(reader: BodyReader, facts: DeploymentFacts): Promise<AcceptedDelivery> {
  const length = readU32be(await reader.exactly(4));
  if (length > maxDeliveryBytes) {
    throw new Refusal('too_large', `the first message has ${length} bytes; at most ${maxDeliveryBytes}`);
  }
  const check = verifyDelivery(decoded(await reader.exactly(length)), facts);
  if (!check.ok) throw check.refusal;
  return check.accepted;
}

function decoded(message: Uint8Array): ReturnType<typeof decodeDelivery> {
  try {
    return decodeDelivery(message);
  } catch (error) {
    if (error instanceof ManifestError) throw fromManifestError(error);
    throw error;
  }
}
