import fc from 'fast-check';
import { concatBytes, fromHex, toHex } from '../src/bytes.ts';
import { decodeVarint, encodeVarint, maxVarint, VarintError } from '../src/varint.ts';

test('every u64 goes both ways, at any offset', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: maxVarint }), fc.uint8Array({ maxLength: 3 }), (value, before) => {
      const encoded = encodeVarint(value);
      const bytes = concatBytes(before, encoded, fromHex('ff'));
      expect(decodeVarint(bytes, before.length)).toEqual({ value, next: before.length + encoded.length });
      for (let length = 0; length < encoded.length; length++) {
        expect(decodeVarint(encoded.slice(0, length))).toBeUndefined();
      }
    }),
  );
});

test("protobuf's own examples and both ends", () => {
  expect(toHex(encodeVarint(150))).toBe('9601');
  expect(toHex(encodeVarint(0))).toBe('00');
  expect(toHex(encodeVarint(127n))).toBe('7f');
  expect(toHex(encodeVarint(maxVarint))).toBe('ffffffffffffffffff01');
});

test.each([-1, 1.5, 2 ** 53, Number.NaN, -1n, maxVarint + 1n])('%p cannot be written', (value) => {
  expect(() => encodeVarint(value)).toThrow(VarintError);
});

test.each(['8000', 'ff00', 'ffffffffffffffffff02', 'ffffffffffffffffffff01', '8080808080808080808000'])(
  '%s is refused: too long or too great',
  (hex) => {
    expect(() => decodeVarint(fromHex(hex))).toThrow(VarintError);
  },
);

test('a value above the bound is refused before the rest of it has come', () => {
  expect(decodeVarint(fromHex('e807'), 0, 1000n)).toEqual({ value: 1000n, next: 2 });
  expect(() => decodeVarint(fromHex('e907'), 0, 1000n)).toThrow(VarintError);
  expect(() => decodeVarint(fromHex('ffff'), 0, 1000n)).toThrow(VarintError);
});
