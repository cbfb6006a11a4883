import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { SignDoc } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import fc from 'fast-check';
import { fromUtf8, u64be, utf8 } from '../src/bytes.ts';
import { WireWriter } from '../src/wire-writer.ts';

const u64 = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.bigInt({ min: 0n, max: 2n ** 54n }),
  fc.nat().map(BigInt),
);
const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.oneof(fc.string({ maxLength: 200 }), fc.string({ unit: 'grapheme', maxLength: 100 }));

describe('a message written by hand', () => {
  const writer = new WireWriter();

  it('is the one that generated code writes', () => {
    fc.assert(
      fc.property(bytes, bytes, text, u64, (bodyBytes, authInfoBytes, chainId, accountNumber) => {
        const own = writer.start().bytes(1, bodyBytes).bytes(2, authInfoBytes).text(3, chainId).uint(4, accountNumber);
        const generated = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber }).finish();
        expect(Buffer.from(own.finish()).equals(generated)).toBe(true);
      }),
    );
  });

  it('holds messages of any length', () => {
    fc.assert(
      fc.property(text, fc.uint8Array({ maxLength: 20_000 }), u64, (typeUrl, value, sequence) => {
        writer.start();
        const start = writer.begin(2);
        writer.text(1, typeUrl).bytes(2, value).end(start).uint(4, sequence);
        const message = { address: '', pubKey: { typeUrl, value }, accountNumber: 0n, sequence };
        expect(Buffer.from(writer.finish()).equals(BaseAccount.encode(message).finish())).toBe(true);
      }),
    );
  });

  it('begins anew after one that was left', () => {
    expect(() => writer.start().text(1, 'left').uint(2, -1n)).toThrow(RangeError);
    expect(() => writer.start().uint(2, 2n ** 64n)).toThrow(RangeError);
    expect(writer.start().uint(1, 5n).finish()).toEqual(Uint8Array.of(8, 5));
  });

  it('is bytes of its own', () => {
    const first = writer.start().uint(1, 5n).finish();
    writer.start().uint(1, 6n).finish();
    expect(first).toEqual(Uint8Array.of(8, 5));
  });
});

describe('short texts and numbers', () => {
  it('are the same bytes as long ones', () => {
    fc.assert(
      fc.property(text, (value) => {
        const encoded = new TextEncoder().encode(value);
        expect(Buffer.from(utf8(value)).equals(encoded)).toBe(true);
        expect(fromUtf8(encoded)).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(encoded));
      }),
    );
  });

  it('stand in eight bytes', () => {
    fc.assert(
      fc.property(u64, (value) => {
        const expected = Buffer.alloc(8);
        expected.writeBigUInt64BE(value);
        expect(Buffer.from(u64be(value)).equals(expected)).toBe(true);
      }),
    );
    expect(() => u64be(-1n)).toThrow(RangeError);
    expect(() => u64be(2n ** 64n)).toThrow(RangeError);
  });
});
