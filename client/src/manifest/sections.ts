/** Sections: what of a manifest is secret, encrypted for each infrastructure under a key of its own (design §6). */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { concatBytes, fromBase64, toBase64, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import { ManifestError } from './errors.ts';
import { type ManifestHead, type ManifestSection, type SectionContent, sectionSchema } from './head.ts';
import { parseStrict } from './parse.ts';

/** Bytes of a section's key: AES-256. */
export const sectionKeyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** What a section is bound to: it opens in no other deployment, revision or infrastructure, and with no other `share`. */
interface SectionPlace {
  readonly chain_id: string;
  readonly owner: string;
  readonly dseq: string;
  readonly revision: string;
  readonly infrastructure: string;
  readonly share: 'lease' | 'all';
}

/** Encrypts a section under a fresh key. @param random cryptographically strong bytes */
export function sealSection(
  place: SectionPlace,
  content: SectionContent,
  random: (length: number) => Uint8Array,
): { section: ManifestSection; key: Uint8Array } {
  const key = random(sectionKeyBytes);
  const nonce = random(nonceBytes);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(additionalData(place));
  const ciphertext = concatBytes(cipher.update(utf8(canonicalJson(content))), cipher.final(), cipher.getAuthTag());
  const { infrastructure, share } = place;
  return { section: { infrastructure, share, nonce: toBase64(nonce), ciphertext: toBase64(ciphertext) }, key };
}

/**
 * The secrets of an infrastructure's services. @throws ManifestError `section` when the key is another one or the
 * section was made for another place
 */
export function openSection(head: ManifestHead, infrastructure: string, key: Uint8Array): SectionContent {
  const section = head.sections.find((one) => one.infrastructure === infrastructure);
  if (section === undefined) throw new ManifestError('section', `the manifest has no infrastructure ${infrastructure}`);
  if (key.length !== sectionKeyBytes)
    throw new ManifestError('section', `a section’s key has ${sectionKeyBytes} bytes`);
  const content = parseStrict(decrypt({ ...head, ...section }, section, key), sectionSchema, 'section');
  const services = head.workloads.find((one) => one.infrastructure === infrastructure)?.services ?? [];
  for (const service of [...Object.keys(content.env), ...Object.keys(content.registries ?? {})]) {
    if (!services.some(({ name }) => name === service)) {
      throw new ManifestError('section', `${infrastructure} has no service ${service} to give secrets to`);
    }
  }
  return content;
}

function decrypt(place: SectionPlace, section: ManifestSection, key: Uint8Array): Uint8Array {
  const bytes = fromBase64(section.ciphertext);
  const decipher = createDecipheriv('aes-256-gcm', key, fromBase64(section.nonce), { authTagLength: tagBytes });
  decipher.setAAD(additionalData(place));
  try {
    decipher.setAuthTag(bytes.subarray(bytes.length - tagBytes));
    return concatBytes(decipher.update(bytes.subarray(0, bytes.length - tagBytes)), decipher.final());
  } catch {
    throw new ManifestError('section', `the section of ${section.infrastructure} does not open with this key`);
  }
}

function additionalData({ chain_id, owner, dseq, revision, infrastructure, share }: SectionPlace): Uint8Array {
  return utf8(canonicalJson({ format: 'mu/section/1', chain_id, owner, dseq, revision, infrastructure, share }));
}
