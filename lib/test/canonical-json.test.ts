import { serializeSignDoc } from '@cosmjs/amino';
import fc from 'fast-check';
import { fromUtf8 } from '../src/bytes.ts';
import { CanonicalJsonError, canonicalJson, sortedJson } from '../src/canonical-json.ts';

const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((n) => n + 0),
    fc.string({ unit: 'binary' }),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 3 }),
  ),
})).value;

const bad: [string, unknown][] = [
  ['a fraction', { a: 1.5 }],
  ['NaN', [Number.NaN]],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['an unsafe integer', 2 ** 53],
  ['undefined at the top', undefined],
  ['undefined in an object', { a: undefined }],
  ['undefined in an array', [undefined]],
  ['a hole', new Array(1)],
  ['a bigint', { a: 1n }],
  ['a function', { a: () => 1 }],
  ['a symbol', { a: Symbol('a') }],
  ['a date', new Date(0)],
  ['a map', new Map()],
  ['bytes', new Uint8Array(1)],
  [
    'an instance with toJSON',
    new (class {
      toJSON(): number {
        return 1;
      }
    })(),
  ],
  ['a lone surrogate', '\ud800'],
  ['a lone surrogate as key', { '\udc00': 1 }],
];

describe.each([
  ['canonicalJson', canonicalJson],
  ['sortedJson', sortedJson],
])('%s', (_, write) => {
  test('what it writes is JSON of the same value, whatever the order of keys', () => {
    fc.assert(
      fc.property(plain, (value) => {
        const text = write(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(write(JSON.parse(text))).toBe(text);
      }),
    );
    expect(write({ b: 1, a: { d: 1, c: 2 } })).toBe(write({ a: { c: 2, d: 1 }, b: 1 }));
  });

  test.each(bad)('%s is refused', (_name, value) => {
    expect(() => write(value)).toThrow(CanonicalJsonError);
  });

  test('circles and depth are refused, and the place is named', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    expect(() => write(circle)).toThrow('nested more than 100 deep');
    expect(() => write({ a: [{ b: 0.5 }] })).toThrow('$.a[0].b:');
  });
});

test("RFC 8785's order of keys is that of UTF-16 units, Go's that of bytes", () => {
  const value = { '\u{1f600}': 1, '\uff00': 2, '1': 3, é: 4, '\r': 5 };
  expect(canonicalJson(value)).toBe('{"\\r":5,"1":3,"é":4,"\u{1f600}":1,"\uff00":2}');
  expect(sortedJson(value)).toBe('{"\\r":5,"1":3,"é":4,"\uff00":2,"\u{1f600}":1}');
});

test("Go's escapes", () => {
  expect(sortedJson('<a> & b\u2028\u2029\b\f\n\u0001"\\/é')).toBe(
    '"\\u003ca\\u003e \\u0026 b\\u2028\\u2029\\b\\f\\n\\u0001\\"\\\\/é"',
  );
  expect(canonicalJson('<a> & b\u2028')).toBe('"<a> & b\u2028"');
});

test("a sign document is CosmJS's, byte for byte", () => {
  const doc = {
    chain_id: 'mu-1',
    account_number: '7',
    sequence: '0',
    fee: { amount: [{ denom: 'umu', amount: '10' }], gas: '200000' },
    msgs: [{ type: 'mu/MsgSend', value: { to: 'mu1x', amount: [] } }],
    memo: 'me & you <3',
  };
  expect(sortedJson(doc)).toBe(fromUtf8(serializeSignDoc(doc)));
});
