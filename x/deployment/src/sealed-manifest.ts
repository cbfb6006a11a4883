/** Manifests on the chain, encrypted to one provider (HPKE, RFC 9180): what may be put there, and what it costs. */
import { parseAmount } from '@mu/lib/amounts';
import type { DeploymentInfrastructure, Params, SealedManifest } from '@mu/proto/deployment';
import type { EncryptionKey, Provider } from '@mu/proto/provider';
import { errSealedManifest } from './errors.ts';

/** DHKEM(X25519, HKDF-SHA256): an encapsulated key has 32 bytes (RFC 9180, table 2). */
const encapsulatedKeyBytes = 32;
/** An AEAD of RFC 9180 adds a tag of 16 bytes; what is shorter holds nothing. */
const leastCiphertextBytes = 17;

/** What a check needs to know beside the manifest. */
export interface SealedFor {
  readonly params: Params;
  readonly infrastructures: readonly DeploymentInfrastructure[];
  /** whom it names, as the registry has it */
  readonly provider: Provider | undefined;
  readonly height: bigint;
}

/** @throws AbciError sealed manifest (20) with what is wrong */
export function checkSealedManifest(sealed: SealedManifest, known: SealedFor): void {
  const { maxSealedManifestBytes: most } = known.params;
  if (most === 0) throw errSealedManifest.wrap('the chain takes none: hand the manifest to the provider');
  const { provider } = known;
  if (provider === undefined) throw errSealedManifest.wrap(`provider ${sealed.provider} is not registered`);
  const isChosen = known.infrastructures.some((one) => one.provider.toLowerCase() === provider.owner);
  if (!isChosen) throw errSealedManifest.wrap(`no infrastructure chooses provider ${provider.owner}`);
  const key = provider.encryptionKeys.find(({ keyId }) => keyId === sealed.keyId);
  if (key === undefined || !holdsAt(key, known.height)) {
    throw errSealedManifest.wrap(`key ${sealed.keyId} of the provider does not hold at height ${known.height}`);
  }
  if (sealed.encapsulatedKey.length !== encapsulatedKeyBytes) {
    throw errSealedManifest.wrap(
      `encapsulated_key has ${sealed.encapsulatedKey.length} bytes, not ${encapsulatedKeyBytes}`,
    );
  }
  const { length } = sealed.ciphertext;
  if (length < leastCiphertextBytes || length > most) {
    throw errSealedManifest.wrap(`ciphertext has ${length} bytes, from ${leastCiphertextBytes} to ${most}`);
  }
}

function holdsAt({ validFromHeight, validToHeight }: EncryptionKey, height: bigint): boolean {
  return height >= validFromHeight && (validToHeight === 0n || height <= validToHeight);
}

/** What it costs to put it on the chain, in umu. */
export function sealedManifestFee({ encapsulatedKey, ciphertext }: SealedManifest, params: Params): bigint {
  return parseAmount(params.sealedManifestFeePerByte) * BigInt(encapsulatedKey.length + ciphertext.length);
}
