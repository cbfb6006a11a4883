/** Two tunnels that stand, and a far side that takes no connection: who has refused is tried last for a while. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterEach, expect, test } from '@jest/globals';
import { wayHealthLimits } from '../../src/data-plane/way-health.ts';
import { eventually } from '../network/support/eventually.ts';
import { undo, undoAll } from '../overlay/support/sessions.ts';
import {
  ask,
  elsewhere,
  type Node,
  udpInstance,
  type World,
  type WorldOptions,
  world,
} from './support/linked-planes.ts';

afterEach(undoAll);

const there = [{ service: 'db', instances: [{ address: '127.0.0.1', ready: true }] }];
const nobody = [{ service: 'db', instances: [] }];

/** Two providers of `db`; the first one is called first. */
async function two(options: WorldOptions, at: Parameters<typeof elsewhere>[1]): Promise<World & { second: Node }> {
  const made = await world(options);
  const { next: second, atWeb } = await elsewhere(made, at);
  await made.caller.plane.link('1', { tunnels: [made.atWeb, atWeb], neighbours: [] });
  await eventually('both tunnels', async () => (await made.caller.plane.figures()).tunnels.up === 2);
  return { ...made, second };
}

test('connections go to the next peer after one was refused, and to the first again when its time is over', async () => {
  const { relayPort, callee, second, timers } = await two({ serve: (socket) => socket.end('the first') }, (socket) =>
    socket.end('the second'),
  );
  expect(await ask(relayPort, '?')).toBe('the first');
  await callee.plane.place('2', nobody);
  await expect(ask(relayPort, '?')).rejects.toThrow(/ECONNRESET/);
  expect(await Promise.all(Array.from({ length: 20 }, () => ask(relayPort, '?')))).toEqual(
    Array(20).fill('the second'),
  );
  await callee.plane.place('2', there);
  expect(await ask(relayPort, '?')).toBe('the second');
  timers.advance(wayHealthLimits.firstMs);
  expect(await ask(relayPort, '?')).toBe('the first');
  for (const { plane } of [callee, second]) await plane.place('2', nobody);
  for (let calls = 0; calls < 2; calls += 1) await expect(ask(relayPort, '?')).rejects.toThrow(/ECONNRESET/);
  // Nothing is refused because of what was.
  await callee.plane.place('2', there);
  expect(await ask(relayPort, '?')).toBe('the first');
});

test('so do datagrams: the next one of a source whose first one nobody took', async () => {
  const { relayPort, caller, callee } = await two({ protocol: 'udp' }, await udpInstance('the second: '));
  const socket = createSocket('udp4');
  undo.push(() => socket.close());
  await callee.plane.place('2', nobody);
  socket.send('?', relayPort, '127.0.0.1');
  await eventually('the refusal', async () => {
    const { relays } = await caller.plane.figures();
    return relays.accepted === 1 && relays.open === 0;
  });
  const answer = once(socket, 'message');
  socket.send('!', relayPort, '127.0.0.1');
  expect(String((await answer)[0])).toBe('the second: !');
});
