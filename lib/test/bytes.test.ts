import fc from 'fast-check';
import {
  BytesError,
  compareBytes,
  concatBytes,
  equalBytes,
  fromBase64,
  fromHex,
  fromUtf8,
  isUtf8,
  readU32be,
  readU64be,
  toBase64,
  toHex,
  u32be,
  u64be,
  utf8,
} from '../src/bytes.ts';

const anyBytes = fc.uint8Array({ maxLength: 100 });

describe('comparison and joining', () => {
  test('order, equality and joining agree with Buffer', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(compareBytes(a, b)).toBe(Buffer.compare(a, b));
        expect(equalBytes(a, b)).toBe(Buffer.from(a).equals(b));
        expect(toHex(concatBytes(a, b))).toBe(Buffer.concat([a, b]).toString('hex'));
      }),
    );
  });

  test('a prefix comes before what it begins, and equal contents are equal', () => {
    expect(compareBytes(fromHex('01'), fromHex('0100'))).toBe(-1);
    expect(compareBytes(fromHex('0100'), fromHex('01'))).toBe(1);
    expect(compareBytes(fromHex('80'), fromHex('7f'))).toBe(1);
    expect(compareBytes(fromHex('80ff'), fromHex('80ff'))).toBe(0);
    expect(equalBytes(fromHex('80ff'), fromHex('80ff'))).toBe(true);
    expect(concatBytes()).toHaveLength(0);
  });
});

describe('text forms', () => {
  test('hex and base64 agree with Buffer both ways', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString('base64'));
        expect(fromHex(toHex(bytes).toUpperCase())).toEqual(bytes);
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
      }),
    );
  });

  test.each(['0', 'abc', '0g', 'g0', '0x', ' 00', '0\u0100', '\u0661\u0661'])('hex %j is refused', (text) => {
    expect(() => fromHex(text)).toThrow(BytesError);
  });

  test.each(['A', 'AA', 'AAA', 'AB==', 'AAB=', 'A===', '====', 'AA=A', 'AA\n=', 'AA-_', 'AAAA====', '\u0100AAA'])(
    'base64 %j is refused',
    (text) => {
      expect(() => fromBase64(text)).toThrow(BytesError);
    },
  );

  test('every accepted base64 text is the one that its bytes have', () => {
    const texts = fc.string({ unit: fc.constantFrom(...'ABZaz09+/='), maxLength: 12 });
    fc.assert(
      fc.property(texts, (text) => {
        let bytes: Uint8Array;
        try {
          bytes = fromBase64(text);
        } catch (error) {
          expect(error).toBeInstanceOf(BytesError);
          return;
        }
        expect(toBase64(bytes)).toBe(text);
      }),
      { numRuns: 1000 },
    );
  });

  test('UTF-8 is strict and keeps a byte order mark', () => {
    expect(fromUtf8(utf8('\ufeffMü😀'))).toBe('\ufeffMü😀');
    expect(() => fromUtf8(fromHex('ff'))).toThrow(BytesError);
  });
});

describe('isUtf8', () => {
  const accepts = (bytes: Uint8Array): boolean => {
    try {
      fromUtf8(bytes);
      return true;
    } catch {
      return false;
    }
  };

  test('agrees with the decoder on every sequence of two bytes', () => {
    for (let pair = 0; pair < 0x10000; pair++) {
      const bytes = new Uint8Array([pair >> 8, pair & 255]);
      if (isUtf8(bytes) !== accepts(bytes)) throw new Error(`differs at ${toHex(bytes)}`);
    }
  });

  test('agrees with the decoder on sequences around every border of the encoding', () => {
    const borders = fc.constantFrom(0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1);
    const leads = fc.constantFrom(0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff);
    fc.assert(
      fc.property(fc.array(fc.oneof(borders, leads), { maxLength: 6 }), (values) => {
        const bytes = Uint8Array.from(values);
        expect(isUtf8(bytes)).toBe(accepts(bytes));
      }),
      { numRuns: 20_000 },
    );
  });

  test('accepts every text and looks at the given part alone', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => isUtf8(utf8(text))));
    expect(isUtf8(fromHex('ff41ff'), 1, 2)).toBe(true);
    expect(isUtf8(fromHex('e282ac'), 0, 2)).toBe(false);
  });
});

describe('integers of fixed width', () => {
  test('u64 and u32 go both ways, at any offset of a view', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.integer({ min: 0, max: 2 ** 32 - 1 }),
        (wide, narrow) => {
          const view = concatBytes(fromHex('ffff'), u64be(wide), u32be(narrow)).subarray(1);
          expect(readU64be(view, 1)).toBe(wide);
          expect(readU32be(view, 9)).toBe(narrow);
        },
      ),
    );
    expect(toHex(u64be(258n))).toBe('0000000000000102');
    expect(toHex(u32be(0xdeadbeef))).toBe('deadbeef');
  });

  test('values beyond the width and bytes too short are refused', () => {
    expect(() => u64be(-1n)).toThrow(RangeError);
    expect(() => u64be(2n ** 64n)).toThrow(RangeError);
    expect(() => u32be(2 ** 32)).toThrow(RangeError);
    expect(() => u32be(1.5)).toThrow(RangeError);
    expect(() => u32be(-1)).toThrow(RangeError);
    expect(() => readU64be(new Uint8Array(7))).toThrow(RangeError);
    expect(() => readU32be(new Uint8Array(4), 1)).toThrow(RangeError);
    // A view must not read past its own end into the buffer behind it.
    expect(() => readU64be(new Uint8Array(16).subarray(0, 7))).toThrow(RangeError);
  });
});
