import { request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { raw, received, type Stand, stand } from './fixture.ts';

let standing: Stand;
/** What arrived at the workload: method, path and body of each request. */
const seen: string[] = [];

beforeAll(async () => {
  standing = await stand((message, response) => {
    let body = '';
    message.on('data', (chunk) => {
      body += chunk;
    });
    message.on('end', () => {
      seen.push(`${message.method} ${message.url} ${body}`);
      response.end('answer');
    });
  });
});
afterAll(() => standing.close());
beforeEach(() => {
  seen.length = 0;
});

const head = 'POST /~abc/ HTTP/1.1\r\nHost: localhost\r\n';
/** What an attacker wants to have read as a request of its own. */
const hidden = 'GET /~abc/hidden HTTP/1.1\r\nHost: localhost\r\n\r\n';

describe('requests that two readers could read in two ways are refused with 400, and the connection ends', () => {
  test.each([
    ['Content-Length and Transfer-Encoding', `${head}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['Transfer-Encoding and Content-Length', `${head}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`],
    ['two Content-Lengths', `${head}Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde`],
    ['the same Content-Length twice', `${head}Content-Length: 4\r\nContent-Length: 4\r\n\r\nabcd`],
    ['a list as Content-Length', `${head}Content-Length: 4, 4\r\n\r\nabcd`],
    ['a Content-Length with a sign', `${head}Content-Length: +4\r\n\r\nabcd`],
    ['a negative Content-Length', `${head}Content-Length: -1\r\n\r\n`],
    ['a hexadecimal Content-Length', `${head}Content-Length: 0x4\r\n\r\nabcd`],
    ['an empty Content-Length', `${head}Content-Length:\r\n\r\n`],
    ['a Content-Length beyond all numbers', `${head}Content-Length: 99999999999999999999999\r\n\r\n`],
    ['another coding', `${head}Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n`],
    ['a coding before chunked', `${head}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`],
    ['chunked twice', `${head}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['chunked, then another', `${head}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`],
    ['a coding that looks like chunked', `${head}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`],
    ['chunked behind a vertical tab', `${head}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n`],
    ['chunked in HTTP/1.0', `POST /~abc/ HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['a space before the colon', `${head}Content-Length : 4\r\n\r\nabcd`],
    ['a space in a name', `${head}Content Length: 4\r\n\r\nabcd`],
    ['a header on two lines', `${head}X: a\r\n b\r\n\r\n`],
    ['a space before the first header', 'POST /~abc/ HTTP/1.1\r\n Host: localhost\r\nX: 1\r\n\r\n'],
    ['a bare CR in a value', `${head}X: a\rContent-Length: 4\r\n\r\n`],
    ['a bare LF between headers', 'POST /~abc/ HTTP/1.1\nHost: localhost\nContent-Length: 0\n\n'],
    ['a bare LF in a value', `${head}X: a\nTransfer-Encoding: chunked\r\n\r\n`],
    ['a zero in a value', `${head}X: a\0b\r\n\r\n`],
    ['an empty name', `${head}: a\r\n\r\n`],
    ['a chunk of no size', `${head}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
    ['a chunk of a negative size', `${head}Transfer-Encoding: chunked\r\n\r\n-1\r\n`],
    ['a chunk of 2⁶⁴ + 1 bytes', `${head}Transfer-Encoding: chunked\r\n\r\n10000000000000001\r\na\r\n0\r\n\r\n`],
    ['a chunk that ends elsewhere', `${head}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n`],
    ['a chunk size that ends in LF', `${head}Transfer-Encoding: chunked\r\n\r\n1\na\r\n0\r\n\r\n`],
    ['no Host', 'GET /~abc/ HTTP/1.1\r\n\r\n'],
    ['an empty Host', 'GET /~abc/ HTTP/1.1\r\nHost:\r\n\r\n'],
    ['two Hosts', 'GET /~abc/ HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n'],
    ['a Host with a path', 'GET /~abc/ HTTP/1.1\r\nHost: localhost/x\r\n\r\n'],
    ['a Host with a user', 'GET /~abc/ HTTP/1.1\r\nHost: a@localhost\r\n\r\n'],
    ['a Host with a space', 'GET /~abc/ HTTP/1.1\r\nHost: local host\r\n\r\n'],
    ['a Host with a port beyond 65535', 'GET /~abc/ HTTP/1.1\r\nHost: localhost:65536\r\n\r\n'],
    ['a Host beyond ASCII', 'GET /~abc/ HTTP/1.1\r\nHost: l\xf6calhost\r\n\r\n'],
    ['another host in the target', 'GET http://other/~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['another port in the target', 'GET http://localhost:1/~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a user in the target', 'GET http://localhost@other/~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a fragment in the target', 'GET /~abc/#x HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['no path', 'GET ~abc HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['another scheme', 'GET ftp://localhost/~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['a tunnel', 'CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n'],
    ['an older version', 'GET /~abc/ HTTP/0.9\r\n\r\n'],
    ['a version to come', 'GET /~abc/ HTTP/3.0\r\nHost: localhost\r\n\r\n'],
    ['HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an unknown method', 'BREW /~abc/ HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    [
      'a body behind an upgrade',
      `GET /~abc/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 4\r\n\r\nabcd`,
    ],
    ['TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
  ])('%s', async (_, bytes) => {
    const answer = await raw(standing.port, `${bytes}${hidden}`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer.toLowerCase()).toContain('connection: close');
    // One answer, and nothing behind the refused request was read as another.
    expect(answer.split('HTTP/1.1 ')).toHaveLength(2);
    expect(seen.filter((one) => one.includes('hidden'))).toEqual([]);
  });

  test('431 beyond the headers’ limits, of size and of number', async () => {
    const large = await raw(standing.port, `${head}X: ${'a'.repeat(17_000)}\r\n\r\n`);
    expect(large).toMatch(/^HTTP\/1\.1 431 /);
    const many = await raw(standing.port, `${head}${'A: b\r\n'.repeat(300)}\r\n`);
    expect(many).toMatch(/^HTTP\/1\.1 431 .*connection: close/is);
  });
});

describe('what has one meaning passes with that one', () => {
  test('absolute targets lose their origin; their host stands for Host', async () => {
    const bytes = 'GET http://LOCALHOST/~abc/x?y HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    expect(await raw(standing.port, bytes)).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).toEqual(['GET /x?y ']);
  });

  test('a body of a GET is framed on its way', async () => {
    const client = request({ port: standing.port, path: '/~abc/', headers: { 'transfer-encoding': 'chunked' } });
    client.end('GET /hidden HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => client.once('response', (answer) => answer.resume().on('end', resolve)));
    expect(seen).toEqual(['GET / GET /hidden HTTP/1.1\r\n\r\n']);
  });

  test('headers that Connection names stay here, Host and lengths among them never', async () => {
    const bytes = `${head}Content-Length: 2\r\nConnection: close, content-length\r\n\r\nhi`;
    const answer = await raw(standing.port, bytes);
    expect(answer).toMatch(/^HTTP\/1\.1 200 /);
    expect(seen).toEqual(['POST / hi']);
  });

  test('requests sent one behind the other are answered in their order', async () => {
    const socket = connect(standing.port, '127.0.0.1');
    const answers = received(socket);
    const one = (path: string, more = '') => `GET /~abc${path} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
    socket.write(`${one('/1')}${one('/none/%zz')}${one('/2', 'Connection: close\r\n')}`);
    const statuses = [...(await answers.ended).matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
    expect(statuses).toEqual(['200', '400', '200']);
    expect([...seen].sort()).toEqual(['GET /1 ', 'GET /2 ']);
  });
});
