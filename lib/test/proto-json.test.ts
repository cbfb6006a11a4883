import { create, fromBinary, type JsonValue, type Message, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { fromHex, toHex } from '../src/bytes.ts';
import { Dec } from '../src/dec.ts';
import { jsonToMessage, messageToJson, ProtoJsonError } from '../src/proto-json.ts';
import { checkWire } from '../src/wire.ts';
import { descOf, registry } from './descriptors.ts';

const show = (name: string, bytes: Uint8Array): JsonValue => messageToJson(registry, `test.v1.${name}`, bytes);
const read = (name: string, json: JsonValue): Uint8Array => jsonToMessage(registry, `test.v1.${name}`, json);
const encode = (name: string, init: Record<string, unknown>): Uint8Array =>
  toBinary(descOf(name), create(descOf(name), init as never) as Message);
const decode = (name: string, bytes: Uint8Array): Record<string, unknown> =>
  fromBinary(descOf(name), bytes) as unknown as Record<string, unknown>;

describe("the SDK's form", () => {
  test('an empty message prints its defaults: null for absent messages and bytes, nothing for a oneof', () => {
    expect(show('Everything', new Uint8Array())).toEqual({
      count: '0',
      numbers: [],
      text: '',
      self: null,
      raw_bytes: null,
      wide: '0',
      narrow: 0,
      color: 'COLOR_UNSPECIFIED',
      names: [],
      coins: [],
      any: null,
      maybe: null,
      price: '',
      prices: [],
      at: null,
      lasting: null,
      must: { denom: '', amount: '' },
      flags: [],
      halves: [],
      signed: '0',
      table: {},
      pay: null,
    });
  });

  test('names as in the .proto file, wide integers and enums as strings, bytes as base64', () => {
    const bytes = encode('Everything', {
      count: 2n ** 64n - 1n,
      rawBytes: fromHex('ff'),
      color: 1,
      signed: -5n,
      either: { case: 'left', value: '' },
      maybe: 'x',
      at: { seconds: 1_700_000_000n, nanos: 120_000_000 },
      lasting: { seconds: 1_814_400n },
    });
    expect(show('Everything', bytes)).toMatchObject({
      count: '18446744073709551615',
      raw_bytes: '/w==',
      color: 'COLOR_RED',
      signed: '-5',
      left: '',
      maybe: 'x',
      at: '2023-11-14T22:13:20.120Z',
      lasting: '1814400s',
    });
    expect(decode('Everything', read('Everything', show('Everything', bytes)))).toMatchObject({
      count: 2n ** 64n - 1n,
      signed: -5n,
    });
  });

  test('an enum value that nobody knows stays a number', () => {
    const bytes = encode('Everything', { color: 7 });
    expect(show('Everything', bytes)).toMatchObject({ color: 7 });
    expect(decode('Everything', read('Everything', { color: 7 }))).toMatchObject({ color: 7 });
  });

  test('Any is its content with @type in front', () => {
    const json = {
      messages: [
        {
          '@type': '/test.v1.MsgExec',
          msgs: [
            {
              '@type': '/test.v1.MsgPay',
              from_address: 'mu1',
              amount: [{ denom: 'umu', amount: '1' }],
              price: '1.500000000000000000',
            },
          ],
        },
      ],
      memo: '',
    };
    const bytes = read('Body', json);
    expect(() => checkWire(registry, descOf('Body'), bytes)).not.toThrow();
    expect(JSON.stringify(show('Body', bytes))).toBe(JSON.stringify(json));
  });

  test('a well-known type inside of Any stands under value', () => {
    const json = { any: { '@type': '/google.protobuf.Duration', value: '5s' } };
    expect(show('Everything', read('Everything', json))).toMatchObject(json);
  });
});

describe('decimals', () => {
  test('decimal in JSON, atomics on the wire: alone, in lists, within messages and within Any', () => {
    const json = {
      price: '0.25',
      prices: ['1', '-2.5'],
      self: { price: '3' },
      pay: { price: '4' },
      any: { '@type': '/test.v1.MsgPay', price: '0.000000000000000001' },
    };
    const bytes = read('Everything', json);
    const message = decode('Everything', bytes);
    expect(message).toMatchObject({
      price: '250000000000000000',
      prices: ['1000000000000000000', '-2500000000000000000'],
      self: { price: '3000000000000000000' },
      pay: { price: '4000000000000000000' },
    });
    expect(decode('MsgPay', (message['any'] as { value: Uint8Array }).value)).toMatchObject({ price: '1' });
    expect(show('Everything', bytes)).toMatchObject({
      price: '0.250000000000000000',
      prices: ['1.000000000000000000', '-2.500000000000000000'],
      self: { price: '3.000000000000000000' },
      pay: { price: '4.000000000000000000' },
      any: { price: '0.000000000000000001' },
    });
  });

  test('every Dec goes both ways; other strings are left alone', () => {
    const atomics = fc.bigInt({ min: -(10n ** 54n), max: 10n ** 54n });
    fc.assert(
      fc.property(atomics, (value) => {
        const bytes = encode('Everything', { price: value.toString(), text: '1.50' });
        const json = show('Everything', bytes);
        expect(json).toMatchObject({ price: Dec.fromAtomics(value).toString(), text: '1.50' });
        expect(decode('Everything', read('Everything', json))).toMatchObject({ price: value.toString(), text: '1.50' });
      }),
    );
  });

  test('what is no decimal is refused in both directions, with the path', () => {
    expect(() => read('Everything', { pay: { price: '1e3' } })).toThrow('Everything.pay.price: "1e3" is not a decimal');
    expect(() => read('Everything', { prices: ['1', 2] })).toThrow(
      'Everything.prices[1]: expected a decimal as a string',
    );
    expect(() => show('Everything', encode('Everything', { prices: ['1', '1.5'] }))).toThrow(
      'Everything.prices[1]: "1.5"',
    );
  });
});

describe('reading', () => {
  const refused: [string, JsonValue, string][] = [
    ['an unknown key', { text: '', extra: 1 }, 'Everything: unknown field "extra"'],
    [
      'an unknown key further in',
      { coins: [{ denom: 'a' }, { demon: 'b' }] },
      'Everything.coins[1]: unknown field "demon"',
    ],
    ['an unknown key within Any', { any: { '@type': '/test.v1.Coin', x: 1 } }, 'Everything.any: unknown field "x"'],
    ['a field under both names', { raw_bytes: '', rawBytes: '' }, 'Everything: field "raw_bytes" is given twice'],
    ['__proto__', JSON.parse('{"__proto__":{}}') as JsonValue, 'Everything: unknown field "__proto__"'],
    ['a list that is none', { names: 'a' }, 'Everything.names: expected a list'],
    ['a message that is none', { self: [] }, 'Everything.self: expected an object'],
    ['a message that is null within a list', { coins: [null] }, 'Everything.coins[0]: expected an object'],
    ['an Any without a type', { any: { denom: 'x' } }, 'Everything.any: "@type" is missing'],
    ['an Any of an unknown type', { any: { '@type': '/x.Y' } }, 'Everything.any: unable to resolve type URL /x.Y'],
    [
      'an Any without its slash',
      { any: { '@type': 'test.v1.Coin' } },
      'Everything.any: unable to resolve type URL test.v1.Coin',
    ],
    ['a wide integer as a number', { count: 2 ** 53 }, 'Everything.count: not an integer'],
    ['a fraction', { narrow: 0.5 }, 'Everything.narrow: not an integer'],
    ['a number for a string', { text: 5 }, 'Everything: '],
    ['two members of a oneof', { left: 'a', right: { denom: 'b' } }, 'Everything: '],
    ['an unknown enum name', { color: 'COLOR_BLUE' }, 'Everything: '],
    ['bytes that are no base64', { raw_bytes: '*' }, 'Everything: '],
    ['a number above 64 bits', { count: '18446744073709551616' }, 'Everything: '],
    ['no object', 'text', 'Everything: expected an object'],
    ['null', null, 'Everything: expected an object'],
  ];
  test.each(refused)('%s is refused', (_, json, message) => {
    expect(() => read('Everything', json)).toThrow(message);
    expect(() => read('Everything', json)).toThrow(ProtoJsonError);
  });

  test('both names of a field, numbers and null are read', () => {
    const bytes = read('Everything', { rawBytes: '/w==', count: 7, self: null, text: null, table: { a: 'b' } });
    expect(decode('Everything', bytes)).toMatchObject({
      rawBytes: fromHex('ff'),
      count: 7n,
      text: '',
      table: { a: 'b' },
    });
    expect(show('Everything', bytes)).toMatchObject({ table: { a: 'b' } });
  });

  test('nesting is bounded', () => {
    let json: JsonValue = {};
    for (let i = 0; i < 5000; i++) json = { self: json };
    expect(() => read('Everything', json)).toThrow('nested deeper than 100');
  });

  test('types that do not exist, and bytes that are none of the type', () => {
    expect(() => messageToJson(registry, 'test.v1.None', new Uint8Array())).toThrow(
      'test.v1.None: no such message type',
    );
    expect(() => jsonToMessage(registry, '/test.v1.Coin', {})).toThrow(ProtoJsonError);
    expect(() => show('Coin', fromHex('0aff'))).toThrow(ProtoJsonError);
    const anyOfNone = encode('Everything', { any: { typeUrl: '/x.Y', value: new Uint8Array() } });
    expect(() => show('Everything', anyOfNone)).toThrow(ProtoJsonError);
  });
});

test('whatever the message, its JSON reads back to the same bytes', () => {
  const coin = fc.record({ denom: fc.string(), amount: fc.string() });
  const init = fc.record({
    count: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    numbers: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 })),
    text: fc.string({ unit: 'grapheme' }),
    rawBytes: fc.uint8Array(),
    narrow: fc.integer(),
    color: fc.integer({ min: 0, max: 1 }),
    coins: fc.array(coin),
    must: coin,
    price: fc.bigInt({ min: 0n, max: 10n ** 54n }).map(String),
    flags: fc.array(fc.boolean()),
  });
  fc.assert(
    fc.property(init, (values) => {
      const bytes = encode('Everything', values);
      const json = JSON.parse(JSON.stringify(show('Everything', bytes))) as JsonValue;
      expect(toHex(read('Everything', json))).toBe(toHex(bytes));
    }),
  );
});
