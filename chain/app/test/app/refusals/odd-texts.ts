/** Texts that look like others or like nothing: what Unicode allows and names of the chain do not. */
import { Any } from 'cosmjs-types/google/protobuf/any';
import type { Wish } from '../mu-chain.ts';
import type { Line, Make, Refusal } from './row.ts';
import type { Stage } from './stages.ts';

const fullWidth = (text: string): string =>
  text.replace(/[!-~]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0xfee0));

/** [what is odd, the text], made of one that would do. */
const odd: readonly (readonly [string, (text: string) => string])[] = [
  ['with a combining accent', (text) => `${text}\u0301`],
  ['with a letter that has its accent within', (text) => `${text}\u00e9`],
  ['with a mark from right to left', (text) => `${text}\u200f`],
  ['turned from right to left', (text) => `\u202e${text}`],
  ['in full-width letters', fullWidth],
  ['with a NUL', (text) => `${text}\0`],
  ['with a line feed', (text) => `${text}\n`],
  ['with a no-break space', (text) => `${text}\u00a0`],
  ['with a joiner of no width', (text) => `${text}\u200d`],
  ['with the sign of kelvin, whose small letter is a k', (text) => `${text}\u212a`],
  ['with a Cyrillic letter', (text) => `${text}\u0430`],
  ['with an emoji', (text) => `${text}\u{1f600}`],
  ['with half of an emoji', (text) => `${text}\ud83d`],
];

/** Lines that put each odd text into a field. @param good what would do there */
export function oddLines(
  refusal: Refusal,
  field: string,
  good: string,
  make: (at: Stage, text: string) => Wish,
): readonly Line[] {
  return odd.map(([what, alter]): Line => [refusal, `${field} ${what}`, (at) => make(at, alter(good))]);
}

/** The same with capitals and inner spaces too, for names that are in small letters. */
export function oddNameLines(
  refusal: Refusal,
  field: string,
  good: string,
  make: (at: Stage, text: string) => Wish,
): readonly Line[] {
  const strict: readonly Line[] = [
    [refusal, `${field} in capitals`, (at) => make(at, good.toUpperCase())],
    [refusal, `${field} with a space`, (at) => make(at, `${good} ${good}`)],
    [refusal, `${field} that is empty`, (at) => make(at, '')],
  ];
  return [...oddLines(refusal, field, good, make), ...strict];
}

/** Stands in a text for three bytes that are put in after encoding. */
const placeholder = '\u0001\u0002\u0003';
/** U+D800 as CESU-8 writes it: three bytes that UTF-8 does not know. */
const surrogate = Uint8Array.of(0xed, 0xa0, 0x80);
/** A slash in more bytes than it needs, and one byte to make it three. */
const overlong = Uint8Array.of(0xc0, 0xaf, 0x2f);

function replaced(bytes: Uint8Array, by: Uint8Array): Uint8Array {
  const at = Buffer.from(bytes).indexOf(placeholder);
  if (at < 0) throw new Error('the message does not hold the text');
  const copy = new Uint8Array(bytes);
  copy.set(by, at);
  return copy;
}

/** Lines with bytes in a string that are no UTF-8: no decoder may guess what they mean. */
export function notUtf8Lines(field: string, make: (at: Stage, text: string) => Wish): readonly Line[] {
  const damaged =
    (by: Uint8Array): Make =>
    (at) => {
      const { from, messages } = make(at, placeholder);
      return {
        from,
        messages: messages.map(({ typeUrl, value }) => Any.fromPartial({ typeUrl, value: replaced(value, by) })),
      };
    };
  return [
    ['sdk 2', `${field} with a lone surrogate in its bytes`, damaged(surrogate)],
    ['sdk 2', `${field} with an overlong character`, damaged(overlong)],
  ];
}
