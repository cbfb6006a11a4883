import { once } from 'node:events';
import { Agent, get, type IncomingMessage, type RequestListener, request } from 'node:http';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import type { GatewayOptions } from '../../src/gateway/gateway.ts';
import { allowSeconds } from '../workloads/patience.ts';
import { endOf, instanceOf, portOf, quiet, raw, type Stand, serveOn, stand, until, wholeService } from './fixture.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

async function standing(listener: RequestListener, options?: GatewayOptions): Promise<Stand> {
  const made = await stand(listener, options);
  open.push(made);
  return made;
}

async function textOf(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message) text += chunk;
  return text;
}

/** A server that is no HTTP server. */
async function rawWorkload(onData: (write: (text: string) => void, end: () => void, text: string) => void) {
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (chunk) =>
      onData(
        (text) => void socket.write(text),
        () => void socket.destroySoon(),
        chunk.toString('latin1'),
      ),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
  return server;
}

allowSeconds(60);

describe('a request to a workload', () => {
  test('goes whole, without headers of the connection, and says which way it came', async () => {
    const { base, port } = await standing((message, response) => {
      response.setHeader('x-kept', ['1', '2']).setHeader('keep-alive', 'timeout=99');
      response.end(JSON.stringify({ url: message.url, headers: message.headers, method: message.method }));
    });
    const answer = await fetch(`${base}/a%20b/./../%7ec?x=1&y`.replace('/./..', ''), {
      headers: {
        ...{ 'x-own': 'v', 'x-forwarded-for': '6.6.6.6', 'X-Forwarded-Host': 'evil', forwarded: 'for=6.6.6.6' },
        ...{ x_forwarded_for: '6.6.6.6', 'x-real-ip': '6.6.6.6', te: 'trailers', 'accept-encoding': 'br' },
      },
    });
    const seen = (await answer.json()) as { url: string; headers: Record<string, string>; method: string };
    expect([seen.method, seen.url]).toEqual(['GET', '/a%20b/%7ec?x=1&y']);
    expect(seen.headers).toMatchObject({
      ...{ host: `127.0.0.1:${port}`, 'x-own': 'v', 'x-forwarded-for': '127.0.0.1', 'x-forwarded-proto': 'http' },
      ...{ 'x-forwarded-host': `127.0.0.1:${port}`, 'x-forwarded-prefix': '/~abc', 'accept-encoding': 'br' },
      forwarded: `for=127.0.0.1;host="127.0.0.1:${port}";proto=http`,
    });
    for (const name of ['te', 'x_forwarded_for', 'x-real-ip']) expect(seen.headers).not.toHaveProperty(name);
    expect(answer.headers.get('x-kept')).toBe('1, 2');
    expect(answer.headers.get('keep-alive')).not.toBe('timeout=99');
  });

  test('streams both ways at the same time', async () => {
    const { port } = await standing((message, response) => {
      response.flushHeaders();
      message.pipe(response);
    });
    const client = request({ port, path: '/~abc/', method: 'POST', headers: { 'transfer-encoding': 'chunked' } });
    client.flushHeaders();
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    for (const word of ['one', 'two', 'three']) {
      client.write(word);
      const [chunk] = (await once(answer, 'data')) as [Buffer];
      expect(chunk.toString()).toBe(word);
    }
    client.end();
    await once(answer, 'end');
  });

  test('a slow reader holds the workload back', async () => {
    let written = 0;
    const { port } = await standing((_, response) => {
      const piece = Buffer.alloc(64 * 1024);
      const push = () => {
        while (written < 256 * 1024 * 1024) {
          written += piece.length;
          if (!response.write(piece)) {
            response.once('drain', push);
            return;
          }
        }
        response.end();
      };
      push();
    });
    const client = get({ port, path: '/~abc/' });
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    // Buffers of the system fill up, then nothing moves.
    expect(await quiet(() => written)).toBeLessThan(64 * 1024 * 1024);
    let arrived = 0;
    for await (const chunk of answer) arrived += (chunk as Buffer).length;
    expect(arrived).toBe(256 * 1024 * 1024);
  });

  test('a slow workload holds the sender back', async () => {
    const size = 128 * 1024 * 1024;
    const go = Promise.withResolvers<void>();
    const { port } = await standing(async (message, response) => {
      await go.promise;
      let arrived = 0;
      for await (const chunk of message) arrived += (chunk as Buffer).length;
      response.end(String(arrived));
    });
    const headers = { 'content-length': String(size) };
    const client = request({ port, path: '/~abc/', method: 'POST', headers });
    let written = 0;
    const piece = Buffer.alloc(64 * 1024);
    const push = () => {
      let more = true;
      while (more && written < size) {
        written += piece.length;
        more = client.write(piece);
      }
      if (written < size) client.once('drain', push);
      else client.end();
    };
    push();
    expect(await quiet(() => written)).toBeLessThan(64 * 1024 * 1024);
    go.resolve();
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    expect(await textOf(answer)).toBe(String(size));
  });

  test('trailers go both ways; those that would frame or route do not', async () => {
    const { port } = await standing((message, response) => {
      message.resume().on('end', () => {
        response.writeHead(200, { trailer: 'x-sum' });
        response.write('body');
        response.addTrailers({ 'x-sum': JSON.stringify(message.trailers) });
        response.end();
      });
    });
    const answer = await raw(
      port,
      'POST /~abc/ HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n' +
        '2\r\nhi\r\n0\r\nx-own: 1\r\nhost: evil\r\nx-forwarded-for: 6.6.6.6\r\n\r\n',
    );
    expect(answer).toContain('\r\n0\r\nx-sum: {"x-own":"1"}\r\n\r\n');
  });

  test('early hints come through, HEAD and 304 have no body', async () => {
    const { port, base } = await standing((message, response) => {
      if (message.url === '/304') response.writeHead(304, { etag: '"1"' }).end();
      else {
        response.writeEarlyHints({ link: '</a.css>; rel=preload' });
        response.writeHead(200, { 'content-length': '5' }).end(message.method === 'HEAD' ? undefined : 'hello');
      }
    });
    const hinted = await raw(port, 'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(hinted).toMatch(
      /^HTTP\/1\.1 103 Early Hints\r\nlink: <\/a\.css>; rel=preload\r\n\r\nHTTP\/1\.1 200 OK\r\n/i,
    );
    const head = await fetch(`${base}/`, { method: 'HEAD' });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['5', '']);
    const same = await raw(port, 'GET /~abc/304 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    expect(same).toMatch(/^HTTP\/1\.1 304 Not Modified\r\n(?:[^\r]+\r\n)+\r\n$/);
  });

  test('Expect: the workload says whether it wants the body', async () => {
    const { port, gateway } = await standing(() => {});
    const server = await serveOn(
      (message, response) => void message.pipe(response),
      (one) =>
        one.on('checkContinue', (message, response) => {
          if (message.url === '/no') response.writeHead(417).end();
          else {
            response.writeContinue();
            message.pipe(response);
          }
        }),
    );
    open.push({ close: () => endOf(server) });
    gateway.setRoutes('abc', wholeService('7', [instanceOf(portOf(server))]));
    const head = (path: string) =>
      `POST /~abc${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n`;
    const yes = request({
      ...{ port, path: '/~abc/yes', method: 'POST' },
      headers: { expect: '100-continue', 'content-length': '2' },
    });
    await once(yes, 'continue');
    yes.end('hi');
    const [answer] = (await once(yes, 'response')) as [IncomingMessage];
    expect(await textOf(answer)).toBe('hi');
    // Refused: whether a body follows is open, so the connection ends.
    const no = await raw(port, `${head('/no')}\r\n`);
    expect(no).toMatch(/^HTTP\/1\.1 417 .*connection: close/is);
  });

  test('a workload that answers before the body has come is heard', async () => {
    const { port } = await standing((_, response) => {
      response.writeHead(413, { connection: 'close' }).end('too much');
    });
    const client = request({ port, path: '/~abc/', method: 'POST', headers: { 'content-length': '50000000' } });
    client.on('error', () => {});
    client.write(Buffer.alloc(1000));
    const [answer] = (await once(client, 'response')) as [IncomingMessage];
    expect(answer.statusCode).toBe(413);
    client.destroy();
  });

  test('bytes of bodies are counted both ways, and the request is a line of the log', async () => {
    const { base, gateway, lines } = await standing((message, response) => {
      message.resume().on('end', () => response.end('12345'));
    });
    await (await fetch(`${base}/x?secret=1`, { method: 'POST', body: '1234567' })).text();
    expect(gateway.takeUsage('abc')).toEqual({ requests: 1n, bytes: 12n });
    await until(() => lines.length > 0);
    expect(lines).toEqual([expect.stringMatching(/^request: POST \/x 200 \d+\.\d ms$/)]);
  });
});

describe('instances', () => {
  test('requests are spread over the ready ones, fewest under way first', async () => {
    const asked: number[] = [0, 0, 0];
    const held: (() => void)[] = [];
    const servers = await Promise.all(
      [0, 1, 2].map((index) =>
        serveOn((message, response) => {
          asked[index] = asked[index]! + 1;
          if (message.url === '/hold') held.push(() => response.end());
          else response.end();
        }),
      ),
    );
    for (const server of servers) open.push({ close: () => endOf(server) });
    const { base, gateway } = await standing(() => {});
    const ports = servers.map(portOf);
    gateway.setRoutes(
      'abc',
      wholeService('7', [...ports.slice(0, 2).map((port) => instanceOf(port)), instanceOf(ports[2]!, false)]),
    );
    for (let count = 0; count < 6; count += 1) await (await fetch(`${base}/`)).text();
    expect(asked).toEqual([3, 3, 0]);
    const holding = fetch(`${base}/hold`);
    await until(() => held.length === 1);
    const busy = asked.indexOf(4);
    for (let count = 0; count < 4; count += 1) await (await fetch(`${base}/`)).text();
    expect(asked[1 - busy]).toBe(7);
    held[0]!();
    await (await holding).text();
  });

  test('one that cannot be reached is passed over, also for a body that has not been sent', async () => {
    let now = 0;
    const dead = await serveOn(() => {});
    const deadPort = portOf(dead);
    await new Promise((resolve) => dead.close(resolve));
    const { base, instances, lines } = await standing((message, response) => void message.pipe(response), {
      now: () => now,
    });
    instances.unshift(instanceOf(deadPort));
    const unreachable = () => lines.filter((line) => line.includes('cannot be reached')).length;
    for (let count = 0; count < 4; count += 1) {
      expect(await (await fetch(`${base}/`, { method: 'POST', body: 'body' })).text()).toBe('body');
    }
    expect(unreachable()).toBe(1);
    // Later it is tried again.
    now += 5_001;
    for (let count = 0; count < 2; count += 1) await (await fetch(`${base}/`)).text();
    expect(unreachable()).toBe(2);
    instances.pop();
    const alone = await fetch(`${base}/`);
    expect([alone.status, ((await alone.json()) as { error: string }).error]).toEqual([502, 'unreachable']);
    instances.splice(0, 1, instanceOf(deadPort, false));
    const none = await fetch(`${base}/`);
    expect([none.status, none.headers.get('retry-after')]).toEqual([503, '5']);
  });

  test('a kept connection that the workload has closed is no failure', async () => {
    let answers = 0;
    const server = await rawWorkload((write, end, text) => {
      // The second request on a connection is what an idle one that is just being closed would get.
      answers += 1;
      if (answers === 2) end();
      else write(`HTTP/1.1 200 OK\r\nContent-Length: ${text.length > 0 ? 2 : 0}\r\n\r\nok`);
    });
    const { base, gateway } = await standing(() => {});
    gateway.setRoutes('abc', wholeService('7', [instanceOf(portOf(server))]));
    for (let count = 0; count < 3; count += 1) expect(await (await fetch(`${base}/`)).text()).toBe('ok');
    expect(answers).toBe(4);
  });

  test.each([
    ['no HTTP', 'hello\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['length and coding', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a header on two lines', 'HTTP/1.1 200 OK\r\nx: a\r\n b\r\nContent-Length: 0\r\n\r\n'],
    ['a line end within', 'HTTP/1.1 200 OK\r\nx: a\rb\r\nContent-Length: 0\r\n\r\n'],
    ['a status beyond 599', 'HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n'],
    ['nothing', ''],
  ])('502 for an answer that is none: %s', async (_, bytes) => {
    const server = await rawWorkload((write, end) => {
      write(bytes);
      end();
    });
    const { base, gateway } = await standing(() => {});
    gateway.setRoutes('abc', wholeService('7', [instanceOf(portOf(server))]));
    const answer = await fetch(`${base}/`);
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([502, 'bad_answer']);
  });

  test('504 where nothing comes in time, a cut where it stops in the middle', async () => {
    const { base, lines } = await standing(
      (message, response) => {
        if (message.url === '/half') response.write('half');
      },
      { limits: { answerMs: 50, answerIdleMs: 50 } },
    );
    const late = await fetch(`${base}/`);
    expect([late.status, ((await late.json()) as { error: string }).error]).toEqual([504, 'no_answer']);
    await expect(fetch(`${base}/half`).then((answer) => answer.text())).rejects.toThrow();
    await until(() => lines.some((line) => line.includes('GET /half 200 (cut)')));
  });

  test('a client that goes takes its request with it', async () => {
    const gone = Promise.withResolvers<void>();
    const { port } = await standing((_, response) => {
      response.on('close', () => gone.resolve());
      response.write('first');
    });
    const agent = new Agent();
    const client = get({ port, path: '/~abc/', agent });
    client.on('error', () => {});
    await once(client, 'response');
    client.destroy();
    await gone.promise;
  });
});
