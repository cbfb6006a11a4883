/**
 * A small manifest on the chain, sealed to one provider (design §6): HPKE of RFC 9180 in base mode, with
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and AES-256-GCM. What is sealed is the body of a delivery as it goes over TLS.
 */
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core';
import { concatBytes, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { ManifestError } from './errors.ts';

/** What a seal is bound to: it opens for no other chain, deployment, revision or key. */
export interface SealPlace {
  readonly chainId: string;
  /** bech32 address */
  readonly owner: string;
  readonly dseq: bigint;
  readonly revision: bigint;
  /** of the provider's encryption key on the chain */
  readonly keyId: number;
}

/** As the chain keeps it. */
export interface Sealed {
  /** 32 bytes */
  readonly encapsulatedKey: Uint8Array;
  /** the body and 16 bytes more */
  readonly ciphertext: Uint8Array;
}

const suite = (): CipherSuite =>
  new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** `info` of RFC 9180 §5.1: both sides make it of what the chain says. */
function infoOf({ chainId, owner, dseq, revision, keyId }: SealPlace): ArrayBuffer {
  const place = { chain_id: chainId, owner, dseq: `${dseq}`, revision: `${revision}`, key_id: `${keyId}` };
  return exact(concatBytes(utf8('mu/sealed-manifest/1\n'), utf8(canonicalJson(place))));
}

/**
 * Seals the body of a delivery.
 * @param publicKey of the provider, X25519, 32 bytes
 */
export async function sealBody(body: Uint8Array, publicKey: Uint8Array, place: SealPlace): Promise<Sealed> {
  const hpke = suite();
  const recipientPublicKey = await hpke.kem.deserializePublicKey(exact(publicKey));
  const { enc, ct } = await hpke.seal({ recipientPublicKey, info: infoOf(place) }, exact(body));
  return { encapsulatedKey: new Uint8Array(enc), ciphertext: new Uint8Array(ct) };
}

/**
 * Opens what was sealed to a key.
 * @param privateKey X25519, 32 bytes
 * @throws ManifestError `section` when it is for another key or place, or was changed
 */
export async function openSealed(
  { encapsulatedKey, ciphertext }: Sealed,
  privateKey: Uint8Array,
  place: SealPlace,
): Promise<Uint8Array> {
  const hpke = suite();
  try {
    const recipientKey = await hpke.kem.deserializePrivateKey(exact(privateKey));
    const params = { recipientKey, enc: exact(encapsulatedKey), info: infoOf(place) };
    return new Uint8Array(await hpke.open(params, exact(ciphertext)));
  } catch {
    throw new ManifestError(
      'section',
      'the sealed manifest does not open with this key for this deployment and revision',
    );
  }
}

/** The bytes in memory of their own: a view into a larger one would hand over all of that. */
function exact(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
