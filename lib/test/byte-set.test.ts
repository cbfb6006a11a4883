import { describe, expect, test } from '@jest/globals';
import { ByteList, ByteSet } from '../src/byte-set.ts';
import { compareBytes } from '../src/bytes.ts';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);

describe('byte strings in flat memory', () => {
  test('a list gives each back, short ones, empty ones and one longer than a piece', () => {
    const list = new ByteList();
    const long = new Uint8Array(3_000_000).fill(7);
    const all = [
      text('one'),
      new Uint8Array(),
      long,
      ...Array.from({ length: 200_000 }, (_, at) => text(`number ${at}`)),
    ];
    expect(all.map((bytes) => list.push(bytes))).toEqual(all.map((_, at) => at));
    for (const at of [0, 1, 3, 77_777, all.length - 1]) expect(list.at(at)).toEqual(all[at]);
    expect(Buffer.compare(list.at(2), long)).toBe(0);
    expect(list.isAt(1, new Uint8Array())).toBe(true);
    expect(list.isAt(0, text('onE'))).toBe(false);
    expect([list.byteAt(0, 1), list.byteAt(0, 3)]).toEqual([0x6e, -1]);
  });

  test('its order is that of the bytes, a prefix before what it begins', () => {
    const list = new ByteList();
    const all = Array.from({ length: 5000 }, (_, at) => {
      const number = Math.imul(at, 0x9e3779b1) >>> 0;
      return Uint8Array.from({ length: number % 7 }, (_, byte) => (number >>> (8 + 3 * byte)) & 0x83);
    });
    for (const bytes of all) list.push(bytes);
    expect([...list.sorted()].map((at) => [...list.at(at)])).toEqual(all.sort(compareBytes).map((bytes) => [...bytes]));
  });

  test('a set takes each once, and says at which place', () => {
    const set = new ByteSet();
    const count = 100_000;
    for (let at = 0; at < count; at += 1) expect(set.add(text(`${at}`)) && set.size === at + 1).toBe(true);
    for (const at of [0, 1, 63, 64, 99_999]) {
      expect(set.add(text(`${at}`))).toBe(false);
      expect(set.indexOf(text(`${at}`))).toBe(at);
    }
    expect(set.has(text(`${count}`))).toBe(false);
    expect(set.has(new Uint8Array())).toBe(false);
    expect(set.size).toBe(count);
  });
});
