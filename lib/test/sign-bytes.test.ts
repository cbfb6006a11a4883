import { createHash } from 'node:crypto';
import { emptyBillHash, extendBillHash } from '../src/bill-hash.ts';
import { fromHex, toHex, utf8 } from '../src/bytes.ts';
import { manifestVersion } from '../src/manifest-hash.ts';
import { nodeSignBytes, usageSignBytes } from '../src/sign-bytes.ts';

const hashOf = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

describe('sign bytes', () => {
  const message = fromHex('0807120161');

  test('domain, chain id and message, hashed', () => {
    expect(toHex(usageSignBytes('mu-1', message))).toBe(hashOf('mu/usage/v1', 'mu-1', message));
    expect(toHex(nodeSignBytes('mu-1', message))).toBe(hashOf('mu/node/v1', 'mu-1', message));
  });

  test('domain, chain and message all matter', () => {
    const all = [
      usageSignBytes('mu-1', message),
      usageSignBytes('mu-2', message),
      nodeSignBytes('mu-1', message),
      usageSignBytes('mu-1', message.slice(0, 2)),
    ];
    expect(new Set(all.map(toHex)).size).toBe(all.length);
  });

  test('what would make the end of the chain id ambiguous is refused', () => {
    for (const chainId of ['', 'mu\n1', 'mü', 'mu 1', 'a'.repeat(51)]) {
      expect(() => usageSignBytes(chainId, message)).toThrow(RangeError);
    }
    expect(() => usageSignBytes('mu-1', new Uint8Array())).toThrow(RangeError);
    expect(() => nodeSignBytes('mu', utf8('-1'))).toThrow(RangeError);
  });
});

test('a bill hash chains its lines', () => {
  const first = extendBillHash(emptyBillHash(), utf8('one'));
  expect(toHex(first)).toBe(hashOf(new Uint8Array(32), 'one'));
  expect(toHex(extendBillHash(first, utf8('two')))).toBe(hashOf(first, 'two'));
  expect(() => extendBillHash(new Uint8Array(31), utf8('one'))).toThrow(RangeError);
});

test("a manifest's version is the hash of its head under its domain", () => {
  expect(toHex(manifestVersion(utf8('{"format":1}')))).toBe(hashOf('mu/manifest/1{"format":1}'));
});
