import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DataPlane } from '../../src/data-plane/data-plane.ts';
import type { ServedWorkload } from '../../src/data-plane/plane.ts';
import { Totals } from '../../src/data-plane/totals.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { wholeRoute } from '../../src/gateway/routes.ts';
import { UnderWay } from '../../src/gateway/upstreams.ts';
import { drainedBy } from '../../src/leases/instances.ts';
import { NullDriver } from '../../src/workloads/null-driver.ts';
import { endOf } from '../gateway/fixture.ts';

const [first, second] = ['127.0.0.1', '127.0.0.2'] as const;

let folder: string;
let gateway: Gateway;
let totals: Totals;
let plane: DataPlane;
let url: string;
let port: number;
let servers: Server[];
/** Requests that an instance has, and has not answered. */
let held: ServerResponse[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-drain-'));
  held = [];
  servers = [];
  port = 0;
  for (const address of [first, second]) {
    const server = createServer((message, response) => {
      if (message.url === '/held') held.push(response);
      else response.end(address);
    });
    server.listen(port, address);
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
    servers.push(server);
  }
  gateway = new Gateway();
  totals = new Totals(join(folder, 'totals'));
  plane = new DataPlane({ driver: new NullDriver(() => ({})), gateway, totals, ways: { upstreams: [] } });
  const at = await gateway.listen({ host: '127.0.0.1', port: 0 });
  url = `http://${at.host}:${at.port}/~label`;
  const gateways = [{ label: 'label', service: 'gw', routes: [wholeRoute('web', port)], hosts: [] }];
  await plane.serve({
    ...{ lease: '1', deployment: 'o/1', functions: [], relays: [], names: [] },
    gateways,
    workloads: [placedAt(first)],
  });
});
afterEach(async () => {
  await gateway.close();
  await Promise.all(servers.map(endOf));
  await totals.close();
  rmSync(folder, { recursive: true });
});

const placedAt = (address: string): ServedWorkload => ({ service: 'web', instances: [{ address, ready: true }] });
const ask = async (path = '/'): Promise<string> => (await fetch(`${url}${path}`)).text();

test('an instance that goes may end what it answers, while others get all that is new', async () => {
  const asked = ask('/held');
  await once(servers[0]!, 'request');
  const troubles: unknown[] = [];
  let isOver = false;
  const leaving = drainedBy(plane, (_, error) => void troubles.push(error))(
    { deployment: '1', service: 'web' },
    { staying: [{ index: 0, state: 'ready', restarts: 0, address: second }], leaving: [first] },
  ).then(() => {
    isOver = true;
  });
  // The data plane takes its turns in order: this one comes after the other was placed.
  await plane.place('1', []);
  expect([await ask(), await ask(), await ask()]).toEqual([second, second, second]);
  expect(isOver).toBe(false);
  held[0]!.end('late, but whole');
  await leaving;
  expect(await asked).toBe('late, but whole');
  expect(troubles).toEqual([]);
});

test('nothing is waited for where nothing is under way, or the lease is not served', async () => {
  await ask();
  await plane.drain('1', [first]);
  await plane.drain('2', [first]);
  // Longer than any test lasts.
  const underWay = new UnderWay();
  underWay.begin(second);
  await underWay.over([first], 3_600_000);
});

test('the wait has an end; a data plane that is gone is told as trouble, and holds nobody up', async () => {
  const underWay = new UnderWay();
  underWay.begin(first);
  await underWay.over([first], 1);
  const gone = { place: () => Promise.reject(new Error('gone')), drain: () => Promise.reject(new Error('gone')) };
  const troubles: string[] = [];
  const leave = drainedBy(gone, (lease, error) => void troubles.push(`${lease}: ${(error as Error).message}`));
  await leave({ deployment: '1', service: 'web' }, { staying: [], leaving: [first] });
  expect(troubles).toEqual(['1: gone']);
});
