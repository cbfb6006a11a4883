import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { deploymentLabel, toBase32 } from '../src/base32.ts';
import { utf8 } from '../src/bytes.ts';

test("RFC 4648's vectors, in lower case and without padding", () => {
  const encoded = ['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => toBase32(utf8(text)));
  expect(encoded).toEqual(['', 'my', 'mzxq', 'mzxw6', 'mzxw6yq', 'mzxw6ytb', 'mzxw6ytboi']);
});

test('the text is the number that the bytes are, in base 32', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 5, maxLength: 5 }), (bytes) => {
      const value = Buffer.from(bytes).readUIntBE(0, 5);
      const digits = [...toBase32(bytes)].map((character) => 'abcdefghijklmnopqrstuvwxyz234567'.indexOf(character));
      expect(digits.reduce((sum, digit) => sum * 32 + digit, 0)).toBe(value);
    }),
  );
});

test('a label is 16 characters of the hash and depends on each part', () => {
  const label = deploymentLabel('mu1abc', 7n, 'main_gw');
  const hash = createHash('sha256').update('mu1abc/7/main_gw').digest();
  expect(label).toBe(toBase32(hash.subarray(0, 10)));
  expect(label).toMatch(/^[a-z2-7]{16}$/);
  expect(
    new Set([
      label,
      deploymentLabel('mu1abd', 7n, 'main_gw'),
      deploymentLabel('mu1abc', 8n, 'main_gw'),
      deploymentLabel('mu1abc', 7n, 'gw'),
    ]).size,
  ).toBe(4);
});
