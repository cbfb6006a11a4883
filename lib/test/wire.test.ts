import { create, fromBinary, type Message, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex, utf8 } from '../src/bytes.ts';
import { encodeVarint } from '../src/varint.ts';
import { checkWire, isCanonicalTxRaw, WireError, type WireErrorReason, type WireLimits } from '../src/wire.ts';
import { descOf, registry } from './descriptors.ts';

/** A length-delimited field. */
function chunk(number: number, bytes: Uint8Array): Uint8Array {
  return concatBytes(encodeVarint((number << 3) | 2), encodeVarint(bytes.length), bytes);
}

/** A varint field. */
function number(field: number, value: number | bigint): Uint8Array {
  return concatBytes(encodeVarint(field << 3), encodeVarint(value));
}

function anyOf(name: string, value: Uint8Array): Uint8Array {
  return concatBytes(chunk(1, utf8(`/test.v1.${name}`)), chunk(2, value));
}

function check(name: string, bytes: Uint8Array, limits: Partial<WireLimits> = {}): { hasNonCritical: boolean } {
  return checkWire(registry, descOf(name), bytes, limits);
}

function errorOf(name: string, bytes: Uint8Array, limits: Partial<WireLimits> = {}): WireError | undefined {
  try {
    check(name, bytes, limits);
  } catch (error) {
    if (error instanceof WireError) return error;
    throw error;
  }
  return undefined;
}

function reasonOf(name: string, bytes: Uint8Array, limits: Partial<WireLimits> = {}): WireErrorReason | undefined {
  return errorOf(name, bytes, limits)?.reason;
}

const coin = concatBytes(chunk(1, utf8('umu')), chunk(2, utf8('10')));
const pay = concatBytes(chunk(1, utf8('mu1from')), chunk(2, coin), chunk(2, coin));
const body = concatBytes(chunk(1, anyOf('MsgPay', pay)), chunk(2, utf8('memo')));

describe('what is accepted', () => {
  test('every kind of field, as the library writes it', () => {
    const message = create(descOf('Everything'), {
      count: 2n ** 64n - 1n,
      numbers: [1, 2, 2 ** 32 - 1],
      text: 'Mü😀',
      self: create(descOf('Everything'), { text: 'inner' }),
      rawBytes: fromHex('ff00'),
      wide: 1n,
      narrow: -1,
      color: 7,
      names: ['a', '', 'b'],
      either: { case: 'right', value: create(descOf('Coin'), { denom: 'umu' }) },
      coins: [create(descOf('Coin')), create(descOf('Coin'), { amount: '1' })],
      maybe: '',
      at: { seconds: 1n, nanos: 5 },
      flags: [true, false],
      halves: [1, 2],
      signed: -5n,
    } as never) as Message;
    const bytes = toBinary(descOf('Everything'), message);
    expect(check('Everything', bytes)).toEqual({ hasNonCritical: false });
  });

  test('messages inside of Any, the empty message, fields in any order', () => {
    expect(check('Body', body)).toEqual({ hasNonCritical: false });
    expect(check('Body', new Uint8Array())).toEqual({ hasNonCritical: false });
    expect(reasonOf('Body', concatBytes(chunk(2, utf8('memo')), chunk(1, anyOf('MsgPay', pay))))).toBeUndefined();
  });

  test('repeated numbers packed, unpacked and mixed', () => {
    const packed = chunk(2, concatBytes(encodeVarint(1), encodeVarint(300)));
    expect(reasonOf('Everything', concatBytes(packed, number(2, 5), packed))).toBeUndefined();
    expect(reasonOf('Everything', concatBytes(chunk(21, new Uint8Array(8)), fromHex('ad0100000000')))).toBeUndefined();
  });
});

describe('what is refused', () => {
  test('unknown fields at every level, with the place', () => {
    expect(reasonOf('Body', concatBytes(body, number(9, 1)))).toBe('unknown-field');
    const inCoin = concatBytes(chunk(1, utf8('mu1')), chunk(2, coin), chunk(2, concatBytes(coin, number(3, 1))));
    const error = errorOf('Body', chunk(1, anyOf('MsgPay', inCoin)));
    expect(error?.reason).toBe('unknown-field');
    expect(error?.path).toBe('Body.messages[0].value.amount[1]');
    expect(error?.message).toBe(
      'Body.messages[0].value.amount[1]: errUnknownField "test.v1.Coin": {TagNum: 3, WireType:"varint"}',
    );
  });

  test('non-critical fields pass only where they are allowed, and are told', () => {
    const extra = chunk(1024, utf8('x'));
    expect(reasonOf('Body', concatBytes(body, extra))).toBe('unknown-field');
    expect(check('Body', concatBytes(body, extra), { allowNonCritical: true })).toEqual({ hasNonCritical: true });
    for (const inside of [
      anyOf('MsgPay', concatBytes(pay, extra)),
      concatBytes(extra, anyOf('MsgPay', pay), number(2047, 1)),
    ]) {
      expect(check('Body', chunk(1, inside), { allowNonCritical: true })).toEqual({ hasNonCritical: true });
    }
    // Bit 11 set is 1024…2047, 3072…4095 and so on; the rest is critical.
    for (const field of [1023, 2048, 3071]) {
      expect(reasonOf('Body', number(field, 1), { allowNonCritical: true })).toBe('unknown-field');
    }
    expect(
      reasonOf('Body', concatBytes(encodeVarint((1024 << 3) | 2), fromHex('05')), { allowNonCritical: true }),
    ).toBe('truncated');
    expect(reasonOf('Body', encodeVarint((1024 << 3) | 3), { allowNonCritical: true })).toBe('group');
    expect(reasonOf('Body', encodeVarint((1024 << 3) | 6), { allowNonCritical: true })).toBe('wire-type');
  });

  test('the wrong wire type for each kind', () => {
    expect(reasonOf('Everything', chunk(1, utf8('a')))).toBe('wire-type');
    expect(reasonOf('Everything', number(3, 1))).toBe('wire-type');
    expect(reasonOf('Everything', number(4, 1))).toBe('wire-type');
    expect(reasonOf('Everything', number(6, 1))).toBe('wire-type');
    expect(reasonOf('Everything', fromHex('3900000000000000ff'))).toBe('wire-type');
    expect(reasonOf('Everything', fromHex('0b0c'))).toBe('wire-type');
    expect(errorOf('Everything', number(3, 1))?.message).toBe('Everything.text: wire type varint, expected bytes');
  });

  test('a singular field twice, two members of a oneof, and a map', () => {
    expect(reasonOf('Everything', concatBytes(number(1, 1), number(1, 1)))).toBe('duplicate');
    expect(reasonOf('Everything', concatBytes(chunk(4, number(1, 1)), chunk(4, number(1, 1))))).toBe('duplicate');
    expect(reasonOf('Everything', concatBytes(chunk(10, utf8('a')), chunk(11, coin)))).toBe('duplicate');
    expect(reasonOf('Everything', concatBytes(chunk(14, utf8('a')), chunk(10, utf8('a'))))).toBeUndefined();
    expect(reasonOf('Body', chunk(1, concatBytes(anyOf('MsgPay', pay), chunk(1, utf8('/test.v1.Coin')))))).toBe(
      'duplicate',
    );
    expect(reasonOf('Everything', chunk(23, chunk(1, utf8('a'))))).toBe('map');
  });

  test('strings that are not UTF-8; bytes may be anything', () => {
    expect(reasonOf('Everything', chunk(3, fromHex('c328')))).toBe('utf8');
    expect(reasonOf('Everything', chunk(9, fromHex('eda080')))).toBe('utf8');
    expect(reasonOf('Everything', chunk(5, fromHex('c328')))).toBeUndefined();
    expect(reasonOf('Body', chunk(1, chunk(1, fromHex('ff'))))).toBe('utf8');
  });

  test('every cut of a message is refused or is a message of its own', () => {
    const complete = new Set<number>([0, chunk(1, anyOf('MsgPay', pay)).length, body.length]);
    for (let length = 0; length <= body.length; length++) {
      expect(reasonOf('Body', body.slice(0, length))).toBe(complete.has(length) ? undefined : 'truncated');
    }
    // An announced length beyond 2^53 or 2^64 must not wrap around.
    expect(reasonOf('Body', concatBytes(fromHex('12'), encodeVarint(2n ** 64n - 1n)))).toBe('truncated');
    expect(reasonOf('Everything', fromHex('3100000000'))).toBe('truncated');
    expect(reasonOf('Everything', chunk(21, new Uint8Array(7)))).toBe('truncated');
  });

  test('varints above 64 bits and tags without a field number', () => {
    expect(reasonOf('Everything', fromHex('08ffffffffffffffffff01'))).toBeUndefined();
    expect(reasonOf('Everything', fromHex('08ffffffffffffffffff02'))).toBe('varint');
    expect(reasonOf('Everything', fromHex('0880808080808080808080808000'))).toBe('varint');
    expect(reasonOf('Everything', chunk(2, fromHex('ffffffffffffffffffff01')))).toBe('varint');
    expect(reasonOf('Everything', fromHex('00'))).toBe('tag');
    expect(reasonOf('Everything', fromHex('07'))).toBe('tag');
    expect(reasonOf('Everything', fromHex('808080801000'))).toBe('tag');
  });

  test('type URLs that nobody knows, in every spelling but the exact one', () => {
    for (const typeUrl of [
      '',
      '/test.v1.Nothing',
      'test.v1.MsgPay',
      'x/test.v1.MsgPay',
      '//test.v1.MsgPay',
      '/test.v1.Color',
    ]) {
      const error = errorOf('Body', chunk(1, concatBytes(chunk(1, utf8(typeUrl)), chunk(2, pay))));
      expect(error?.message).toBe(`Body.messages[0]: unable to resolve type URL ${typeUrl}`);
      expect(error?.reason).toBe('type-url');
    }
    expect(reasonOf('Body', chunk(1, new Uint8Array()))).toBe('type-url');
  });
});

describe('bounds', () => {
  const nested = (levels: number): Uint8Array => {
    let bytes: Uint8Array = new Uint8Array();
    for (let i = 1; i < levels; i++) bytes = chunk(4, bytes);
    return bytes;
  };
  const execs = (levels: number): Uint8Array => {
    let bytes = pay;
    let name = 'MsgPay';
    for (let i = 1; i < levels; i++) {
      bytes = chunk(2, anyOf(name, bytes));
      name = 'MsgExec';
    }
    return chunk(1, anyOf(name, bytes));
  };

  test('depth: the bound itself passes, one more does not', () => {
    expect(reasonOf('Everything', nested(32))).toBeUndefined();
    expect(reasonOf('Everything', nested(33))).toBe('depth');
    expect(reasonOf('Everything', nested(3), { maxDepth: 2 })).toBe('depth');
    expect(errorOf('Everything', nested(3), { maxDepth: 2 })?.path).toBe('Everything.self.self');
    // An Any is a level and so is what it holds.
    expect(reasonOf('Body', body, { maxDepth: 4 })).toBeUndefined();
    expect(reasonOf('Body', body, { maxDepth: 3 })).toBe('depth');
  });

  test('Any within Any', () => {
    expect(reasonOf('Body', execs(8))).toBeUndefined();
    expect(reasonOf('Body', execs(9))).toBe('any-depth');
  });

  test('ten thousand levels do not exhaust the stack', () => {
    expect(reasonOf('Everything', nested(10_000))).toBe('depth');
  });

  test('count, over all levels and inside packed fields', () => {
    const many = (count: number): Uint8Array =>
      concatBytes(...Array.from({ length: count }, () => chunk(9, new Uint8Array())));
    expect(reasonOf('Everything', many(50_000))).toBeUndefined();
    expect(reasonOf('Everything', many(50_001))).toBe('count');
    expect(reasonOf('Everything', chunk(4, many(9)), { maxFields: 10 })).toBeUndefined();
    expect(reasonOf('Everything', chunk(4, many(10)), { maxFields: 10 })).toBe('count');
    expect(reasonOf('Everything', chunk(20, new Uint8Array(10)), { maxFields: 10 })).toBe('count');
  });

  test('size, before anything is looked at', () => {
    expect(reasonOf('Body', body, { maxBytes: body.length })).toBeUndefined();
    expect(reasonOf('Body', body, { maxBytes: body.length - 1 })).toBe('size');
    expect(reasonOf('Body', new Uint8Array(2 * 1024 * 1024 + 1))).toBe('size');
  });
});

test('whatever the bytes, the walk ends in a yes or a WireError; after a yes the decoder reads them', () => {
  const arbitrary = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    // One byte of a good message changed: far more of these get past the first field.
    fc.tuple(fc.nat(body.length - 1), fc.nat(255)).map(([at, value]) => {
      const bytes = body.slice();
      bytes[at] = value;
      return bytes;
    }),
  );
  let accepted = 0;
  fc.assert(
    fc.property(arbitrary, fc.constantFrom('Body', 'Everything'), (bytes, name) => {
      if (errorOf(name, bytes)) return;
      accepted += 1;
      const decoded = fromBinary(descOf(name), bytes);
      expect(decoded.$unknown ?? []).toEqual([]);
      expect(errorOf(name, toBinary(descOf(name), decoded))).toBeUndefined();
    }),
    { numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(100);
});

describe('isCanonicalTxRaw', () => {
  const raw = concatBytes(
    chunk(1, body),
    chunk(2, fromHex('0a00')),
    chunk(3, new Uint8Array(64)),
    chunk(3, new Uint8Array(64)),
  );

  test('accepts what encoders write', () => {
    expect(isCanonicalTxRaw(raw)).toBe(true);
    expect(isCanonicalTxRaw(chunk(1, new Uint8Array(20_000)))).toBe(true);
    expect(isCanonicalTxRaw(chunk(3, new Uint8Array()))).toBe(true);
    expect(isCanonicalTxRaw(new Uint8Array())).toBe(true);
  });

  test.each([
    ['fields out of order', concatBytes(chunk(2, body), chunk(1, body))],
    ['a body twice', concatBytes(chunk(1, body), chunk(1, body))],
    ['auth info twice', concatBytes(chunk(2, body), chunk(2, body))],
    ['a body after signatures', concatBytes(chunk(3, body), chunk(1, body))],
    ['another field', concatBytes(raw, chunk(4, body))],
    ['field 0', fromHex('0200')],
    ['a varint field', fromHex('0801')],
    ['a long length', fromHex('0a8100ff')],
    ['a long length of zero', fromHex('0a8000')],
    ['a long tag', fromHex('8a0000')],
    ['a cut', raw.slice(0, -1)],
    ['a cut length', fromHex('0a80')],
    ['a length above 64 bits', fromHex('0affffffffffffffffffff01')],
    ['a length beyond the end', concatBytes(fromHex('0a'), encodeVarint(2n ** 64n - 1n))],
  ])('refuses %s', (_, bytes) => {
    expect(isCanonicalTxRaw(bytes)).toBe(false);
  });

  test('what it accepts is what its own parts encode to', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0x0a, 0x12, 0x1a, 0, 1, 2, 0x80, 0x81), { maxLength: 10 }), (values) => {
        const bytes = Uint8Array.from(values);
        if (!isCanonicalTxRaw(bytes)) return;
        const parts: Uint8Array[] = [];
        for (let at = 0; at < bytes.length; at += 2 + bytes[at + 1]!) {
          parts.push(chunk(bytes[at]! >> 3, bytes.slice(at + 2, at + 2 + bytes[at + 1]!)));
        }
        expect(toHex(concatBytes(...parts))).toBe(toHex(bytes));
      }),
      { numRuns: 5000 },
    );
  });
});
