/** The data plane as the daemon starts it: a process of its own, with real sandboxes. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ServedLease } from '../../src/data-plane/plane.ts';
import { PlaneClient } from '../../src/data-plane/plane-client.ts';
import { type PlaneSettings, planeFiles } from '../../src/data-plane/settings.ts';
import { PlaneSupervisor } from '../../src/data-plane/supervisor.ts';
import { listenAtPath } from '../../src/network/listen.ts';
import { eventually } from '../network/support/eventually.ts';
import { echo } from '../workloads/modules.ts';
import { allowSeconds } from '../workloads/patience.ts';
import { parties, tunnelsOf } from './support/linked-planes.ts';

allowSeconds(120);

const folder = mkdtempSync(join(tmpdir(), 'mu-plane-'));
const settings: PlaneSettings = {
  folder: join(folder, 'plane'),
  gateway: { listen: { host: '127.0.0.1', port: 0 }, domain: '', limits: {} },
  host: {
    ...{ address: '127.0.0.1', port: 0, allowPrivatePeers: true },
    ...{ api: join(folder, 'api'), peer: join(folder, 'peer') },
  },
  hosts: { nameServers: [], reserved: [] },
  resolvers: [],
  functions: { maxInstances: 2 },
  orphanMs: 60_000,
};
const lines: string[] = [];
const start = (of: PlaneSettings = settings) =>
  PlaneSupervisor.start({
    settings: of,
    onLog: (_workload, stream, line) => void lines.push(`${stream} ${line}`),
    log: pino({ level: 'silent' }),
  });

let supervisor: PlaneSupervisor;
beforeAll(async () => {
  supervisor = await start();
});
afterAll(async () => {
  await supervisor.end();
  rmSync(folder, { recursive: true });
});

function served(): ServedLease {
  const file = join(folder, 'echo.wasm');
  writeFileSync(file, echo);
  const sha256 = createHash('sha256').update(echo).digest('hex');
  return {
    lease: '7',
    deployment: 'mu1owner/1',
    functions: [{ service: 'echo', file, sha256, memoryBytes: 4 * 1024 * 1024, timeoutMs: 20_000, env: {} }],
    gateways: [
      {
        label: 'label',
        service: 'gw',
        hosts: [],
        routes: [{ path: '/echo', methods: ['POST'], to: { kind: 'function', name: 'echo' } }],
      },
    ],
    workloads: [],
    relays: [],
    names: [],
  };
}

async function call(body: string): Promise<string> {
  const { host, port } = supervisor.gateway;
  return (await fetch(`http://${host}:${port}/~label/echo`, { method: 'POST', body })).text();
}

async function requests(): Promise<bigint> {
  const all = await supervisor.totals();
  const total = all.find(({ lease }) => lease === '7')?.totals.find(({ metric }) => metric === 'gateway-requests');
  return BigInt(total?.total ?? '0');
}

/** The process that serves now. */
async function pid(): Promise<number> {
  const link = await PlaneClient.connect(join(settings.folder, planeFiles.socket), () => {});
  const { pid: found } = await link.hello();
  link.close();
  return found;
}

test('it serves a lease, and goes on without the daemon: the next one finds it and what it counted', async () => {
  await supervisor.serve(served());
  expect(await call('one')).toBe('one');
  const before = await pid();
  const at = [supervisor.gateway, supervisor.host];
  await supervisor.leave();
  expect(await call('two')).toBe('two');
  supervisor = await start();
  expect([supervisor.gateway, supervisor.host]).toEqual(at);
  expect([await pid(), await supervisor.served()]).toEqual([before, ['7']]);
  expect(await requests()).toBe(2n);
  expect(lines.filter((line) => line.startsWith('request'))).toHaveLength(2);
});

test('it tells its operator how it stands', async () => {
  await supervisor.serve(served());
  const before = await supervisor.figures();
  const { host, port } = supervisor.gateway;
  expect((await fetch(`http://${host}:${port}/~nobody/`)).status).toBe(404);
  await call('four');
  const { gateway, relays, sandboxes } = await supervisor.figures();
  expect(gateway.requests - before.gateway.requests).toBe(2);
  expect(gateway.refusals['unknown_deployment']).toBe((before.gateway.refusals['unknown_deployment'] ?? 0) + 1);
  expect(relays).toMatchObject({ relays: 0, accepted: 0 });
  expect(sandboxes).toBeGreaterThan(0);
  await supervisor.withdraw('7');
});

test('it holds the provider’s listener: connections come to whichever daemon is there, and end where none is', async () => {
  const { host, port } = supervisor.host;
  const asked = (): Promise<string> =>
    text(
      connect(port, host)
        .on('error', () => {})
        .end('GET / HTTP/1.1\r\n\r\n'),
    );
  expect(await asked()).toBe('');
  for (const daemon of ['one', 'the next one']) {
    const server = createServer({ allowHalfOpen: true }, (socket) => socket.end(daemon).resume());
    await listenAtPath(server, settings.host.api);
    expect(await asked()).toBe(daemon);
    await new Promise((resolve) => server.close(resolve));
  }
});

test('killed, it is started again, serves what it served, and no request is counted twice', async () => {
  await supervisor.serve(served());
  const told = await requests();
  const old = await pid();
  process.kill(old, 'SIGKILL');
  // The supervisor's own calls wait until the next one serves.
  let again = await requests().catch(() => -1n);
  for (let tries = 0; again < 0n && tries < 50; tries += 1) again = await requests().catch(() => -1n);
  expect(await pid()).not.toBe(old);
  expect(again).toBe(told);
  expect(await call('three')).toBe('three');
  expect(await requests()).toBe(told + 1n);
});

test('tunnels are dialled at private addresses as far as its settings say', async () => {
  const peer = createServer((socket) => {
    dialled += 1;
    socket.destroy();
  });
  let dialled = 0;
  peer.listen(0, '127.0.0.1');
  await once(peer, 'listening');
  const { atWeb } = tunnelsOf(await parties(), 5432);
  const dial = { host: '127.0.0.1', port: (peer.address() as AddressInfo).port };
  const log = (): string => readFileSync(join(settings.folder, planeFiles.log), 'utf8');
  const linked = async (): Promise<void> => {
    await supervisor.serve({ ...served(), functions: [], gateways: [] });
    await supervisor.link('7', { tunnels: [{ ...atWeb, dial }], neighbours: [] });
  };
  const refusal = '127.0.0.1 is a private address';
  await linked();
  await eventually('the call', () => dialled > 0);
  expect(log()).not.toContain(refusal);
  await supervisor.leave();
  const { host } = settings;
  supervisor = await start({ ...settings, host: { ...host, allowPrivatePeers: false } });
  const before = dialled;
  await linked();
  await eventually('the refusal', () => log().includes(refusal));
  expect(dialled).toBe(before);
  await supervisor.withdraw('7');
  await new Promise((resolve) => peer.close(resolve));
});

test('with other settings the running one ends first, its counts on the disk', async () => {
  const told = await requests();
  await supervisor.leave();
  supervisor = await start({ ...settings, functions: { maxInstances: 1 } });
  expect(await supervisor.served()).toEqual([]);
  expect(await requests()).toBe(told);
});
