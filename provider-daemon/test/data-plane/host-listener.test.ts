/** The provider's own listener, with real sockets on 127.0.0.1 and in a folder. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { HostListener, type HostListenerLimits } from '../../src/data-plane/host-listener.ts';
import { eventually } from '../network/support/eventually.ts';
import { credentials, endOf, makeProvider } from '../overlay/support/providers.ts';
import { counted } from '../support/surroundings.ts';

let folder: string;
const undo: (() => unknown)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-host-'));
});
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
  rmSync(folder, { recursive: true });
});

async function listening(server: Server, path: string): Promise<void> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => {})));
  server.listen(path);
  await once(server, 'listening');
  undo.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
}

async function tlsServer(name: string) {
  const at = await makeProvider('mu1web0000000000', counted(Date.now()));
  const { key, cert } = await credentials(at, endOf(at, 'web'), counted(Date.now()));
  return createTlsServer({ key, cert, ALPNProtocols: ['mu-tunnel/1', 'mu-peer/1', 'http/1.1'] }, (socket) => {
    socket.on('error', () => {});
    socket.write(`${name}: `);
    socket.pipe(socket);
  });
}

interface World {
  readonly listener: HostListener;
  readonly tunnels: Socket[];
}

async function world(limits: Partial<HostListenerLimits> = {}): Promise<World> {
  const tunnels: Socket[] = [];
  const server = await tlsServer('tunnel');
  const listener = await HostListener.listen({
    listen: { host: '127.0.0.1', port: 0 },
    tunnels: (socket) => {
      tunnels.push(socket);
      server.emit('connection', socket);
    },
    ...{ api: join(folder, 'api'), peer: join(folder, 'peer'), limits },
  });
  undo.push(() => listener.close());
  return { listener, tunnels };
}

const ask = (listener: HostListener, protocols: readonly string[]): Promise<string> => {
  const socket = connectTls({ ...listener.at, ALPNProtocols: [...protocols], rejectUnauthorized: false });
  socket.end('a question');
  return text(socket);
};

/** However it ends. */
const closed = (socket: Socket): Promise<void> => new Promise((resolve) => socket.once('close', () => resolve()));
const plain = (listener: HostListener): Socket => connect(listener.at.port, '127.0.0.1').on('error', () => {});

test('each protocol comes to those that speak it, and all else to the API', async () => {
  const { listener, tunnels } = await world();
  await listening(await tlsServer('api'), join(folder, 'api'));
  await listening(await tlsServer('peer'), join(folder, 'peer'));
  expect(await ask(listener, ['mu-tunnel/1'])).toBe('tunnel: a question');
  expect(await ask(listener, ['mu-peer/1'])).toBe('peer: a question');
  expect(await ask(listener, ['http/1.1'])).toBe('api: a question');
  expect(await ask(listener, [])).toBe('api: a question');
  expect(tunnels).toHaveLength(1);
  await eventually('they have gone', () => listener.size === 0);
});

test('a handshake that comes in pieces is carried on whole', async () => {
  const { listener } = await world();
  // Cuts what a client sends into single bytes.
  const slow = createServer({ allowHalfOpen: true }, (socket) => {
    const far = connect({ port: listener.at.port, host: '127.0.0.1', allowHalfOpen: true });
    far.setNoDelay(true).pipe(socket);
    socket.on('data', (chunk: Buffer) => {
      for (const byte of chunk) far.write(Buffer.from([byte]));
    });
    socket.on('end', () => far.end());
    for (const one of [socket, far]) one.on('error', () => {});
  }).listen(0, '127.0.0.1');
  await once(slow, 'listening');
  undo.push(() => slow.close());
  const { port } = slow.address() as { port: number };
  const socket = connectTls({ host: '127.0.0.1', port, ALPNProtocols: ['mu-tunnel/1'], rejectUnauthorized: false });
  socket.end('a question');
  expect(await text(socket)).toBe('tunnel: a question');
});

test('a client that ends first is answered all the same, and what is no TLS comes to the API as it is', async () => {
  const { listener } = await world();
  await listening(
    createServer(
      { allowHalfOpen: true },
      (socket) => void text(socket).then((all) => socket.end(`${all.length} bytes`)),
    ),
    join(folder, 'api'),
  );
  const socket = connect({ port: listener.at.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.end(Buffer.alloc(200_000, 'x'));
  expect(await text(socket)).toBe('200000 bytes');
});

test('a client that breaks off breaks its connection to the daemon, and no other', async () => {
  const { listener } = await world();
  const api = createServer((socket) => void socket.resume());
  await listening(api, join(folder, 'api'));
  const carried = async (client: Socket): Promise<Socket> => {
    client.write('hello?');
    return (await once(api, 'connection'))[0] as Socket;
  };
  const broken = plain(listener);
  const end = closed(await carried(broken));
  broken.resetAndDestroy();
  await end;
  // The same where the listener itself ends. A socket at a path knows no reset.
  const left = plain(listener);
  const ends = Promise.all([closed(left), closed(await carried(left))]);
  await listener.close();
  await ends;
});

test('while the daemon is away, its connections end; when it is back, the next ones are carried', async () => {
  const { listener } = await world();
  const away = plain(listener);
  away.write('hello?');
  await closed(away);
  expect(await ask(listener, ['mu-tunnel/1'])).toBe('tunnel: a question');
  await listening(await tlsServer('api'), join(folder, 'api'));
  expect(await ask(listener, ['http/1.1'])).toBe('api: a question');
  await eventually('they have gone', () => listener.size === 0);
});

test('who says nothing is left, and gives way to others before that', async () => {
  const { listener } = await world({ helloMs: 20 });
  await closed(plain(listener));
  const patient = await world({ maxConnections: 2 });
  const silent = plain(patient.listener);
  await eventually('it has come in', () => patient.listener.size === 1);
  expect(await ask(patient.listener, ['mu-tunnel/1'])).toBe('tunnel: a question');
  await eventually('it has gone', () => patient.listener.size === 1);
  const second = plain(patient.listener);
  await eventually('it has come in', () => patient.listener.size === 2);
  const end = closed(silent);
  const third = plain(patient.listener);
  await end;
  expect([second.destroyed, third.destroyed, patient.listener.size]).toEqual([false, false, 2]);
});

test('those that are open count, and one more than may be is cut', async () => {
  const { listener } = await world({ maxConnections: 1 });
  const socket = connectTls({ ...listener.at, ALPNProtocols: ['mu-tunnel/1'], rejectUnauthorized: false });
  expect((await once(socket, 'data'))[0].toString()).toBe('tunnel: ');
  await closed(plain(listener));
  socket.write('still here');
  expect((await once(socket, 'data'))[0].toString()).toBe('still here');
  socket.destroy();
});

test('its end cuts what is open, and frees the address', async () => {
  const { listener } = await world();
  const { port } = listener.at;
  const socket = connectTls({ ...listener.at, ALPNProtocols: ['mu-tunnel/1'], rejectUnauthorized: false });
  socket.on('error', () => {});
  await once(socket, 'data');
  const end = closed(socket);
  await listener.close();
  await end;
  const again = createServer().listen(port, '127.0.0.1');
  await once(again, 'listening');
  again.close();
});
