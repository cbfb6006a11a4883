import { expect, test } from '@jest/globals';
import { type Message, Outbox, unpackMessages } from '../../src/threads/batch.ts';

const message = (id: number, bytes: Uint8Array): Message => ({ id, kind: 1, bytes });

test('what is sent in one turn arrives in its order; a large message in its own memory, smaller ones together', () => {
  const sent: (ArrayBuffer | Message)[] = [];
  const owned: ArrayBuffer[] = [];
  const outbox = new Outbox((one, memory) => {
    sent.push(one);
    owned.push(memory);
  });
  const large = new Uint8Array(20 * 1_048_576).fill(3);
  // As a frame is read: the body stands behind a short header in memory of its own.
  const body = large.subarray(10);
  const shared = large.subarray(0, 17 * 1_048_576);
  outbox.add(message(1, Uint8Array.of(1)));
  outbox.add(message(2, Uint8Array.of()));
  outbox.add(message(3, body));
  outbox.add(message(4, shared));
  outbox.add(message(5, Uint8Array.of(5)));
  outbox.flush();
  expect(sent).toHaveLength(3);
  expect(owned[1]).toBe(large.buffer);
  // One that shares its memory with others is copied.
  expect(owned[2]).not.toBe(large.buffer);
  const arrived = sent.flatMap((one) => [...unpackMessages(one)]);
  expect(arrived.map(({ id, bytes }) => [id, bytes.length])).toEqual([
    [1, 1],
    [2, 0],
    [3, body.length],
    [4, shared.length],
    [5, 1],
  ]);
  expect(arrived[4]?.bytes).toEqual(Uint8Array.of(5));
});
