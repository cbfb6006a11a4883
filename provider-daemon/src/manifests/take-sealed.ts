/** Manifests that stand sealed on the chain: opened, checked and stored as if their user had delivered them. */
import { createHash, type KeyObject } from 'node:crypto';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ManifestError } from '@mu/client/manifest/errors';
import { openSealed } from '@mu/client/manifest/seal';
import { reach } from '../faults/fault-points.ts';
import type { ManifestRecord } from '../journal/journal.ts';
import type { ManifestStore } from './manifest-store.ts';
import { receiveDelivery } from './receive.ts';
import type { DeploymentFacts } from './verify-delivery.ts';

export interface SealedSources {
  readonly client: Pick<ChainClient, 'deployment' | 'chainId'>;
  /** what the chain says of a deployment, and of this provider in it */
  readonly facts: { deployment(owner: string, dseq: bigint): Promise<DeploymentFacts | undefined> };
  /** this provider, by its owner */
  readonly provider: string;
  /** X25519: all that manifests may be sealed to, the likeliest first */
  readonly encryptionKeys: () => readonly KeyObject[];
  readonly manifests: Pick<ManifestStore, 'begin' | 'have'>;
}

/**
 * Takes the sealed manifest of a deployment, where there is one for this provider and something of it is missing here.
 * @returns undefined where there is none
 * @throws ManifestError when it does not open, Refusal when it is not the one that the chain names; nothing is stored then
 */
export async function takeSealed(of: SealedSources, owner: string, dseq: bigint): Promise<ManifestRecord | undefined> {
  const { deployment } = await of.client.deployment.deployment({ owner, dseq });
  const sealed = deployment?.sealedManifest;
  if (deployment === undefined || sealed?.provider !== of.provider) return undefined;
  const { revision } = deployment;
  const facts = await of.facts.deployment(owner, dseq);
  // Without a lease there is nothing to serve: a bid that has not won opens nothing.
  if (facts === undefined || facts.held.length === 0) return undefined;
  const key = { owner, dseq, revision };
  if (facts.held.every(({ infrastructure }) => of.manifests.have(key, infrastructure))) return undefined;
  const place = { chainId: of.client.chainId, owner, dseq, revision, keyId: sealed.keyId };
  const body = await openWithAny(sealed, of.encryptionKeys(), place);
  reach('manifest.unsealed');
  const sha256 = new Uint8Array(createHash('sha256').update(body).digest());
  return receiveDelivery({ chunks: once(body), sha256 }, facts, of.manifests);
}

/** A key that was rotated opens what was sealed to it before. @throws ManifestError where none opens it */
async function openWithAny(
  sealed: Parameters<typeof openSealed>[0],
  keys: readonly KeyObject[],
  place: Parameters<typeof openSealed>[2],
): Promise<Uint8Array> {
  let refused: unknown = new ManifestError('section', 'there is no key to open a sealed manifest with');
  for (const key of keys) {
    try {
      return await openSealed(sealed, rawPrivateKey(key), place);
    } catch (error) {
      if (!(error instanceof ManifestError)) throw error;
      refused = error;
    }
  }
  throw refused;
}

async function* once(body: Uint8Array): AsyncGenerator<Uint8Array> {
  yield body;
}

function rawPrivateKey(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'));
}
