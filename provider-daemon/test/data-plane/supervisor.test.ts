/** The supervisor against a data plane that is a socket of the test's own, and dies when the test says so. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ServedLinks } from '../../src/data-plane/links.ts';
import type { ServedLease } from '../../src/data-plane/plane.ts';
import { type PlaneSettings, planeFiles, settingsDigest } from '../../src/data-plane/settings.ts';
import { PlaneSupervisor } from '../../src/data-plane/supervisor.ts';
import { encode, MessageReader, type Request, wireVersion } from '../../src/data-plane/wire.ts';
import { eventually } from '../network/support/eventually.ts';

const lease: ServedLease = {
  ...{ lease: '7', deployment: 'mu1owner/1', functions: [], gateways: [], workloads: [], relays: [], names: [] },
};

let folder: string;
let settings: PlaneSettings;
const connections = new Set<Socket>();
/** Leases that were served, and what is done with the next one. */
let served: string[];
/** What else was told, in its order. */
let told: unknown[];
let next: 'answer' | 'die' | 'refuse links';

const server = () =>
  createServer((socket) => {
    connections.add(socket);
    const reader = new MessageReader();
    socket.on('error', () => {});
    socket.on('close', () => connections.delete(socket));
    socket.on('data', (chunk) => {
      for (const { id, method, params } of reader.push(chunk as Buffer) as Request[]) {
        if (method === 'serve') served.push((params[0] as ServedLease).lease);
        if (method === 'link' || method === 'view') told.push([method, ...params]);
        if (method === 'serve' && next === 'die') {
          next = 'answer';
          socket.destroy();
          return;
        }
        const greeting = {
          version: wireVersion,
          pid: 1,
          settings: settingsDigest(settings),
          gateway: { host: '', port: 1 },
          host: { host: '', port: 2 },
        };
        if (method === 'link' && next === 'refuse links') {
          socket.write(encode({ id, error: { message: 'no certificate' } }));
          continue;
        }
        socket.write(encode({ id, result: method === 'hello' ? greeting : method === 'served' ? served : null }));
      }
    });
  });
let plane: ReturnType<typeof server>;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-supervisor-'));
  settings = {
    folder,
    gateway: { listen: { host: '127.0.0.1', port: 0 }, domain: '', limits: {} },
    host: { address: '127.0.0.1', port: 0, api: '/nowhere/api', peer: '/nowhere/peer', allowPrivatePeers: true },
    hosts: { nameServers: [], reserved: [] },
    resolvers: [],
    functions: { maxInstances: 1 },
    orphanMs: 60_000,
  };
  [served, told, next] = [[], [], 'answer'];
  plane = server();
  await new Promise<void>((resolve) => plane.listen(join(folder, planeFiles.socket), resolve));
});
afterEach(async () => {
  for (const socket of connections) socket.destroy();
  await new Promise((resolve) => plane.close(resolve));
  rmSync(folder, { recursive: true });
});

test('one that dies while it is told again what to serve is replaced once', async () => {
  const said: string[] = [];
  const say = (_: unknown, message: string) => void said.push(message);
  const log = { info: say, warn: say, error: say };
  const supervisor = await PlaneSupervisor.start({ settings, onLog: () => {}, log: log as never });
  await supervisor.serve(lease);
  next = 'die';
  for (const socket of connections) socket.destroy();
  await eventually('it has died again', () => served.length === 2);
  await supervisor.withdraw('8');
  expect(served).toEqual(['7', '7', '7']);
  expect(said.filter((message) => message.includes('is gone'))).toHaveLength(1);
  expect(connections.size).toBe(1);
  await supervisor.leave();
});

test('the next one is told the view of the chain and all links again, and none of a lease that is over', async () => {
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const supervisor = await PlaneSupervisor.start({ settings, onLog: () => {}, log: log as never });
  const caller = { infrastructure: 'web-infra', workload: 'web' };
  const links: ServedLinks = { tunnels: [], neighbours: [{ far: 'db/main', protocol: 'tcp', lease: '8', caller }] };
  const view = { height: '100', verifiedAtMs: 1000 };
  expect(supervisor.host).toEqual({ host: '', port: 2 });
  for (const one of ['7', '8']) {
    await supervisor.serve({ ...lease, lease: one });
    await supervisor.link(one, { ...links, tunnels: [] });
  }
  await supervisor.link('7', links);
  await supervisor.view({ ...view, height: '99' });
  await supervisor.view(view);
  await supervisor.withdraw('8');
  [served, told] = [[], []];
  for (const socket of connections) socket.destroy();
  await eventually('it is told again', () => told.length === 2);
  await supervisor.served();
  expect([served, told]).toEqual([
    ['7'],
    [
      ['view', view],
      ['link', '7', links],
    ],
  ]);
  await supervisor.leave();
});

test('links that were told before their lease was served are told to the data plane that serves it', async () => {
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const supervisor = await PlaneSupervisor.start({ settings, onLog: () => {}, log: log as never });
  const links = { tunnels: [], neighbours: [] };
  await supervisor.open('7', { relays: [], names: [] });
  await supervisor.link('7', links);
  for (const socket of connections) socket.destroy();
  await eventually('it has gone', () => connections.size === 0);
  await eventually('the next one', () => connections.size === 1);
  await supervisor.serve(lease);
  expect(told).toEqual([
    ['link', '7', links],
    ['link', '7', links],
  ]);
  await supervisor.serve(lease);
  expect(told).toHaveLength(2);
  // Nor is it relied on what a data plane was told of a lease that it may not have known.
  await supervisor.link('8', links);
  await supervisor.serve({ ...lease, lease: '8' });
  expect(told.slice(2)).toEqual([
    ['link', '8', links],
    ['link', '8', links],
  ]);
  await supervisor.leave();
});

test('a lease whose links are refused is served all the same, and that is said', async () => {
  const said: unknown[] = [];
  const log = { info: () => {}, warn: () => {}, error: (about: unknown) => said.push(about) };
  const supervisor = await PlaneSupervisor.start({ settings, onLog: () => {}, log: log as never });
  next = 'refuse links';
  await expect(supervisor.link('7', { tunnels: [], neighbours: [] })).rejects.toThrow('no certificate');
  await supervisor.serve(lease);
  expect([served, said]).toEqual([['7'], [{ lease: '7', reason: 'no certificate' }]]);
  await supervisor.leave();
});
