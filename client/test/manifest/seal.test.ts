import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { utf8 } from '@mu/lib/bytes';
import { openSealed, type SealPlace, sealBody } from '../../src/manifest/seal.ts';

const pair = () => {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const raw = (text: string | undefined): Uint8Array => new Uint8Array(Buffer.from(text ?? '', 'base64url'));
  return {
    publicKey: raw(publicKey.export({ format: 'jwk' }).x),
    privateKey: raw(privateKey.export({ format: 'jwk' }).d),
  };
};
const place: SealPlace = { chainId: 'mu-1', owner: 'mu1owner', dseq: 7n, revision: 2n, keyId: 1 };
const body = utf8('head, keys and files');

describe('a sealed body', () => {
  test('opens for its key, has the sizes of RFC 9180, and is another one each time', async () => {
    const { publicKey, privateKey } = pair();
    const sealed = await sealBody(body, publicKey, place);
    expect([sealed.encapsulatedKey.length, sealed.ciphertext.length]).toEqual([32, body.length + 16]);
    expect(await openSealed(sealed, privateKey, place)).toEqual(body);
    expect(await sealBody(body, publicKey, place)).not.toEqual(sealed);
  });

  test.each<[string, Partial<SealPlace>]>([
    ['chain', { chainId: 'mu-2' }],
    ['owner', { owner: 'mu1other' }],
    ['deployment', { dseq: 8n }],
    ['revision', { revision: 3n }],
    ['key id', { keyId: 2 }],
  ])('does not open for another %s', async (_what, changes) => {
    const { publicKey, privateKey } = pair();
    const sealed = await sealBody(body, publicKey, place);
    await expect(openSealed(sealed, privateKey, { ...place, ...changes })).rejects.toMatchObject({ code: 'section' });
  });

  test('does not open for another key, nor with a byte changed, nor from nothing', async () => {
    const { publicKey, privateKey } = pair();
    const sealed = await sealBody(body, publicKey, place);
    const changed = Uint8Array.from(sealed.ciphertext, (byte, at) => (at === 3 ? byte ^ 1 : byte));
    for (const [what, key] of [
      [sealed, pair().privateKey],
      [{ ...sealed, ciphertext: changed }, privateKey],
      [{ ...sealed, encapsulatedKey: new Uint8Array(32) }, privateKey],
      [{ encapsulatedKey: new Uint8Array(0), ciphertext: new Uint8Array(0) }, privateKey],
    ] as const) {
      await expect(openSealed(what, key, place)).rejects.toMatchObject({ code: 'section' });
    }
  });
});
