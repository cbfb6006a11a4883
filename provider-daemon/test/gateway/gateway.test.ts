import { once } from 'node:events';
import { connect } from 'node:net';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { RouteSpec } from '../../src/gateway/routes.ts';
import type { CallableWorkload } from '../../src/workloads/driver.ts';
import { WasmDriver } from '../../src/workloads/wasm-driver.ts';
import { specOf } from '../workloads/driver-compliance.ts';
import * as modules from '../workloads/modules.ts';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(60);

const lines: string[] = [];
const log = (_: unknown, stream: string, line: string) => void lines.push(`${stream}: ${line}`);
const limit = 100_000;
const functions = new Map<string, CallableWorkload>();
const gateway = new Gateway({ domain: 'mu.example', limits: { bodyBytes: limit }, onLog: log });
let driver: WasmDriver;
let base: string;
let port: number;

const redirect = modules.says('Location: /elsewhere\n\n');
const made = modules.says(
  'Status: 201 Made\r\nContent-Type: text/html\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n<p>',
);
const hopping = modules.says(
  'content-type: text/plain\nconnection: x-own\nx-own: 1\ntransfer-encoding: chunked\nkeep-alive: 9\nx-kept: 1\n\nok',
);
const injecting = modules.says('content-type: text/plain\nx-a: 1\rset-cookie: evil=1\n\nok');
const badName = modules.says('content-type: text/plain\nx a: 1\n\nok');
const badStatus = modules.says('status: 101\ncontent-type: text/plain\n\nok');
const short = modules.says('content-type: text/plain\ncontent-length: 10\n\nshort');
const loopsAfterAll = modules.says('content-type: text/plain\ncontent-length: 4\n\nfour', {
  after: '(loop $spin (br $spin))',
});
const long = modules.says('content-type: text/plain\ncontent-length: 4\n\nlong and longer');

/** Functions by name; each answers at /<name>. */
const programs = {
  ...{ echo: modules.echo, dump: modules.dump, hello: modules.hello, trap: modules.trap, loops: modules.loops },
  ...{
    hogs: modules.hogs,
    silent: modules.silent,
    noHeaders: modules.noHeaders,
    exits: modules.exits,
    big: modules.big,
  },
  ...{ trapsAfterHead: modules.trapsAfterHead, loopsAfterHead: modules.loopsAfterHead },
  ...{ loopsAfterAll, redirect, made, hopping, injecting, badName, badStatus, short, long },
};

beforeAll(async () => {
  driver = await WasmDriver.create({ log, maxInstances: 1, maxQueued: 1, patienceMs: 5_000 });
  ({ port } = await gateway.listen({ host: '127.0.0.1', port: 0 }));
  base = `http://127.0.0.1:${port}/~abc`;
  const routes: RouteSpec[] = Object.keys(programs).map((name) => {
    return { path: `/${name}`, methods: ['GET', 'POST'], to: { kind: 'function', name } };
  });
  routes.push(
    { path: '/login', methods: ['POST'], to: { kind: 'function', name: 'hello' } },
    { path: '/files/...', methods: ['GET'], to: { kind: 'function', name: 'dump' } },
    { path: '/gone', methods: ['GET'], to: { kind: 'function', name: 'stopped' } },
  );
  gateway.setRoutes('abc', { deployment: 'abc', service: 'gw', routes, functions });
});
afterAll(async () => {
  await gateway.close();
  await driver.close();
});
beforeEach(() => {
  lines.length = 0;
});
afterEach(async () => {
  await Promise.all([...functions.values()].map((workload) => workload.stop()));
  functions.clear();
});

/** Starts a function by its name in `programs`. */
async function start(name: keyof typeof programs, timeoutMs = 20_000): Promise<void> {
  functions.set(name, await driver.start(specOf(programs[name], { service: name, timeoutMs })));
}

const errorOf = async (response: Response) => (await response.json()) as { error: string; message: string };

/** Sends bytes as they are; what comes back until the connection ends. */
async function raw(text: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.write(text);
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1');
  });
  await once(socket, 'close');
  return answer;
}

describe('answers', () => {
  test('a function answers, by path prefix and by host', async () => {
    await start('hello');
    const response = await fetch(`${base}/hello`);
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      200,
      'text/plain',
      'hello',
    ]);
    const byHost = await raw('GET /hello HTTP/1.1\r\nHost: ABC.mu.example:80\r\nConnection: close\r\n\r\n');
    expect(byHost).toMatch(/^HTTP\/1\.1 200 OK\r\n.*hello/s);
    const elsewhere = await raw('GET /hello HTTP/1.1\r\nHost: abc.other.example\r\nConnection: close\r\n\r\n');
    expect(elsewhere).toMatch(/^HTTP\/1\.1 421 /);
  });

  test('bodies go both ways, chunked ones gathered first', async () => {
    await start('echo');
    expect(await (await fetch(`${base}/echo`, { method: 'POST', body: 'x'.repeat(limit) })).text()).toHaveLength(limit);
    const stream = new ReadableStream({
      start(controller) {
        for (const part of ['one ', 'two ', 'three']) controller.enqueue(Buffer.from(part));
        controller.close();
      },
    });
    const chunked = await fetch(`${base}/echo`, { method: 'POST', body: stream, duplex: 'half' } as RequestInit);
    expect(await chunked.text()).toBe('one two three');
  });

  test('the environment and the arguments are those of CGI and WAGI', async () => {
    await start('dump');
    const response = await fetch(`${base}/files/a%20b/c?x=1&y=%20z`, {
      headers: { 'X-Own': 'v', Proxy: 'http://evil', x_own: 'other', te: 'trailers', 'content-type': 'text/x' },
    });
    const text = await response.text();
    const [args, env] = [text.slice(0, text.indexOf('\0\0')), text.slice(text.indexOf('\0\0') + 2)];
    expect(args.split('\0')).toEqual(['/files', 'x=1', 'y=%20z']);
    const variables = Object.fromEntries(
      env
        .split('\0')
        .filter((text) => text !== '')
        .map((text) => /^([^=]*)=(.*)$/s.exec(text)!.slice(1)),
    );
    expect(variables).toMatchObject({
      ...{ AUTH_TYPE: '', CONTENT_LENGTH: '0', CONTENT_TYPE: 'text/x', GATEWAY_INTERFACE: 'CGI/1.1', HTTP_X_OWN: 'v' },
      ...{ PATH_INFO: '/a b/c', QUERY_STRING: 'x=1&y=%20z', REMOTE_ADDR: '127.0.0.1', REQUEST_METHOD: 'GET' },
      ...{ SCRIPT_NAME: '/files', SERVER_NAME: '127.0.0.1', SERVER_PORT: String(port), SERVER_PROTOCOL: 'HTTP/1.1' },
      ...{ X_MATCHED_ROUTE: '/files/...', X_RAW_PATH_INFO: '/a%20b/c', X_FULL_URL: `${base}/files/a%20b/c?x=1&y=%20z` },
    });
    expect(Object.keys(variables)).not.toEqual(expect.arrayContaining(['HTTP_PROXY']));
    expect(Object.keys(variables)).not.toContain('HTTP_TE');
    expect(Object.keys(variables)).not.toContain('HTTP_CONNECTION');
  });

  test('a base path answers for itself and all below, but not beside', async () => {
    await start('dump');
    expect((await fetch(`${base}/files`)).status).toBe(200);
    expect((await fetch(`${base}/files/`)).status).toBe(200);
    expect((await fetch(`${base}/filesystem`)).status).toBe(404);
  });

  test('location alone redirects; status, repeated headers and CRLF come through', async () => {
    await start('redirect');
    await start('made');
    const moved = await fetch(`${base}/redirect`, { redirect: 'manual' });
    expect([moved.status, moved.headers.get('location')]).toEqual([302, '/elsewhere']);
    const response = await fetch(`${base}/made`);
    expect([response.status, response.headers.getSetCookie(), await response.text()]).toEqual([
      201,
      ['a=1', 'b=2'],
      '<p>',
    ]);
  });

  test('HEAD follows GET and has no body', async () => {
    await start('hello');
    const response = await fetch(`${base}/hello`, { method: 'HEAD' });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  test('headers of the connection are dropped', async () => {
    await start('hopping');
    const response = await fetch(`${base}/hopping`);
    expect(response.headers.get('x-kept')).toBe('1');
    expect([response.headers.get('x-own'), response.headers.get('keep-alive') === '9']).toEqual([null, false]);
    expect(await response.text()).toBe('ok');
  });

  test('a large answer streams whole', async () => {
    await start('big');
    expect((await (await fetch(`${base}/big`)).arrayBuffer()).byteLength).toBe(modules.bigBytes);
  });

  test('an exit code after a complete answer is a line of the log', async () => {
    await start('exits');
    expect(await (await fetch(`${base}/exits`)).text()).toBe('done');
    expect(lines).toContain('system: ended with exit code 3');
  });
});

describe('refusals', () => {
  test('404 for what is not there', async () => {
    expect((await errorOf(await fetch(`http://127.0.0.1:${port}/`))).error).toBe('unknown_deployment');
    expect((await errorOf(await fetch(`http://127.0.0.1:${port}/~none/hello`))).error).toBe('unknown_deployment');
    const response = await fetch(`${base}/nothing`);
    expect([response.status, (await errorOf(response)).error]).toEqual([404, 'not_found']);
  });

  test('405 for another method, with what is allowed', async () => {
    const response = await fetch(`${base}/login`);
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
    const other = await fetch(`${base}/hello`, { method: 'DELETE' });
    expect([other.status, other.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });

  test.each(['/a/../hello', '/%2e%2e/hello', '/hel%00lo', '/%ff'])(
    '400 for a path without meaning: %s',
    async (path) => {
      const answer = await raw(`GET /~abc${path} HTTP/1.1\r\nHost: [::1]\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  test('413 for a body above the limit, announced or chunked', async () => {
    await start('echo');
    const announced = await fetch(`${base}/echo`, { method: 'POST', body: 'x'.repeat(limit + 1) });
    expect([announced.status, (await errorOf(announced)).error]).toEqual([413, 'body_too_large']);
    const size = limit + 1;
    const head = 'POST /~abc/echo HTTP/1.1\r\nHost: localhost\r\n';
    const chunked = await raw(
      `${head}Transfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n${'x'.repeat(size)}\r\n0\r\n\r\n`,
    );
    expect(chunked).toMatch(/^HTTP\/1\.1 413 /);
    const asked = await raw(`${head}Expect: 100-continue\r\nContent-Length: ${size}\r\n\r\n`);
    expect(asked).toMatch(/^HTTP\/1\.1 413 /);
    const welcome = await raw(`${head}Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`);
    expect(welcome).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
  });

  test.each([
    ['trap', 'trap'],
    ['silent', 'bad_answer'],
    ['noHeaders', 'bad_answer'],
    ['injecting', 'bad_answer'],
    ['badName', 'bad_answer'],
    ['badStatus', 'bad_answer'],
    ['hogs', 'memory_limit'],
  ] as const)('502: %s, and the next request is served', async (name, error) => {
    await start(name);
    await start('hello');
    const response = await fetch(`${base}/${name}`);
    expect([response.status, (await errorOf(response)).error]).toEqual([502, error]);
    expect(response.headers.get('set-cookie')).toBeNull();
    expect((await fetch(`${base}/${name}`)).status).toBe(502);
    expect(await (await fetch(`${base}/hello`)).text()).toBe('hello');
    expect(lines.some((line) => line.startsWith('system: '))).toBe(true);
  });

  test('504 past the time limit', async () => {
    await start('loops', 200);
    const response = await fetch(`${base}/loops`);
    expect([response.status, (await errorOf(response)).error]).toEqual([504, 'time_limit']);
  });

  test('429 when nobody is free, 503 when the function is not running', async () => {
    await start('loops', 500);
    const responses = await Promise.all([1, 2, 3].map(() => fetch(`${base}/loops`)));
    expect(responses.map(({ status }) => status).sort()).toEqual([429, 504, 504]);
    const busy = responses.find(({ status }) => status === 429)!;
    expect([busy.headers.get('retry-after'), (await errorOf(busy)).error]).toEqual(['1', 'busy']);
    const gone = await fetch(`${base}/gone`);
    expect([gone.status, (await errorOf(gone)).error]).toEqual([503, 'not_running']);
  });

  test.each(['trapsAfterHead', 'loopsAfterHead', 'short'] as const)(
    'after the head a failure cuts: %s',
    async (name) => {
      // Of those that loop only what comes after their head may take longer than this.
      await start(name, name === 'loopsAfterHead' ? 2_000 : undefined);
      const answer = await raw(`GET /~abc/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 200 /);
      expect(answer).not.toContain('0\r\n\r\n');
      await expect(fetch(`${base}/${name}`).then((response) => response.text())).rejects.toThrow();
      expect(lines.some((line) => line.includes('(cut)'))).toBe(true);
    },
  );

  test('what becomes of a function after its whole answer is nothing to its caller: the connection goes on', async () => {
    await start('loopsAfterAll', 2_000);
    const asked = (path: string) => `GET /~abc/${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n`;
    const answers = await raw(`${asked('loopsAfterAll')}\r\n${asked('none')}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 404']);
    expect(lines.filter((line) => line.includes('(cut)'))).toEqual([]);
  });

  test('more than the announced length never reaches the connection', async () => {
    await start('long');
    expect(await (await fetch(`${base}/long`)).text()).toBe('long');
  });
});

describe('counting', () => {
  test('requests and bytes of bodies, for each deployment by itself', async () => {
    await start('echo');
    const routes: RouteSpec[] = [{ path: '/', methods: ['POST'], to: { kind: 'function', name: 'echo' } }];
    gateway.setRoutes('count', { deployment: 'count', service: 'gw', routes, functions });
    const before = gateway.usage('abc');
    const url = `http://127.0.0.1:${port}/~count`;
    await (await fetch(url, { method: 'POST', body: '12345' })).text();
    expect(gateway.usage('count')).toEqual({ requests: 1n, bytes: 10n });
    const refused = await (await fetch(`${url}/none`)).text();
    expect(gateway.takeUsage('count')).toEqual({ requests: 2n, bytes: 10n + BigInt(refused.length) });
    expect(gateway.takeUsage('count')).toEqual({ requests: 0n, bytes: 0n });
    await (await fetch(`${url}/`, { method: 'POST', body: '1' })).text();
    expect(gateway.remove('count')).toEqual({ requests: 1n, bytes: 2n });
    expect((await fetch(url)).status).toBe(404);
    expect(gateway.usage('abc')).toEqual(before);
  });

  test('each request is a line of the log', async () => {
    await start('hello');
    await (await fetch(`${base}/hello?secret=1`)).text();
    expect(lines.find((line) => line.startsWith('request: '))).toMatch(/^request: GET \/hello 200 \d+\.\d ms$/);
  });
});
