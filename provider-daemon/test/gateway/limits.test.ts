import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test } from '@jest/globals';
import { clientOf } from '../../src/gateway/connections.ts';
import type { GatewayLimits } from '../../src/gateway/limits.ts';
import { allowSeconds } from '../workloads/patience.ts';
import { instanceOf, opened, portOf, quiet, received, serveOn, stand, until, wholeService } from './fixture.ts';

allowSeconds(60);

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

/** A gateway whose clock is the test's, and which looks at its connections when the test says so. */
async function timed(
  limits: Partial<GatewayLimits>,
  listener: Parameters<typeof stand>[0] = (_, out) => void out.end(),
) {
  const clock = { now: 0 };
  const made = await stand(listener, { limits, now: () => clock.now });
  open.push(made);
  const pass = (ms: number) => {
    clock.now += ms;
    made.gateway.sweep();
  };
  return { ...made, pass, connections: () => made.gateway.state().connections };
}

const get = 'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** A connection that has said so much. */
async function saying(port: number, bytes: string): Promise<{ socket: Socket } & ReturnType<typeof received>> {
  const socket = await opened(port);
  const all = received(socket);
  if (bytes !== '') socket.write(bytes);
  return { socket, ...all };
}

describe('slow clients', () => {
  test('408 for headers that trickle, counted from their first byte', async () => {
    const { port, base, pass, connections } = await timed({ headersMs: 15_000 });
    const slow = await saying(port, 'GET /');
    // An answer to another request tells that what was sent before has arrived.
    const arrived = async () => void (await (await fetch(`${base}/`, { headers: { connection: 'close' } })).text());
    for (let second = 0; second < 15; second += 1) {
      slow.socket.write('a');
      await arrived();
      pass(1_000);
    }
    expect(slow.text()).toBe('');
    pass(1);
    expect(await slow.ended).toMatch(/^HTTP\/1\.1 408 .*connection: close.*too_slow/is);
    await until(() => connections() === 0);
  });

  test('also those of a second request, on a connection that has been used', async () => {
    const { port, base, pass } = await timed({ headersMs: 15_000, keepAliveMs: 65_000 });
    const slow = await saying(port, get);
    await until(() => slow.text().includes('200 OK'));
    pass(20_000);
    slow.socket.write('GET');
    const first = slow.text().length;
    await (await fetch(`${base}/`)).text();
    pass(1);
    pass(15_001);
    expect((await slow.ended).slice(first)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('a connection that says nothing is closed without an answer', async () => {
    const { port, pass } = await timed({ headersMs: 15_000, keepAliveMs: 65_000 });
    const fresh = await saying(port, '');
    const used = await saying(port, get);
    await until(() => used.text().includes('200 OK'));
    pass(15_001);
    expect(await fresh.ended).toBe('');
    pass(49_000);
    expect(used.socket.closed).toBe(false);
    pass(2_000);
    await used.ended;
  });

  test.each([
    ['of known length', 'Content-Length: 100000\r\n\r\n', (bytes: number) => 'x'.repeat(bytes)],
    [
      'in chunks',
      'Transfer-Encoding: chunked\r\n\r\n',
      (bytes: number) => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`,
    ],
  ])('408 for a body that comes below the rate: %s', async (_, framing, piece) => {
    let arrived = 0;
    const { port, pass } = await timed({ bodyIntervalMs: 5_000, bodyIntervalBytes: 2_500 }, (message) => {
      message
        .on('error', () => {})
        .on('data', (chunk: Buffer) => {
          arrived += chunk.length;
        });
    });
    const slow = await saying(port, `POST /~abc/ HTTP/1.1\r\nHost: localhost\r\n${framing}`);
    // As fast as it must be …
    for (let round = 1; round <= 3; round += 1) {
      slow.socket.write(piece(2_500));
      await until(() => arrived === 2_500 * round);
      pass(5_000);
      expect(slow.text()).toBe('');
    }
    // … and one byte less.
    slow.socket.write(piece(2_499));
    await until(() => arrived === 2_500 * 3 + 2_499);
    pass(5_000);
    await until(() => slow.text().includes('\r\n\r\n'));
    expect(slow.text()).toMatch(/^HTTP\/1\.1 408 .*connection: close/is);
    expect(await slow.ended).toContain('too_slow');
  });

  test('a client that takes nothing of its answer is cut off', async () => {
    const { port, pass, lines, gateway } = await timed({ stallMs: 60_000 }, (_, response) => {
      response.on('error', () => {});
      response.end(Buffer.alloc(64 * 1024 * 1024));
    });
    const client = await opened(port);
    client.pause();
    client.write(get);
    // Until the buffers between here and there are full.
    await quiet(() => Number(gateway.usage('abc').bytes));
    // The first look sees that it has moved, the second that it moves no more.
    pass(1);
    pass(1);
    pass(59_999);
    expect(lines).toEqual([]);
    pass(1);
    await until(() => lines.some((line) => line.includes('(cut)')));
    client.destroy();
  });
});

describe('how many connections', () => {
  test('one client has so many; others are served', async () => {
    const { port, connections, base } = await timed({ connectionsPerClient: 3 });
    const held = await Promise.all([1, 2, 3].map(() => opened(port, '127.0.0.2')));
    await until(() => connections() === 3);
    const more = received(await opened(port, '127.0.0.2'));
    expect(await more.ended).toBe('');
    expect((await fetch(`${base}/`)).status).toBe(200);
    held[0]!.destroy();
    await until(() => connections() < 4);
    const again = await opened(port, '127.0.0.2');
    const answer = received(again);
    again.write(get);
    await until(() => answer.text().includes('200 OK'));
  });

  test('an IPv6 client is its network of 64 bits', () => {
    expect(clientOf('2001:db8:1:2:3:4:5:6')).toBe('2001:db8:1:2');
    expect(clientOf('2001:db8:1:2::9')).toBe('2001:db8:1:2');
    expect(clientOf('2001:db8::9')).toBe('2001:db8:0:0');
    expect(clientOf('::1')).toBe('0:0:0:0');
    expect(clientOf('fe80::1%eth0')).toBe('fe80:0:0:0');
    expect(clientOf('::ffff:10.0.0.1')).toBe('10.0.0.1');
  });

  test('in all: the one that was idle the longest makes room; where none is idle, the new one is refused', async () => {
    const held: (() => void)[] = [];
    const { port, gateway } = await timed({ connections: 2 }, (_, response) => void held.push(() => response.end()));
    const oldest = await saying(port, '');
    await until(() => gateway.state().connections === 1);
    const next = await saying(port, '');
    await until(() => gateway.state().connections === 2);
    const busy = await saying(port, get);
    await oldest.ended;
    await until(() => held.length === 1);
    next.socket.write(get);
    await until(() => held.length === 2);
    const refused = await saying(port, get);
    expect(await refused.ended).toBe('');
    expect(gateway.state()).toMatchObject({ connections: 2, refusedConnections: 2 });
    for (const finish of held) finish();
    await until(() => busy.text().includes('200 OK'));
  });

  test('10,000 idle ones do no harm: others are answered meanwhile, and they are closed in time', async () => {
    // Both ends of each connection take a descriptor: the other ends are in a process of their own.
    const room = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' })) - 1_000;
    const count = Math.min(10_000, room);
    if (count < 10_000) console.warn(`*** ${count} idle connections instead of 10,000: ulimit -n allows no more`);
    const { port, base, pass, connections } = await timed({ headersMs: 15_000 });
    const child = spawn(process.execPath, [join(import.meta.dirname, 'many-connections.ts'), `${port}`, `${count}`], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    open.push({ close: () => gone(child) });
    const words = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    expect((await words.next()).value).toBe(`open ${count}`);
    await until(() => connections() >= count);
    for (let index = 0; index < 50; index += 1) expect((await fetch(`${base}/`)).status).toBe(200);
    pass(1_000);
    expect(connections()).toBeGreaterThanOrEqual(count);
    pass(15_000);
    await until(() => connections() <= 10);
    expect((await fetch(`${base}/`)).status).toBe(200);
  });
});

async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.stdin?.end();
  await once(child, 'exit');
}

describe('overload', () => {
  async function refusalOf(url: string, init?: RequestInit) {
    const answer = await fetch(url, init);
    const { error } = (await answer.json()) as { error: string };
    return { status: answer.status, retry: answer.headers.get('retry-after'), error };
  }

  // How soon they are refused `npm run bench:gateway` measures.
  test('what a deployment cannot take soon gets 429 while it is busy; another one is served meanwhile', async () => {
    const held: (() => void)[] = [];
    const made = await stand((_, response) => void held.push(() => response.end('{}')), {
      limits: { callsPerDeployment: 4, queuedPerDeployment: 4 },
    });
    open.push(made);
    const other = await serveOn((_, response) => void response.end('fine'));
    open.push(other);
    made.gateway.setRoutes('other', wholeService('8', [instanceOf(portOf(other))]));
    const under = [1, 2, 3, 4].map(() => fetch(`${made.base}/`));
    await until(() => held.length === 4);
    const refusals = await Promise.all([...Array(16).keys()].map(() => refusalOf(`${made.base}/`)));
    for (const { status, retry, error } of refusals) expect([status, retry, error]).toEqual([429, '1', 'busy']);
    // All of them before any call that was taken has ended.
    expect(held).toHaveLength(4);
    expect(await (await fetch(`http://127.0.0.1:${made.port}/~other/`)).text()).toBe('fine');
    // One that waits takes the place of one that ends.
    const waiting = fetch(`${made.base}/`);
    held[0]!();
    await until(() => held.length === 5);
    for (const finish of held) finish();
    expect((await waiting).status).toBe(200);
    expect((await Promise.all(under)).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  });

  test('where the gateway is full, who has its share gets 503, and who has less is served', async () => {
    const held: (() => void)[] = [];
    const made = await stand((_, response) => void held.push(() => response.end('{}')), { limits: { calls: 4 } });
    open.push(made);
    made.gateway.setRoutes('other', wholeService('8', made.instances));
    const greedy = [1, 2, 3, 4].map(() => fetch(`${made.base}/`));
    await until(() => held.length === 4);
    expect(await refusalOf(`${made.base}/`)).toEqual({ status: 503, retry: '1', error: 'busy' });
    expect(held).toHaveLength(4);
    const modest = [1, 2].map(() => fetch(`http://127.0.0.1:${made.port}/~other/`));
    await until(() => held.length === 6);
    expect((await refusalOf(`http://127.0.0.1:${made.port}/~other/`)).status).toBe(503);
    for (const finish of held) finish();
    await Promise.all([...greedy, ...modest]);
  });

  test('bodies that are gathered: 429 beyond the deployment’s part, 503 beyond all', async () => {
    const made = await stand((_, response) => void response.end(), {
      limits: { bodyMemoryPerDeployment: 3_000, bodyMemoryBytes: 5_000 },
    });
    open.push(made);
    const never = { spec: {} as never, invoke: () => new Promise<never>(() => {}) };
    for (const label of ['one', 'two']) {
      made.gateway.setRoutes(label, {
        ...{ deployment: label, service: 'gw', functions: new Map([['f', never]]) },
        routes: [{ path: '/...', methods: [], to: { kind: 'function', name: 'f' } }],
      });
    }
    const hold = (label: string) => {
      const held = request({
        port: made.port,
        path: `/~${label}/`,
        method: 'POST',
        headers: { 'content-length': '3000' },
      });
      held.on('error', () => {});
      held.write('x'.repeat(2_500));
      open.push({ close: () => held.destroy() });
    };
    const send = (label: string) =>
      refusalOf(`http://127.0.0.1:${made.port}/~${label}/`, { method: 'POST', body: 'x'.repeat(1_000) });
    // What was sent before another request has arrived when that is answered.
    const held = async (label: string) => {
      hold(label);
      await until(() => made.gateway.usage(label).requests === 1n);
      await (await fetch(made.base)).text();
    };
    await held('one');
    expect(await send('one')).toMatchObject({ status: 429, error: 'busy', retry: '1' });
    await held('two');
    expect((await send('two')).status).toBe(429);
    made.gateway.setRoutes('three', {
      ...{ deployment: 'three', service: 'gw', functions: new Map([['f', never]]) },
      routes: [{ path: '/...', methods: [], to: { kind: 'function', name: 'f' } }],
    });
    expect(await send('three')).toMatchObject({ status: 503, error: 'busy', retry: '1' });
  });
});
