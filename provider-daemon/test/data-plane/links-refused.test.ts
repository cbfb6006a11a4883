/** Two tunnels that stand, and a far side that takes no connection: who has refused is tried last for a while. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
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

test('a refused connection is given to the next peer, where later ones go; to the first again when its time is over', async () => {
  const { relayPort, caller, callee, second, timers } = await two(
    { serve: (socket) => void text(socket).then((question) => socket.end(`the first: ${question}`)) },
    (socket) => void text(socket).then((question) => socket.end(`the second: ${question}`)),
  );
  expect(await ask(relayPort, '?')).toBe('the first: ?');
  await callee.plane.place('2', nobody);
  const side = Array.from({ length: 20 }, (_none, at) => ask(relayPort, `${at}`));
  expect(await Promise.all(side)).toEqual(side.map((_none, at) => `the second: ${at}`));
  const refused = (await callee.plane.figures()).tunnels.failed;
  expect(await ask(relayPort, 'later')).toBe('the second: later');
  expect((await callee.plane.figures()).tunnels.failed).toBe(refused);
  await callee.plane.place('2', there);
  expect(await ask(relayPort, '?')).toBe('the second: ?');
  timers.advance(wayHealthLimits.firstMs);
  expect(await ask(relayPort, '?')).toBe('the first: ?');
  for (const { plane } of [callee, second]) await plane.place('2', nobody);
  for (let calls = 0; calls < 2; calls += 1) await expect(ask(relayPort, '?')).rejects.toThrow(/ECONNRESET/);
  // Nothing is refused because of what was.
  await callee.plane.place('2', there);
  expect(await ask(relayPort, '?')).toBe('the first: ?');
  await eventually('their end', async () => (await caller.plane.figures()).tunnels.streams === 0);
});

test('what is carried between two peers that both take it is whole both ways', async () => {
  const { relayPort } = await two({}, (socket) => void socket.pipe(socket));
  const question = 'x'.repeat(3_000_000);
  expect((await ask(relayPort, question)).length).toBe(question.length);
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
