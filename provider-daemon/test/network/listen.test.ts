import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { listenAlone, listenAtPath, listenBeside } from '../../src/network/listen.ts';
import { listenTcp } from '../../src/network/relay.ts';

const open: Server[] = [];
afterEach(() => Promise.all(open.splice(0).map((server) => new Promise((resolve) => server.close(resolve)))));

function saying(text: string): Server {
  const server = createServer((socket) => socket.end(text));
  open.push(server);
  return server;
}

const ask = (host: string, port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    const socket = connect({ host, port });
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('end', () => resolve(text)).on('error', reject);
  });

const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
};

/** A port that nobody has now. */
async function freePort(): Promise<number> {
  const server = createServer();
  await listenBeside(server, { host: '0.0.0.0', port: 0 });
  const port = portOf(server);
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('whoever has a port at all addresses leaves one address of it to another, who gets what is for that address', async () => {
  const port = await freePort();
  await listenAlone(saying('all'), { host: '0.0.0.0', port });
  await listenBeside(saying('one'), { host: '127.0.0.2', port });
  expect(await ask('127.0.0.1', port)).toBe('all');
  expect(await ask('127.0.0.2', port)).toBe('one');
});

test('a relay stands beside a gateway that has its port', async () => {
  const port = await freePort();
  await listenAlone(saying('gateway'), { host: '0.0.0.0', port });
  const route = { open: () => Promise.reject(new Error('nobody')) };
  const relay = await listenTcp({ listen: { address: '127.0.0.3', port }, route });
  expect(await ask('127.0.0.1', port)).toBe('gateway');
  await relay.close(0);
});

test('two that must each be alone are not at one address', async () => {
  const port = await freePort();
  await listenAlone(saying('first'), { host: '127.0.0.1', port });
  await expect(listenAlone(saying('second'), { host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'EADDRINUSE',
  });
  open.pop();
});

test('at a path one takes the place of what a process that is gone has left there; only its user may connect', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-listen-'));
  const path = join(folder, 'socket');
  writeFileSync(path, '');
  await listenAtPath(saying('here'), path);
  expect(await text(connect(path))).toBe('here');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  await expect(listenAtPath(saying('nowhere'), join(folder, 'none', 'socket'))).rejects.toMatchObject({
    code: 'EACCES',
  });
  rmSync(folder, { recursive: true });
});
