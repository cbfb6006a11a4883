/** Workloads and clients that mean harm, or speak HTTP in ways that libraries do not expect: one process serves all tenants. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { FileCertificate } from '../../src/gateway/certificates.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { defaultLimits, maxHints } from '../../src/gateway/limits.ts';
import { allowSeconds } from '../workloads/patience.ts';
import { authority } from './certificates-fixture.ts';
import { instanceOf, opened, portOf, raw, received, until, wholeService } from './fixture.ts';

allowSeconds(60);

const name = 'abc.mu.example';
const undo: (() => unknown)[] = [];
const clock = { now: 0 };
let gateway: Gateway;
let plainGateway: Gateway;
let port: number;
let plainPort: number;
let ca: string;
/** What the workload does with what comes, byte for byte. */
let workload: (socket: Socket, text: string) => void;

beforeEach(async () => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) => workload(socket, chunk.toString('latin1')));
    undo.push(() => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'mu-hostile-'));
  const issuer = await authority();
  ca = issuer.cert;
  const pem = await issuer.issue(['*.mu.example']);
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  writeFileSync(files.cert, pem.cert);
  writeFileSync(files.key, pem.key);
  const log = { info: () => {}, warn: () => {} };
  const certificates = new FileCertificate({ ...files, now: Date.now, log: log as never });
  const now = () => clock.now;
  gateway = new Gateway({ domain: 'mu.example', certificates, now });
  plainGateway = new Gateway({ now });
  port = (await gateway.listen({ host: '127.0.0.1', port: 0 })).port;
  plainPort = (await plainGateway.listen({ host: '127.0.0.1', port: 0 })).port;
  for (const one of [gateway, plainGateway]) one.setRoutes('abc', wholeService('7', [instanceOf(portOf(server))]));
  undo.push(
    () => server.close(),
    () => rmSync(folder, { recursive: true }),
  );
});
afterEach(async () => {
  await gateway.close();
  await plainGateway.close();
  for (const step of undo.splice(0).reverse()) await step();
});

function session(settings = {}): ClientHttp2Session {
  const made = connectHttp2(`https://127.0.0.1:${port}`, { ca, servername: name, settings });
  made.on('error', () => {});
  undo.push(() => made.destroy());
  return made;
}

async function answerOf(stream: ClientHttp2Stream): Promise<Record<string, string>> {
  stream.on('error', () => {});
  stream.resume();
  const [headers] = (await once(stream, 'response')) as [Record<string, string>];
  if (!stream.closed) await once(stream, 'close');
  return headers;
}

/** The gateway as it is after a request: it still serves. */
async function stillServes(): Promise<void> {
  workload = (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
  expect((await answerOf(session().request({ ':authority': name })))[':status']).toBe(200);
}

const get = 'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

describe('a workload', () => {
  test.each([
    ['is no link', 'nonsense'],
    ['node cannot read', '</a.css>; rel=preload; title="two words"'],
  ])('whose early hint %s ends nothing: the answer comes', async (_, link) => {
    const answer = `HTTP/1.1 103 Early Hints\r\nlink: ${link}\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok`;
    workload = (socket) => void socket.write(answer);
    expect(await raw(plainPort, get)).toMatch(/200 OK\r\n.*\r\n\r\nok$/s);
    expect((await answerOf(session().request({ ':authority': name })))[':status']).toBe(200);
    await stillServes();
  });

  test('that gives hints without end has so many of them passed on, and no more', async () => {
    const hint = 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n';
    workload = (socket) =>
      void socket.write(`${hint.repeat(maxHints * 3)}HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n`);
    const told = await raw(plainPort, get);
    expect(told.match(/103 Early Hints/g)).toHaveLength(maxHints);
    expect(told).toContain('200 OK');
  });

  test('that changes the protocol unasked has not answered', async () => {
    workload = (socket) => void socket.write('HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: foo\r\n\r\n');
    expect(await raw(plainPort, get)).toMatch(/^HTTP\/1\.1 502 .*bad_answer/s);
    workload = (socket) => void socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    const asked = session().request({ ':authority': name, ':method': 'connect', ':path': '/' });
    expect((await answerOf(asked))[':status']).toBe(502);
  });

  test('whose trailers HTTP/2 forbids ends nothing', async () => {
    workload = (socket) =>
      void socket.write(
        'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nhttp2-settings: x\r\nx-sum: 1\r\n\r\n',
      );
    const stream = session().request({ ':authority': name });
    const trailers: unknown[] = [];
    stream.on('trailers', ({ 'x-sum': sum }) => void trailers.push(sum));
    expect((await answerOf(stream))[':status']).toBe(200);
    expect(trailers).toEqual(['1']);
    await stillServes();
  });

  test('may name a header as objects name what they all have', async () => {
    workload = (socket) =>
      void socket.write('HTTP/1.1 200 OK\r\nconstructor: mine\r\nvalueof: too\r\ncontent-length: 0\r\n\r\n');
    const headers = await answerOf(session().request({ ':authority': name }));
    expect([headers['constructor'], headers['valueof']]).toEqual(['mine', 'too']);
  });
});

describe('a client of HTTP/2', () => {
  test('that takes its request back without an error, its body unread, ends nothing', async () => {
    const arrived = Promise.withResolvers<Socket>();
    workload = (socket) => {
      socket.pause();
      arrived.resolve(socket);
    };
    const stream = session().request({ ':authority': name, ':method': 'POST' });
    stream.on('error', () => {});
    const piece = Buffer.alloc(64 * 1024);
    const push = (): void => {
      while (!stream.destroyed && !stream.closed && stream.write(piece));
    };
    stream.on('drain', push);
    push();
    const socket = await arrived.promise;
    // Until everything between here and there is full.
    let [last, since] = [-1n, performance.now()];
    await until(() => {
      const { bytes } = gateway.usage('abc');
      if (bytes !== last) [last, since] = [bytes, performance.now()];
      return performance.now() - since > 300;
    });
    stream.close(constants.NGHTTP2_NO_ERROR);
    await until(() => gateway.state().calls === 0);
    socket.write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
    await stillServes();
  });

  test.each([204, 304])('whose body goes on after a %i is not waited for', async (status) => {
    workload = (socket) => void socket.write(`HTTP/1.1 ${status} X\r\n\r\n`);
    const stream = session().request({ ':authority': name, ':method': 'POST' });
    stream.on('error', () => {});
    stream.write('part');
    await once(stream, 'response');
    await until(() => gateway.state().calls === 0);
  });
});

describe('a client that takes nothing of an answer that has been given whole', () => {
  const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello';

  test('is cut off: HTTP/2 without a window', async () => {
    workload = (socket) => void socket.write(ok);
    const stream = session({ initialWindowSize: 0 }).request({ ':authority': name });
    stream.on('error', () => {});
    await once(stream, 'response');
    await until(() => gateway.usage('abc').bytes === 5n);
    const pass = (ms: number) => {
      clock.now += ms;
      gateway.sweep();
    };
    // The first look sees that it has moved, the second that it moves no more.
    pass(1);
    pass(1);
    pass(defaultLimits.stallMs - 1);
    expect(gateway.state().calls).toBe(1);
    pass(1);
    await until(() => gateway.state().calls === 0);
  });

  test('is cut off: HTTP/1.1, many answers in a row', async () => {
    const body = 'x'.repeat(60_000);
    workload = (socket, text) => {
      const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
      for (let asked = text.split('GET ').length - 1; asked > 0; asked -= 1) socket.write(answer);
    };
    const client = await opened(plainPort);
    client.pause();
    const ask = 'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n';
    // One after the other, as many as the system's buffers take, until one stays where it is.
    let answered = 0n;
    let since = performance.now();
    client.write(ask.repeat(90));
    await until(() => {
      const { bytes } = plainGateway.usage('abc');
      if (bytes !== answered) [answered, since] = [bytes, performance.now()];
      return performance.now() - since > 500;
    });
    const all = received(client);
    client.pause();
    const stuck = plainGateway.state().calls;
    expect(stuck).toBeGreaterThan(0);
    for (let look = 0; look < 4; look += 1) {
      clock.now += defaultLimits.stallMs;
      plainGateway.sweep();
    }
    await until(() => plainGateway.state().calls === 0);
    client.resume();
    await all.ended;
  });
});
