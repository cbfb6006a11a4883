import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Gateway } from '../../src/gateway/gateway.ts';
import { endOf, instanceOf, portOf, raw, serveOn, until, wholeService } from './fixture.ts';

let server: Awaited<ReturnType<typeof serveOn>>;
let gateway: Gateway;
let port: number;
const held: (() => void)[] = [];

beforeAll(async () => {
  server = await serveOn((message, response) => {
    if (message.url === '/hold') held.push(() => response.end('held'));
    else response.end(`${message.headers.host} ${message.url}`);
  });
  gateway = new Gateway({ domain: 'mu.example' });
  ({ port } = await gateway.listen({ host: '127.0.0.1', port: 0 }));
});
afterAll(async () => {
  await gateway.close();
  await endOf(server);
});

const service = (deployment: string, hosts: readonly string[] = []) => ({
  ...wholeService(deployment, [instanceOf(portOf(server))]),
  hosts,
});
const ask = (host: string, path = '/x') =>
  raw(port, `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);

test('hosts of the tenant’s own lead to it; the first deployment has a host, the next when that goes', async () => {
  gateway.setRoutes('one', service('1', ['WWW.tenant.example']));
  gateway.setRoutes('two', service('2', ['www.tenant.example', 'two.example']));
  const before = () => [gateway.usage('one').requests, gateway.usage('two').requests];
  expect(await ask('www.TENANT.example:8080')).toMatch(/^HTTP\/1\.1 200 .*www\.TENANT\.example:8080 \/x/s);
  expect(await ask('two.example.')).toMatch(/^HTTP\/1\.1 200 /);
  expect(before()).toEqual([1n, 1n]);
  gateway.remove('one');
  expect(await ask('www.tenant.example')).toMatch(/^HTTP\/1\.1 200 /);
  expect(before()).toEqual([0n, 2n]);
  gateway.setRoutes('two', service('2'));
  expect(await ask('www.tenant.example')).toMatch(/^HTTP\/1\.1 421 .*connection: close/is);
});

test('a path leads to a deployment only where no other host is meant', async () => {
  gateway.setRoutes('one', service('1'));
  expect(await ask('127.0.0.1', '/~one/x')).toMatch(/^HTTP\/1\.1 200 .*\/x$/s);
  expect(await ask('evil.example', '/~one/x')).toMatch(/^HTTP\/1\.1 421 /);
  expect(await ask('two.mu.example', '/~one/x')).toMatch(/^HTTP\/1\.1 200 .*\/~one\/x$/s);
  expect(await ask('none.mu.example', '/~one/x')).toMatch(/^HTTP\/1\.1 404 /);
});

test('requests under way are finished when their deployment goes', async () => {
  gateway.setRoutes('one', service('1'));
  const answer = ask('one.mu.example', '/hold');
  await until(() => held.length === 1);
  gateway.remove('one');
  held[0]!();
  expect(await answer).toMatch(/^HTTP\/1\.1 200 .*held$/s);
});

test('a drain ends idle connections at once, finishes what is under way, and cuts what is not done in time', async () => {
  const own = new Gateway({ domain: 'mu.example' });
  const at = await own.listen({ host: '127.0.0.1', port: 0 });
  own.setRoutes('one', service('1'));
  const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: one.mu.example\r\n\r\n`;
  const idle = raw(at.port, request('/idle'));
  await until(() => own.usage('one').bytes > 0n);
  const finished = raw(at.port, request('/hold'));
  await until(() => held.length === 2);
  const cut = raw(at.port, request('/hold'));
  await until(() => held.length === 3);
  const drained = own.drain(1_000);
  expect(await idle).toMatch(/^HTTP\/1\.1 200 /);
  held[1]!();
  expect(await finished).toMatch(/^HTTP\/1\.1 200 .*held$/s);
  const started = performance.now();
  await drained;
  expect(performance.now() - started).toBeLessThan(3_000);
  expect(await cut).toBe('');
  await expect(raw(at.port, request('/'))).resolves.toBe('');
  expect(own.takeUsage('one').requests).toBe(3n);
});
