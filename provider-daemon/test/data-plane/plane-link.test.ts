import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { ServedLinks } from '../../src/data-plane/links.ts';
import type { Plane, PlaneFigures } from '../../src/data-plane/plane.ts';
import { PlaneClient, PlaneGone } from '../../src/data-plane/plane-client.ts';
import { maxWaitingLines, PlaneServer } from '../../src/data-plane/plane-server.ts';
import { type LogEvent, MessageReader, maxMessageBytes } from '../../src/data-plane/wire.ts';
import { WorkloadError } from '../../src/workloads/driver.ts';
import { eventually } from '../network/support/eventually.ts';

let folder: string;
let path: string;
let nowMs: number;
let server: PlaneServer;
let asked: unknown[];
let stops: number;
const lines: string[] = [];

const plane: Plane = {
  open: async (lease, ways) => void asked.push([lease, ways]),
  serve: async (lease) => {
    if (lease.lease === '13') throw new WorkloadError('invalid', 'the artifact is empty');
    asked.push(lease);
  },
  place: async (lease, workloads) => void asked.push([lease, workloads]),
  link: async (lease, links) => void asked.push([lease, links]),
  view: async (view) => void asked.push(view),
  drain: async (lease, addresses) => void asked.push([lease, addresses]),
  withdraw: () => new Promise(() => {}),
  served: async () => ['1'],
  totals: async () => [{ lease: '1', totals: [{ service: 's', metric: 'm', total: (1n << 80n).toString() }] }],
  forget: async (lease) => void asked.push(lease),
  figures: async () => figures,
};
const figures: PlaneFigures = {
  gateway: { connections: 1, calls: 2, websockets: 3, refusedConnections: 4, requests: 5, refusals: { busy: 6 } },
  relays: { relays: 1, open: 2, accepted: 3, refused: 4, failed: 5, receivedBytes: 6, sentBytes: 7 },
  tunnels: { up: 1, down: 2, streams: 3, opened: 4, failed: 5, receivedBytes: 6, sentBytes: 7, refusedPeers: 8 },
  sandboxes: 8,
};
const caller = { infrastructure: 'web-infra', workload: 'web' };
const links: ServedLinks = {
  ...{ tunnels: [], neighbours: [{ far: 'db/main', protocol: 'tcp', lease: '2', caller }] },
  offers: [{ far: 'web/http', protocol: 'tcp', service: 'web', port: 80, callers: [caller] }],
};
const lease = { lease: '1', deployment: 'o/1', functions: [], gateways: [], workloads: [], relays: [], names: [] };

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-link-'));
  path = join(folder, 'socket');
  nowMs = 1000;
  asked = [];
  stops = 0;
  lines.length = 0;
  const greeting = { settings: 'digest', gateway: { host: '127.0.0.1', port: 80 }, host: { host: '::', port: 8443 } };
  const onStop = async () => {
    stops += 1;
  };
  server = new PlaneServer({ plane, path, greeting, onStop }, () => nowMs);
  await server.listen();
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const connect = () =>
  PlaneClient.connect(
    path,
    ({ deployment, service }, stream, line) => void lines.push(`${deployment}/${service} ${stream} ${line}`),
  );

test('what the daemon asks is answered, large numbers and all; only its user may connect', async () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const client = await connect();
  expect(await client.hello()).toMatchObject({
    settings: 'digest',
    gateway: { port: 80 },
    host: { port: 8443 },
    pid: process.pid,
  });
  await client.serve(lease);
  await client.place('1', [{ service: 'web', instances: [{ address: '10.0.0.2', ready: true }] }]);
  await client.link('1', links);
  await client.view({ height: '7', verifiedAtMs: 1000 });
  await client.forget('2');
  expect(asked).toEqual([
    lease,
    ['1', [{ service: 'web', instances: [{ address: '10.0.0.2', ready: true }] }]],
    ['1', links],
    { height: '7', verifiedAtMs: 1000 },
    '2',
  ]);
  expect(await client.served()).toEqual(['1']);
  expect((await client.totals())[0]?.totals[0]?.total).toBe((1n << 80n).toString());
  expect(await client.figures()).toEqual(figures);
  await client.stop();
  expect(stops).toBe(1);
  client.close();
});

test('a refusal keeps its reason over the link', async () => {
  const client = await connect();
  const refused = client.serve({ ...lease, lease: '13' });
  await expect(refused).rejects.toMatchObject({
    name: 'WorkloadError',
    reason: 'invalid',
    message: 'the artifact is empty',
  });
  client.close();
});

test('log lines wait for a daemon that is away, and come to the next one in their order', async () => {
  server.log({ deployment: '1', service: 'f' }, 'stderr', 'while away');
  nowMs += 5000;
  expect(server.aloneMs()).toBe(5000);
  const client = await connect();
  await client.hello();
  expect(server.aloneMs()).toBe(0);
  server.log({ deployment: '1', service: 'f' }, 'request', 'now');
  await client.hello();
  expect(lines).toEqual(['1/f stderr while away', '1/f request now']);
  client.close();
});

test('who only looks whether somebody listens takes no line away', async () => {
  server.log({ deployment: '1', service: 'f' }, 'stderr', 'while away');
  const probe = createConnection(path);
  await once(probe, 'connect');
  nowMs += 5000;
  await eventually('it has come in', () => server.aloneMs() === 0);
  probe.destroy();
  await eventually('it has gone', () => {
    nowMs += 1;
    return server.aloneMs() > 0;
  });
  const client = await connect();
  await client.hello();
  expect(lines).toEqual(['1/f stderr while away']);
  client.close();
});

test('a daemon that stands still holds so many lines back and no more; the newest arrive in their order', async () => {
  const daemon = createConnection(path);
  daemon.write(`{"id":1,"method":"hello","params":[]}\n`);
  await once(daemon, 'data');
  daemon.pause();
  const sent = 3 * maxWaitingLines;
  const line = (at: number) => `${at} ${'x'.repeat(1000)}`;
  for (let at = 0; at < sent; at += 1) server.log({ deployment: '1', service: 'f' }, 'stdout', line(at));
  const reader = new MessageReader();
  const got: number[] = [];
  daemon.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk) as LogEvent[]) got.push(Number.parseInt(message.log.line, 10));
  });
  daemon.resume();
  await eventually('the last one has come', () => got.at(-1) === sent - 1);
  expect(got.length).toBeLessThan(maxWaitingLines + 2_000);
  expect(got).toEqual([...got].sort((a, b) => a - b));
  daemon.destroy();
});

test('whoever waits for an answer learns that the data plane is gone', async () => {
  const client = await connect();
  const waiting = client.withdraw('1');
  client.close();
  await expect(waiting).rejects.toThrow(PlaneGone);
  await client.gone;
  await expect(client.served()).rejects.toThrow(PlaneGone);
});

test('a daemon that stands still does not keep the data plane from ending', async () => {
  const daemon = createConnection({ path, allowHalfOpen: true });
  daemon.on('error', () => {});
  await once(daemon, 'connect');
  await eventually('it has come in', () => server.aloneMs() === 0);
  await server.close();
  daemon.destroy();
});

test('what is no message ends its connection, and no other', async () => {
  const client = await connect();
  for (const nonsense of ['{\n', 'x'.repeat(1000), `{"id":1,"method":"constructor","params":[]}\n`]) {
    const raw = createConnection(path);
    const answer = new Promise<string>((resolve) => {
      let text = '';
      raw.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      raw.on('close', () => resolve(text));
    });
    raw.end(nonsense);
    expect(await answer).toMatch(nonsense.includes('constructor') ? /knows no constructor/ : /^$/);
  }
  expect(await client.served()).toEqual(['1']);
  client.close();
});

test('messages are cut wherever the chunks end, and one without end is refused', () => {
  const reader = new MessageReader();
  const text = Buffer.from('{"a":"ä"}\n[1]\n{"b"');
  const got = [...text].flatMap((byte) => reader.push(Buffer.from([byte])));
  expect(got).toEqual([{ a: 'ä' }, [1]]);
  const chunk = Buffer.alloc(1024 * 1024, 'x');
  const endless = () => {
    for (let bytes = 0; bytes <= maxMessageBytes; bytes += chunk.length) reader.push(chunk);
  };
  expect(endless).toThrow(`more than ${maxMessageBytes} bytes`);
});
