/** Connections of strangers to the provider's own listener: none stays for good, and none keeps it from closing. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { eventually } from '../network/support/eventually.ts';
import { createWorld, type World } from './fixture.ts';

let world: World;
const undo: (() => unknown)[] = [];
beforeEach(async () => {
  world = await createWorld();
});
afterEach(async () => {
  for (const step of undo.splice(0)) step();
  await world.close();
});

/** Never ends its side by itself. */
async function stranger(): Promise<Socket> {
  const socket = connect({ port: world.server.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  undo.push(() => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

it('a refused upgrade ends its connection, whether the client ends its side or not', async () => {
  const raw = await stranger();
  const socket = connectTls({ socket: raw, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  const answer = once(socket, 'data');
  socket.write('GET /v1/none HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n');
  expect(String((await answer)[0])).toMatch(/^HTTP\/1\.1 404 /);
  // Where nobody is left, what is still sent is answered by a reset.
  await eventually('the connection is gone', () => {
    if (raw.writable) raw.write('x');
    return raw.destroyed;
  });
});

it('closes soon, whatever a connection that never said anything does', async () => {
  await stranger();
  const began = performance.now();
  await world.server.close();
  expect(performance.now() - began).toBeLessThan(10_000);
});
