import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Bitfield } from '../../src/swarm/bitfield.ts';
import { slowTimes, swarmLimits } from '../../src/swarm/limits.ts';
import { PieceList } from '../../src/swarm/piece-list.ts';
import { Wanted } from '../../src/swarm/wanted.ts';
import { Window } from '../../src/swarm/window.ts';

test('a bitfield does what a set does, and comes back from its bytes', () => {
  const actions = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 36 })), { maxLength: 60 });
  fc.assert(
    fc.property(actions, (list) => {
      const [bits, set] = [new Bitfield(37), new Set<number>()];
      for (const [adds, piece] of list) {
        if (adds) expect(bits.add(piece)).toBe(!set.has(piece) && set.add(piece) === set);
        else expect(bits.delete(piece)).toBe(set.delete(piece));
      }
      const sorted = [...set].sort((a, b) => a - b);
      expect([...bits]).toEqual(sorted);
      expect(bits.size).toBe(set.size);
      expect([...(Bitfield.read(bits.toBytes(), 37) as Bitfield)]).toEqual(sorted);
    }),
    { seed: 1 },
  );
});

test('a bitfield of another length, or with spare bits, is refused', () => {
  expect(Bitfield.read(new Uint8Array(2), 17)).toBeUndefined();
  expect(Bitfield.read(new Uint8Array(3), 16)).toBeUndefined();
  expect(Bitfield.read(Uint8Array.from([0, 0x40]), 9)).toBeUndefined();
  expect(Bitfield.read(Uint8Array.from([0, 0x80]), 9)?.size).toBe(1);
  expect(Bitfield.full(9).isFull).toBe(true);
  expect(Bitfield.full(9).toBytes()).toEqual(Uint8Array.from([0xff, 0x80]));
  expect(() => new Bitfield(9).add(9)).toThrow(RangeError);
});

test('the pieces of all files are one list', () => {
  const list = new PieceList([
    { size: 600, pieceSize: 256 },
    { size: 1, pieceSize: 256 },
    { size: 512, pieceSize: 256 },
  ]);
  expect([list.count, list.bytes, list.largest]).toEqual([6, 1_113, 256]);
  expect(Array.from({ length: 6 }, (_, piece) => list.placeOf(piece))).toEqual([
    { file: 0, index: 0, bytes: 256 },
    { file: 0, index: 1, bytes: 256 },
    { file: 0, index: 2, bytes: 88 },
    { file: 1, index: 0, bytes: 1 },
    { file: 2, index: 0, bytes: 256 },
    { file: 2, index: 1, bytes: 256 },
  ]);
  for (const piece of [-1, 6, 0.5]) expect(() => list.placeOf(piece)).toThrow(RangeError);
});

test('files without bytes, and more pieces than a swarm has, are refused', () => {
  expect(() => new PieceList([{ size: 0, pieceSize: 1 }])).toThrow(/0 bytes/);
  expect(() => new PieceList([{ size: 1, pieceSize: 0 }])).toThrow(RangeError);
  expect(new PieceList([{ size: swarmLimits.pieces, pieceSize: 1 }]).count).toBe(swarmLimits.pieces);
  expect(() => new PieceList([{ size: swarmLimits.pieces + 1, pieceSize: 1 }])).toThrow(/larger pieces make fewer/);
});

test('the list of wanted pieces does what a set does', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 19 }))), (actions) => {
      const [wanted, set] = [new Wanted(20, (piece) => piece % 3 === 0), new Set([0, 3, 6, 9, 12, 15, 18])];
      for (const [adds, piece] of actions) {
        if (adds) {
          wanted.add(piece);
          set.add(piece);
        } else {
          wanted.delete(piece);
          set.delete(piece);
        }
      }
      expect([...wanted].sort((a, b) => a - b)).toEqual([...set].sort((a, b) => a - b));
      expect(wanted.size).toBe(set.size);
    }),
    { seed: 1 },
  );
});

test('a window widens while pieces do not hinder each other, narrows when they do, and keeps its bounds', () => {
  const window = new Window({ least: 2, most: 5, step: 0.5 });
  expect(window.size).toBe(2);
  for (let piece = 0; piece < 4; piece += 1) window.sample(100);
  expect(window.size).toBe(4);
  for (let piece = 0; piece < 20; piece += 1) window.sample(100);
  expect(window.size).toBe(5);
  window.sample(200);
  expect(window.size).toBe(4);
  for (let piece = 0; piece < 20; piece += 1) window.sample(250);
  expect(window.size).toBe(2);
});

test('what is slow is measured by what is usual', () => {
  const window = new Window({ least: 1, most: 2, step: 1 });
  expect(window.slowAfterMs(1_000)).toBe(1_000);
  expect(window.isHeldUp(1_000_000)).toBe(false);
  for (let piece = 0; piece < 60; piece += 1) window.sample(2_000);
  expect(window.slowAfterMs(1_000)).toBeCloseTo(2_000 * slowTimes, 0);
  expect(window.isHeldUp(2_400)).toBe(false);
  expect(window.isHeldUp(2_600)).toBe(true);
});
