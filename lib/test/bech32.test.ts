import { fromBech32 as cosmjsDecode, toBech32 as cosmjsEncode } from '@cosmjs/encoding';
import fc from 'fast-check';
import { moduleAddress, secp256k1Address } from '../src/address.ts';
import { Bech32Error, decodeBech32, fromBech32, toBech32 } from '../src/bech32.ts';
import { fromHex, toHex } from '../src/bytes.ts';

const address = fromHex('f1829676db577682e944fc3493d451b67ff3e29f');
const text = 'cosmos17xpfvakm2amg962yls6f84z3kell8c5lserqta';

describe('bech32', () => {
  test('agrees with CosmJS both ways for every length of address', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 255 }),
        fc.constantFrom('mu', 'cosmosvaloper', 'a1b'),
        (bytes, prefix) => {
          const encoded = toBech32(prefix, bytes);
          expect(encoded).toBe(cosmjsEncode(prefix, bytes, 1023));
          expect(decodeBech32(encoded)).toEqual({ prefix, bytes });
          expect(cosmjsDecode(encoded, 1023).data).toEqual(bytes);
        },
      ),
    );
  });

  test('upper case is the same address, mixed case is none', () => {
    expect(fromBech32(text.toUpperCase(), 'cosmos')).toEqual(address);
    expect(() => fromBech32(`C${text.slice(1)}`)).toThrow('string not all lowercase or all uppercase');
  });

  test('one changed character is always noticed', () => {
    const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
    fc.assert(
      fc.property(fc.integer({ min: 7, max: text.length - 1 }), fc.constantFrom(...charset), (at, character) => {
        fc.pre(text[at] !== character);
        expect(() => fromBech32(text.slice(0, at) + character + text.slice(at + 1))).toThrow('invalid checksum');
      }),
    );
  });

  test.each([
    ['', 'empty address string is not allowed'],
    ['  ', 'empty address string is not allowed'],
    ['mu1qqqq', 'decoding bech32 failed: invalid bech32 string length 7'],
    [`mu1${'q'.repeat(1021)}`, 'decoding bech32 failed: invalid bech32 string length 1024'],
    ['mu1qqqqqqqé', "decoding bech32 failed: invalid character in string: 'é'"],
    ['cosmosqqqqqqqq', 'decoding bech32 failed: invalid separator index -1'],
    ['1qqqqqqqqqqq', 'decoding bech32 failed: invalid separator index 0'],
    ['cosmos1qqqqq', 'decoding bech32 failed: invalid separator index 6'],
    [text.replace('17x', '1bx'), 'decoding bech32 failed: invalid character not part of charset: 98'],
    [`${text.slice(0, -1)}q`, 'decoding bech32 failed: invalid checksum (expected serqta got serqtq)'],
  ])("%j is refused with the SDK's text", (input, message) => {
    expect(() => fromBech32(input)).toThrow(new Bech32Error(message));
  });

  test('another prefix is named', () => {
    expect(() => fromBech32(text, 'mu')).toThrow(new Bech32Error('invalid Bech32 prefix; expected mu, got cosmos'));
    expect(fromBech32(text, 'cosmos')).toEqual(address);
    expect(fromBech32(text)).toEqual(address);
  });

  test('addresses have 1 to 255 bytes, prefixes are printable lower case', () => {
    expect(() => toBech32('mu', new Uint8Array())).toThrow('addresses cannot be empty');
    expect(() => toBech32('mu', new Uint8Array(256))).toThrow('address max length is 255, got 256');
    expect(() => fromBech32(cosmjsEncode('mu', new Uint8Array(256), 1023))).toThrow(
      'address max length is 255, got 256',
    );
    // BIP-173's vector of a valid text without data.
    expect(() => fromBech32('a12uel5l')).toThrow('addresses cannot be empty');
    for (const prefix of ['', 'MU', 'm u', 'mü'])
      expect(() => toBech32(prefix, address)).toThrow('invalid Bech32 prefix');
    expect(() => toBech32('a'.repeat(1000), address)).toThrow('invalid bech32 string length 1039');
  });

  test('bits after the last byte must be zero and fewer than five', () => {
    // Correct checksums over words that no byte string has.
    expect(() => fromBech32('mu1qppc9xrh')).toThrow('decoding bech32 failed: invalid incomplete group');
    expect(() => fromBech32('mu1qqq2wavq4')).toThrow('decoding bech32 failed: invalid incomplete group');
    expect(fromBech32('mu1qquw3n79')).toEqual(new Uint8Array(1));
  });
});

describe('addresses', () => {
  test("module accounts have the SDK's addresses", () => {
    // Known from every Cosmos chain: the fee collector and the governance account.
    expect(toBech32('cosmos', moduleAddress('fee_collector'))).toBe(text);
    expect(toBech32('cosmos', moduleAddress('gov'))).toBe('cosmos10d07y265gmmuvt4z0w9aw880jnsr700j6zn9kn');
    expect(() => moduleAddress('')).toThrow(RangeError);
  });

  test('keys have RIPEMD-160 of SHA-256', () => {
    // BIP-173's example: the generator point and its hash.
    const key = fromHex('0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798');
    expect(toHex(secp256k1Address(key))).toBe('751e76e8199196d454941c45d1b3a323f1433bd6');
    expect(() => secp256k1Address(key.slice(1))).toThrow(RangeError);
    expect(() => secp256k1Address(new Uint8Array(33))).toThrow(RangeError);
  });
});
