/** Connections of strangers to the provider's own listener: none stays for good, and none keeps it from closing. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { HostListener } from '../../src/data-plane/host-listener.ts';
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

it('behind the listener of the data plane it shows its own certificate and answers, before and after a restart', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-api-'));
  const [api, peer] = [join(folder, 'api'), join(folder, 'peer')];
  const listen = { host: '127.0.0.1', port: 0 };
  const listener = await HostListener.listen({ listen, api, peer, tunnels: (socket) => socket.destroy() });
  for (let starts = 0; starts < 2; starts += 1) {
    const behind = await createWorld({ path: api });
    const socket = connectTls({ ...listener.at, rejectUnauthorized: false, ALPNProtocols: ['mu-api/1', 'http/1.1'] });
    await once(socket, 'secureConnect');
    expect(socket.getPeerX509Certificate()?.raw).toEqual(Buffer.from(behind.identity.nodeCertificate.der));
    socket.end('GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 /);
    await eventually('the connection is gone', () => listener.size === 0);
    await behind.close();
  }
  await listener.close();
  rmSync(folder, { recursive: true });
});
