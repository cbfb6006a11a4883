import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type CertificatePem, FileCertificate } from '../../src/gateway/certificates.ts';
import { Challenges } from '../../src/gateway/challenges.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { Invocation, OutputSink } from '../../src/workloads/driver.ts';
import { type Authority, authority } from './certificates-fixture.ts';
import { endOf, instanceOf, portOf, raw, received, serveOn, until, wholeService } from './fixture.ts';

let ca: Authority;
let folder: string;
let gateway: Gateway;
let files: FileCertificate;
let port: number;
let plainPort: number;
let workload: RequestListener;
let server: Awaited<ReturnType<typeof serveOn>>;
const challenges = new Challenges();
const lines: string[] = [];
const told: { message: string; data: unknown }[] = [];
const log = {
  info: (data: unknown, message: string) => void told.push({ message, data }),
  warn: (data: unknown, message: string) => void told.push({ message, data }),
};
const name = 'abc.mu.example';

function put(pem: CertificatePem): void {
  writeFileSync(join(folder, 'cert.pem'), pem.cert);
  writeFileSync(join(folder, 'key.pem'), pem.key);
}

const makeFiles = () =>
  new FileCertificate({
    ...{ cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') },
    ...{ now: Date.now, log: log as never },
  });

beforeAll(async () => {
  ca = await authority();
  folder = mkdtempSync(join(tmpdir(), 'mu-tls-'));
  put(await ca.issue(['*.mu.example', 'mu.example']));
  files = makeFiles();
  server = await serveOn((message, response) => workload(message, response));
  const onLog = (_: unknown, stream: string, line: string) => void lines.push(`${stream}: ${line}`);
  gateway = new Gateway({ domain: 'mu.example', certificates: files, challenges, onLog });
  const at = await gateway.listen({ host: '127.0.0.1', port: 0, plainPort: 0 });
  port = at.port;
  plainPort = at.plainPort!;
  gateway.setRoutes('abc', wholeService('7', [instanceOf(portOf(server))]));
});
afterAll(async () => {
  await gateway.close();
  await endOf(server);
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  lines.length = 0;
  told.length = 0;
  workload = (message, response) => {
    response.setHeader('x-seen', JSON.stringify({ ...message.headers, url: message.url }));
    message.pipe(response);
  };
});

const sessions: ClientHttp2Session[] = [];
afterEach(() => {
  for (const session of sessions.splice(0)) session.destroy();
});

function session(): ClientHttp2Session {
  const made = connectHttp2(`https://127.0.0.1:${port}`, { ca: ca.cert, servername: name });
  made.on('error', () => {});
  sessions.push(made);
  return made;
}

async function answerOf(stream: ClientHttp2Stream) {
  const chunks: Buffer[] = [];
  const trailers: Record<string, unknown>[] = [];
  stream.on('trailers', (fields) => void trailers.push({ ...fields }));
  stream.on('data', (chunk: Buffer) => void chunks.push(chunk));
  const [headers] = (await once(stream, 'response')) as [Record<string, string>];
  if (!stream.closed) await once(stream, 'close');
  return { headers, body: Buffer.concat(chunks).toString(), trailers: trailers[0] };
}

/** A handshake: the socket, or why there is none. */
async function handshake(options: ConnectionOptions): Promise<TLSSocket | string> {
  const socket = connectTls({ port, host: '127.0.0.1', ca: ca.cert, servername: name, ...options });
  const failed = Promise.withResolvers<string>();
  socket.on('error', (error) => failed.resolve(String(error)));
  const done = await Promise.race([once(socket, 'secureConnect').then(() => socket), failed.promise]);
  if (typeof done === 'string') socket.destroy();
  return done;
}

describe('HTTP/2', () => {
  test('requests and answers go whole, with cookies as one field and trailers both ways', async () => {
    workload = (message, response) => {
      message.resume().on('end', () => {
        const seen = { ...message.headers, trailers: message.trailers };
        response.writeHead(200, { 'x-seen': JSON.stringify(seen), 'set-cookie': ['a=1', 'b=2'] });
        response.write('body');
        response.addTrailers({ 'x-sum': '7' });
        response.end();
      });
    };
    const stream = session().request(
      {
        ...{ ':method': 'POST', ':path': '/x?y', ':authority': name, cookie: ['a=1', 'b=2'] },
        'x-forwarded-proto': 'http',
      },
      { waitForTrailers: true },
    );
    stream.on('wantTrailers', () => stream.sendTrailers({ 'x-own': '1' }));
    stream.end('hello');
    const { headers, body, trailers } = await answerOf(stream);
    expect([headers[':status'], body, headers['set-cookie']]).toEqual([200, 'body', ['a=1', 'b=2']]);
    expect(trailers).toMatchObject({ 'x-sum': '7' });
    expect(JSON.parse(headers['x-seen']!)).toMatchObject({
      ...{ host: name, cookie: 'a=1; b=2', 'transfer-encoding': 'chunked', 'x-forwarded-proto': 'https' },
      ...{ trailers: { 'x-own': '1' }, forwarded: `for=127.0.0.1;host="${name}";proto=https` },
    });
  });

  test('many requests share a connection; bodies are counted', async () => {
    const client = session();
    const before = gateway.usage('abc');
    const bodies = await Promise.all(
      [...Array(20).keys()].map(async (index) => {
        const stream = client.request({ ':method': 'POST', ':authority': name, ':path': `/${index}` });
        stream.end('x'.repeat(index * 1000));
        return (await answerOf(stream)).body.length;
      }),
    );
    expect(bodies).toEqual([...Array(20).keys()].map((index) => index * 1000));
    const { requests, bytes } = gateway.usage('abc');
    expect([requests - before.requests, bytes - before.bytes]).toEqual([20n, 380_000n]);
    expect(gateway.state().connections).toBe(1);
  });

  test('early hints and Expect come through; HEAD has no body', async () => {
    workload = (message, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' });
      if (message.method === 'HEAD') response.writeHead(200, { 'content-length': '5' }).end();
      else message.pipe(response);
    };
    const client = session();
    const stream = client.request({ ':method': 'POST', ':authority': name, ':path': '/', expect: '100-continue' });
    const hints: unknown[] = [];
    stream.on('headers', (fields) => void (fields[':status'] === 103 && hints.push(fields['link'])));
    stream.once('continue', () => stream.end('hello'));
    expect((await answerOf(stream)).body).toBe('hello');
    expect(hints).toEqual(['</a.css>; rel=preload']);
    const head = await answerOf(client.request({ ':method': 'HEAD', ':authority': name, ':path': '/' }));
    expect([head.headers['content-length'], head.body]).toEqual(['5', '']);
  });

  test('an answer that breaks off is an error of its stream, not of the connection', async () => {
    workload = (message, response) => {
      if (message.url !== '/broken') response.end('fine');
      else response.write('part', () => response.destroy());
    };
    const client = session();
    const broken = client.request({ ':authority': name, ':path': '/broken' });
    const error = once(broken, 'error').catch((caught: unknown) => [caught]);
    broken.resume();
    expect(String(await error)).toContain('NGHTTP2_INTERNAL_ERROR');
    expect(broken.rstCode).toBe(constants.NGHTTP2_INTERNAL_ERROR);
    expect((await answerOf(client.request({ ':authority': name, ':path': '/' }))).body).toBe('fine');
    await until(() => lines.some((line) => line.includes('/broken 200 (cut)')));
  });

  test('a body that is not wanted is stopped without an error', async () => {
    workload = (_, response) => void response.writeHead(413).end('too much');
    const stream = session().request({ ':method': 'POST', ':authority': name, ':path': '/' });
    stream.on('error', () => {});
    stream.write('part');
    const { headers, body } = await answerOf(stream);
    expect([headers[':status'], body, stream.rstCode]).toEqual([413, 'too much', constants.NGHTTP2_NO_ERROR]);
  });

  test.each([
    ['another Host', { ':path': '/', host: 'other.mu.example' }],
    ['a space in the path', { ':path': '/a b' }],
    ['a fragment', { ':path': '/#x' }],
    ['a path without /', { ':path': 'x' }],
    ['the asterisk', { ':path': '*' }],
  ])('400 for what HTTP/1.1 behind it would read otherwise: %s', async (_, fields) => {
    const stream = session().request({ ':authority': name, ...fields });
    // Some of it the library refuses by itself, with an error of the stream.
    const status = await answerOf(stream).then(
      ({ headers }) => headers[':status'],
      () => stream.rstCode,
    );
    expect([400, constants.NGHTTP2_PROTOCOL_ERROR]).toContain(status);
  });

  test('431 beyond the headers’ limit, 421 for a host that is not served', async () => {
    const client = session();
    const large = await answerOf(client.request({ ':authority': name, ':path': '/', x: 'y'.repeat(20_000) }));
    expect(large.headers[':status']).toBe(431);
    const elsewhere = await answerOf(client.request({ ':authority': 'other.example', ':path': '/' }));
    expect(elsewhere.headers[':status']).toBe(421);
  });
});

describe('TLS', () => {
  test.each([
    ['TLSv1', false],
    ['TLSv1.1', false],
    ['TLSv1.2', true],
    ['TLSv1.3', true],
  ] as const)('%s: %s', async (version, accepted) => {
    // The security level is lowered so that it is the gateway that refuses, not this client.
    const old = { minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' };
    const done = await handshake(old);
    if (typeof done === 'string') {
      expect(accepted).toBe(false);
      expect(done).toMatch(/protocol version|PROTOCOL_VERSION|unsupported protocol/i);
      return;
    }
    expect([accepted, done.getProtocol()]).toEqual([true, version]);
    done.destroy();
  });

  test('HTTP/1.1 and websockets’ connections stand beside HTTP/2', async () => {
    const client = request({
      port,
      host: '127.0.0.1',
      ca: ca.cert,
      servername: name,
      headers: { host: name },
      agent: false,
    });
    client.end();
    const [answer] = (await once(client, 'response')) as [import('node:http').IncomingMessage];
    const seen = JSON.parse(String(answer.headers['x-seen'])) as Record<string, string>;
    expect([answer.httpVersion, seen['x-forwarded-proto']]).toEqual(['1.1', 'https']);
    answer.resume();
  });

  test('a name without a certificate gets no handshake; who names none gets the provider’s own', async () => {
    expect(await handshake({ servername: 'other.example' })).toMatch(/disconnected|ECONNRESET|alert/);
    const unnamed = await handshake({ servername: '', checkServerIdentity: () => undefined });
    expect(typeof unnamed).toBe('object');
    (unnamed as TLSSocket).destroy();
    await until(() => gateway.state().connections === 0);
  });

  test('bytes that are no TLS end the connection', async () => {
    expect(await raw(port, 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')).not.toContain('HTTP/1.1 2');
    await until(() => gateway.state().connections === 0);
  });

  test('a certificate put into its files is shown from then on; files that do not fit are not', async () => {
    const serialOf = async () => {
      const socket = (await handshake({})) as TLSSocket;
      const { serialNumber } = socket.getPeerCertificate();
      socket.destroy();
      return serialNumber;
    };
    const before = await serialOf();
    const next = await ca.issue(['*.mu.example', 'mu.example'], 100);
    writeFileSync(join(folder, 'cert.pem'), next.cert);
    files.check();
    expect(await serialOf()).toBe(before);
    expect(told.at(-1)?.message).toContain('cannot be used');
    writeFileSync(join(folder, 'key.pem'), next.key);
    files.check();
    expect(await serialOf()).not.toBe(before);
    // It ends within 14 days: that is said, with the day.
    expect(told.map(({ message }) => message)).toContain('the certificate of the gateway ends soon: replace it');
    expect(told.at(-1)?.data).toMatchObject({ expires: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) });
  });

  test('files that cannot be used are named', () => {
    const log = { info: () => {}, warn: () => {} } as never;
    const cert = join(folder, 'cert.pem');
    const make = (certFile: string, key: string) => new FileCertificate({ cert: certFile, key, now: Date.now, log });
    expect(() => make(join(folder, 'none.pem'), cert)).toThrow(/none\.pem: cannot be read/);
    expect(() => make(cert, cert)).toThrow(/cert\.pem: is no private key in PEM/);
  });
});

describe('plain HTTP beside TLS', () => {
  test('leads to HTTPS with the same method, for names that are served', async () => {
    const answer = await raw(plainPort, `POST /a%20b?c HTTP/1.1\r\nHost: ${name}:80\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 308 /);
    expect(answer).toContain(`location: https://${name}:${port}/a%20b?c\r\n`);
    const unknown = await raw(plainPort, 'GET / HTTP/1.1\r\nHost: other.example\r\n\r\n');
    expect(unknown).toMatch(/^HTTP\/1\.1 421 .*connection: close/is);
    // An old client that names nobody cannot be led anywhere.
    expect(await raw(plainPort, 'GET /~abc/ HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*names no host/is);
  });

  test('answers a certificate authority for any name', async () => {
    challenges.set('token', 'token.thumbprint');
    const path = '/.well-known/acme-challenge/token';
    const ask = () => raw(plainPort, `GET ${path} HTTP/1.1\r\nHost: ${name}\r\nConnection: close\r\n\r\n`);
    expect(await ask()).toMatch(/^HTTP\/1\.1 200 .*\r\n\r\ntoken\.thumbprint$/s);
    challenges.delete('token');
    expect(await ask()).toMatch(/^HTTP\/1\.1 308 /);
  });
});

test('functions see that their caller came by TLS, whatever the caller says', async () => {
  const envs: Record<string, string>[] = [];
  const callee = {
    spec: {} as never,
    async invoke({ env }: Invocation, output: OutputSink) {
      envs.push({ ...env });
      await output(Buffer.from('content-type: text/plain\n\nok'));
      return { exitCode: 0, runMicros: 1 };
    },
  };
  gateway.setRoutes('fn', {
    ...{ deployment: '8', service: 'gw', functions: new Map([['f', callee]]) },
    routes: [{ path: '/a/...', methods: ['GET'], to: { kind: 'function', name: 'f' } }],
  });
  const fields = { ':authority': 'fn.mu.example', ':path': '/a/b%20c?x=1', 'x-forwarded-for': '6.6.6.6' };
  expect((await answerOf(session().request(fields))).body).toBe('ok');
  expect(envs[0]).toMatchObject({
    ...{ X_FULL_URL: 'https://fn.mu.example/a/b%20c?x=1', SERVER_PROTOCOL: 'HTTP/2.0', HTTP_HOST: 'fn.mu.example' },
    ...{ HTTP_X_FORWARDED_FOR: '127.0.0.1', HTTP_X_FORWARDED_PROTO: 'https', PATH_INFO: '/b c' },
  });
  gateway.remove('fn');
});

test('slow headers in TLS, and sessions on which nothing is asked, end in time', async () => {
  const clock = { now: 0 };
  const limits = { headersMs: 15_000, keepAliveMs: 65_000 };
  const own = new Gateway({ domain: 'mu.example', certificates: makeFiles(), limits, now: () => clock.now });
  const at = await own.listen({ host: '127.0.0.1', port: 0 });
  const options = { port: at.port, host: '127.0.0.1', ca: ca.cert, servername: name };
  const slow = connectTls(options);
  const answer = received(slow);
  await once(slow, 'secureConnect');
  slow.write('GET / HT');
  const two = connectHttp2(`https://127.0.0.1:${at.port}`, { ca: ca.cert, servername: name });
  const ended = once(two, 'close');
  expect((await answerOf(two.request({ ':authority': 'none.mu.example', ':path': '/' }))).headers[':status']).toBe(404);
  clock.now += 10_000;
  own.sweep();
  expect(own.state().connections).toBe(2);
  clock.now += 5_001;
  own.sweep();
  expect(await answer.ended).toMatch(/^HTTP\/1\.1 408 /);
  clock.now += 50_000;
  own.sweep();
  await ended;
  await until(() => own.state().connections === 0);
  await own.close();
});

test('a drain finishes what is under way, over both versions, and takes nothing new', async () => {
  const held: (() => void)[] = [];
  workload = (_, response) => void held.push(() => response.end('done'));
  const own = new Gateway({ domain: 'mu.example', certificates: makeFiles() });
  const at = await own.listen({ host: '127.0.0.1', port: 0, plainPort: 0 });
  own.setRoutes('abc', wholeService('7', [instanceOf(portOf(server))]));
  const two = connectHttp2(`https://127.0.0.1:${at.port}`, { ca: ca.cert, servername: name });
  sessions.push(two);
  const second = answerOf(two.request({ ':authority': name, ':path': '/' }));
  const one = connectTls({ port: at.port, host: '127.0.0.1', ca: ca.cert, servername: name });
  const first = received(one);
  one.write(`GET / HTTP/1.1\r\nHost: ${name}\r\n\r\n`);
  await until(() => held.length === 2);
  const drained = own.drain(10_000);
  await expect(once(connectTls({ port: at.port, host: '127.0.0.1' }), 'secureConnect')).rejects.toThrow('ECONNREFUSED');
  for (const finish of held) finish();
  expect((await second).body).toBe('done');
  expect(await first.ended).toMatch(/^HTTP\/1\.1 200 .*done/s);
  await drained;
});
