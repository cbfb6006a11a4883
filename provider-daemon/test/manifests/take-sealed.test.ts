import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sealBody } from '@mu/client/manifest/seal';
import { Deployment } from '@mu/proto/deployment';
import { build } from '../../../client/test/manifest/fixture.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { type SealedSources, takeSealed } from '../../src/manifests/take-sealed.ts';
import type { DeploymentFacts } from '../../src/manifests/verify-delivery.ts';
import { counted } from '../support/surroundings.ts';
import { bodyOf, factsOf } from './fixture.ts';

const provider = 'mu1provider';
const built = build();
const facts = factsOf(built);
const { owner, dseq, revision, chainId } = facts;
const key = generateKeyPairSync('x25519');

let folder: string;
let journal: Journal;
let manifests: ManifestStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-sealed-'));
  journal = openJournal(join(folder, 'journal'), { chainId, provider, nodeId: 'node-1' });
  manifests = new ManifestStore({
    folder: join(folder, 'manifests'),
    index: journal.manifests,
    random: counted().random,
  });
});

afterEach(async () => {
  await journal.close();
  rmSync(folder, { recursive: true });
});

/** A chain on which the manifest stands, sealed to that key. */
async function sources(
  change: { to?: typeof key; for?: string; held?: DeploymentFacts['held'] } = {},
): Promise<SealedSources> {
  const publicKey = new Uint8Array(
    Buffer.from((change.to ?? key).publicKey.export({ format: 'jwk' }).x ?? '', 'base64url'),
  );
  const sealed = await sealBody(bodyOf(built), publicKey, { chainId, owner, dseq, revision, keyId: 3 });
  const deployment = Deployment.fromPartial({
    id: { owner, dseq },
    revision,
    sealedManifest: {
      provider: change.for ?? provider,
      keyId: 3,
      encapsulatedKey: Buffer.from(sealed.encapsulatedKey),
      ciphertext: Buffer.from(sealed.ciphertext),
    },
  });
  return {
    client: {
      chainId,
      deployment: { deployment: () => Promise.resolve({ deployment }) },
    } as unknown as SealedSources['client'],
    facts: { deployment: () => Promise.resolve({ ...facts, held: change.held ?? facts.held }) },
    provider,
    encryptionKeys: () => [generateKeyPairSync('x25519').privateKey, key.privateKey],
    manifests,
  };
}

test('a manifest that is sealed to this provider is taken once, as if it had been delivered', async () => {
  const from = await sources();
  expect(await takeSealed(from, owner, dseq)).toMatchObject({
    ...{ owner, dseq, revision, infrastructures: ['main', 'spare'] },
  });
  expect(manifests.load({ owner, dseq, revision })?.head).toEqual(built.head);
  expect(await takeSealed(from, owner, dseq)).toBeUndefined();
});

test('one for another provider, or without a lease here, is left alone', async () => {
  expect(await takeSealed(await sources({ for: 'mu1another' }), owner, dseq)).toBeUndefined();
  expect(await takeSealed(await sources({ held: [] }), owner, dseq)).toBeUndefined();
  expect(manifests.list()).toEqual([]);
});

test('one that does not open is refused, and nothing is stored', async () => {
  const from = await sources({ to: generateKeyPairSync('x25519') });
  await expect(takeSealed(from, owner, dseq)).rejects.toMatchObject({ code: 'section' });
  expect(manifests.list()).toEqual([]);
});
