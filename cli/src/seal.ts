/** Puts a manifest on the chain, sealed to the one provider that the stack chooses. */
import type { BuiltManifest } from '@mu/client/manifest/build';
import { bundleFor } from '@mu/client/manifest/bundle';
import { bytesOf } from '@mu/client/manifest/file-source';
import { type Sealed, sealBody } from '@mu/client/manifest/seal';
import { deliveryBody } from '@mu/client/provider/delivery-body';
import type { DeploymentInfrastructure, Params, SealedManifest } from '@mu/proto/deployment';
import type { EncryptionKey } from '@mu/proto/provider';
import { usageError } from './errors.ts';
import type { Session } from './session.ts';

/**
 * The manifest for the provider that all infrastructures choose, as the chain takes it.
 * @throws CliError where they choose none or several, the provider has no key, or it is larger than the chain takes
 */
export async function sealFor(
  session: Session,
  built: BuiltManifest,
  infrastructures: readonly DeploymentInfrastructure[],
): Promise<SealedManifest> {
  const chosen = [...new Set(infrastructures.map(({ provider }) => provider))];
  const [provider = ''] = chosen;
  if (chosen.length !== 1 || provider === '') {
    throw usageError(
      '--seal: every infrastructure of the stack must choose the same provider; write `provider: mu1…` into each',
    );
  }
  const client = await session.verified();
  const key = keyAt(
    (await client.provider.provider({ owner: provider })).provider?.encryptionKeys ?? [],
    await client.height(),
  );
  if (key === undefined)
    throw usageError(
      `--seal: provider ${provider} has no encryption key that holds now; deliver the manifest to it instead`,
    );
  const bundle = bundleFor(
    built,
    infrastructures.map(({ name }) => name),
  );
  const source = deliveryBody(bundle, built.head);
  const { params } = await (await session.client()).deployment.params({});
  requireRoom(source.size, params);
  // It is in memory from here on: no larger than what a transaction takes.
  const body = await bytesOf(source);
  const { owner, dseq, revision, chain_id: chainId } = built.head;
  const place = { chainId, owner, dseq: BigInt(dseq), revision: BigInt(revision), keyId: key.keyId };
  const sealed = await sealBody(body, key.publicKey, place);
  requireRoom(sealed.ciphertext.length, params);
  tellPrice(session, sealed, params);
  const { encapsulatedKey, ciphertext } = sealed;
  return {
    provider,
    keyId: key.keyId,
    encapsulatedKey: Buffer.from(encapsulatedKey),
    ciphertext: Buffer.from(ciphertext),
  };
}

/** @throws CliError where the chain does not take so many bytes */
function requireRoom(bytes: number, params: Params | undefined): void {
  const most = params?.maxSealedManifestBytes ?? 0;
  if (most === 0) throw usageError('--seal: this chain takes no manifests; leave the option out and it is delivered');
  if (bytes > most) {
    throw usageError(
      `--seal: the manifest has ${bytes} bytes sealed, the chain takes ${most}; leave the option out and it is delivered`,
    );
  }
}

/** Says what it costs, and that it is there for ever. */
function tellPrice(session: Session, { encapsulatedKey, ciphertext }: Sealed, params: Params | undefined): void {
  const bytes = encapsulatedKey.length + ciphertext.length;
  const fee = BigInt(params?.sealedManifestFeePerByte ?? '0') * BigInt(bytes);
  session.output.step(`  the manifest goes to the chain, sealed: ${bytes} bytes for ${fee} ${session.config.denom}`);
  session.output.step(
    '  everybody can read these bytes for ever: whoever gets the provider’s key one day can open them',
  );
}

/** The newest key that holds at a height. */
function keyAt(keys: readonly EncryptionKey[], height: number): EncryptionKey | undefined {
  const at = BigInt(height);
  return keys.filter((key) => key.validFromHeight <= at && (key.validToHeight === 0n || at < key.validToHeight)).at(-1);
}
