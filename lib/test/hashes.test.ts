import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { toHex, utf8 } from '../src/bytes.ts';
import { ripemd160, sha256, sha256Concat } from '../src/hashes.ts';

test('the published vectors', () => {
  expect(toHex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(toHex(ripemd160(utf8('abc')))).toBe('8eb208f7e05d987a9b044a8e98c6b087f15a0bfc');
});

test('agreement with OpenSSL, in parts and in one', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 4 }), (parts) => {
      const joined = Buffer.concat(parts);
      const expected = createHash('sha256').update(joined).digest('hex');
      expect(toHex(sha256(joined))).toBe(expected);
      expect(toHex(sha256Concat(...parts))).toBe(expected);
    }),
  );
});
