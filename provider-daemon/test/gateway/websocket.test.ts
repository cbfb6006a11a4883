import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { WebSocket, WebSocketServer } from 'ws';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { GatewayLimits } from '../../src/gateway/limits.ts';
import { FrameFollower, goingAwayFrame } from '../../src/gateway/websocket-frames.ts';
import { instanceOf, opened, portOf, raw, received, until, wholeService } from './fixture.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function gatewayBefore(port: number, limits: Partial<GatewayLimits> = {}) {
  const lines: string[] = [];
  const gateway = new Gateway({ limits, onLog: (_, stream, line) => void lines.push(`${stream}: ${line}`) });
  open.push(gateway);
  const at = await gateway.listen({ host: '127.0.0.1', port: 0 });
  gateway.setRoutes('abc', wholeService('7', [instanceOf(port)]));
  return { gateway, port: at.port, url: `ws://127.0.0.1:${at.port}/~abc/chat`, lines };
}

/** A workload that sends back what it gets. */
async function echo(): Promise<number> {
  const server = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    handleProtocols: (offered) => [...offered][0] ?? false,
  });
  open.push({
    close: () => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  });
  server.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  await once(server, 'listening');
  return portOf(server);
}

/** A workload whose bytes the test writes itself, after it has agreed to a websocket. */
async function byHand(): Promise<{ port: number; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => {});
    socket.once('data', () => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
      sockets.push(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  });
  return { port: portOf(server), sockets };
}

const asking =
  'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** A connection through the gateway on which both have agreed. */
async function agreed(port: number, sockets: Socket[]) {
  const before = sockets.length;
  const client = await opened(port);
  const answers = received(client);
  client.write(asking);
  await until(() => answers.text().includes('\r\n\r\n'));
  await until(() => sockets.length > before);
  return { client, answers, workload: sockets[before]! };
}

describe('a websocket', () => {
  test('passes messages both ways with its protocol; their payload is counted', async () => {
    const { gateway, url, lines } = await gatewayBefore(await echo());
    const socket = new WebSocket(url, 'chat.v1');
    await once(socket, 'open');
    expect([socket.protocol, gateway.state().websockets]).toEqual(['chat.v1', 1]);
    for (const size of [5, 200, 70_000]) {
      socket.send(Buffer.alloc(size, 'x'));
      const [data] = (await once(socket, 'message')) as [Buffer];
      expect(data.length).toBe(size);
    }
    socket.close(1000);
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1000);
    await until(() => gateway.state().websockets === 0 && lines.length > 0);
    // Each message twice, and the code of the close frame of each side.
    expect(gateway.takeUsage('abc')).toEqual({ requests: 1n, bytes: 2n * (5n + 200n + 70_000n) + 4n });
    expect(lines[0]).toMatch(/^request: GET \/chat 101/);
  });

  test('the end of one direction leaves the other open', async () => {
    const { port: behind, sockets } = await byHand();
    const { port } = await gatewayBefore(behind);
    const { client, answers, workload } = await agreed(port, sockets);
    const end = once(workload, 'end');
    client.end(Buffer.from([0x81, 0x01, 0x61]));
    await end;
    workload.end(Buffer.from([0x81, 0x01, 0x62]));
    expect((await answers.ended).endsWith('\x81\x01b')).toBe(true);
  });

  test('what the workload refuses is its answer, and the connection ends', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => socket.write('HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push(server);
    const { port, gateway } = await gatewayBefore(portOf(server));
    expect(await raw(port, asking)).toMatch(/^HTTP\/1\.1 403 .*connection: close.*\r\n\r\nno$/is);
    gateway.setRoutes('abc', { ...wholeService('7', []) });
    expect(await raw(port, asking)).toMatch(/^HTTP\/1\.1 503 /);
    gateway.setRoutes('abc', {
      ...wholeService('7', []),
      routes: [{ path: '/...', methods: [], to: { kind: 'function', name: 'f' } }],
    });
    expect(await raw(port, asking)).toMatch(/^HTTP\/1\.1 400 .*no_websocket/s);
  });

  test('one above the deployment’s number is refused, the others go on', async () => {
    const { port: behind, sockets } = await byHand();
    const { port } = await gatewayBefore(behind, { websocketsPerDeployment: 1 });
    const first = await agreed(port, sockets);
    expect(await raw(port, asking)).toMatch(/^HTTP\/1\.1 429 .*retry-after: 1/is);
    first.workload.write(Buffer.from([0x81, 0x01, 0x62]));
    await until(() => first.answers.text().endsWith('\x81\x01b'));
    first.client.destroy();
  });

  /** A workload that agrees when the test says so. */
  async function hesitant() {
    const waiting: Socket[] = [];
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', () => void waiting.push(socket));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    open.push({
      close: () => {
        for (const socket of waiting) socket.destroy();
        server.close();
      },
    });
    const agree = () => {
      for (const socket of waiting)
        socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    };
    return { port: portOf(server), waiting, agree };
  }

  test('of many that are agreed on at the same time, none is above the number', async () => {
    const workload = await hesitant();
    const { port, gateway } = await gatewayBefore(workload.port, { websocketsPerDeployment: 1 });
    const clients = [await opened(port), await opened(port), await opened(port)];
    const answers = clients.map(received);
    for (const client of clients) client.write(asking);
    await until(() => workload.waiting.length === 3);
    workload.agree();
    await until(() => answers.every(({ text }) => text().includes('\r\n\r\n')));
    expect(answers.map(({ text }) => text().slice(9, 12)).sort()).toEqual(['101', '429', '429']);
    expect(gateway.state().websockets).toBe(1);
    for (const client of clients) client.destroy();
  });

  test('one that is agreed on while the gateway drains is told to go as well', async () => {
    const workload = await hesitant();
    const { port, gateway } = await gatewayBefore(workload.port);
    const client = await opened(port);
    const answer = received(client);
    client.write(asking);
    await until(() => workload.waiting.length === 1);
    const drained = gateway.drain(60_000);
    workload.agree();
    await until(() => answer.text().endsWith(goingAwayFrame('server').toString('latin1')));
    await drained;
    client.destroy();
  });

  test('one on which nothing happens is closed with 1001', async () => {
    const { url } = await gatewayBefore(await echo(), { websocketIdleMs: 100 });
    const socket = new WebSocket(url);
    await once(socket, 'open');
    const [code] = (await once(socket, 'close')) as [number];
    expect(code).toBe(1001);
  });

  test('a drain closes with 1001 at the end of a frame, towards both sides', async () => {
    const { port: behind, sockets } = await byHand();
    const { port, gateway } = await gatewayBefore(behind);
    const { client, answers, workload } = await agreed(port, sockets);
    const atWorkload = received(workload);
    // A frame of three bytes of which one has come yet: nothing may be put between them.
    workload.write(Buffer.from([0x82, 0x03, 0x61]));
    await until(() => answers.text().endsWith('\x82\x03a'));
    const drained = gateway.drain(5_000);
    await until(() => atWorkload.text().endsWith(goingAwayFrame('client').toString('latin1')));
    expect(answers.text().endsWith('\x82\x03a')).toBe(true);
    workload.write(Buffer.from([0x62, 0x63]));
    await until(() => answers.text().endsWith(`\x82\x03abc${goingAwayFrame('server').toString('latin1')}`));
    workload.end();
    client.end();
    await drained;
  });

  test('another protocol is ignored, and the request is answered', async () => {
    const { port } = await gatewayBefore(await echo());
    const answer = await raw(
      port,
      'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, close\r\nUpgrade: h2c\r\n\r\n',
    );
    // `ws` answers a request that asks for no websocket.
    expect(answer).toMatch(/^HTTP\/1\.1 426 /);
  });
});

describe('frames', () => {
  const frames = [
    Buffer.from([0x81, 0x00]),
    Buffer.from([0x81, 0x02, 0x61, 0x62]),
    Buffer.from([0x82, 0x83, 1, 2, 3, 4, 0x61, 0x62, 0x63]),
    Buffer.concat([Buffer.from([0x82, 126, 0x01, 0x00]), Buffer.alloc(256)]),
    Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 9, 9, 9, 9]), Buffer.alloc(65_536)]),
  ];

  test.each([1, 2, 3, 7, 1000, 100_000])('are followed however they are cut: pieces of %d bytes', (size) => {
    const all = Buffer.concat(frames);
    const follower = new FrameFollower();
    let payload = 0;
    for (let at = 0; at < all.length; at += size) payload += follower.push(all.subarray(at, at + size));
    expect([payload, follower.isBetweenFrames, follower.hasClosed]).toEqual([0 + 2 + 3 + 256 + 65_536, true, false]);
    expect(follower.push(goingAwayFrame('client'))).toBe(2);
    expect([follower.isBetweenFrames, follower.hasClosed]).toEqual([true, true]);
  });

  test('where one is not complete, nothing fits in', () => {
    const follower = new FrameFollower();
    for (const byte of [0x82, 0x83, 1, 2, 3, 4, 0x61, 0x62]) {
      follower.push(Uint8Array.of(byte));
      expect(follower.isBetweenFrames).toBe(false);
    }
    follower.push(Uint8Array.of(0x63));
    expect(follower.isBetweenFrames).toBe(true);
  });
});
