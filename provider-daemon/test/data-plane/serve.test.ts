import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { DataPlane } from '../../src/data-plane/data-plane.ts';
import type { ServedFunction, ServedLease } from '../../src/data-plane/plane.ts';
import { Totals } from '../../src/data-plane/totals.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { wholeRoute } from '../../src/gateway/routes.ts';
import { NullDriver } from '../../src/workloads/null-driver.ts';

let folder: string;
let gateway: Gateway;
let totals: Totals;
let plane: DataPlane;
let url: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-serve-'));
  gateway = new Gateway();
  totals = new Totals(join(folder, 'totals'));
  const driver = new NullDriver((spec) => ({
    stdout: `content-type: text/plain\n\n${Buffer.from(spec.artifact.bytes).toString()}`,
  }));
  plane = new DataPlane({ driver, gateway, totals, ways: { upstreams: [] } });
  const { host, port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  url = `http://${host}:${port}/~label/`;
});
afterEach(async () => {
  await gateway.close();
  await totals.close();
  rmSync(folder, { recursive: true });
});

/** A function whose module is its own text. */
function functionOf(text: string): ServedFunction {
  const file = join(folder, text);
  writeFileSync(file, text);
  const sha256 = createHash('sha256').update(text).digest('hex');
  return { service: 'f', file, sha256, memoryBytes: 1024 * 1024, timeoutMs: 1000, env: {} };
}

const leaseOf = (text: string, more: Partial<ServedLease> = {}): ServedLease => ({
  ...{ lease: '1', deployment: 'o/1', functions: [functionOf(text)], workloads: [], relays: [], names: [] },
  gateways: [
    {
      label: 'label',
      service: 'gw',
      routes: [{ ...wholeRoute('f', 1), to: { kind: 'function', name: 'f' } }],
      hosts: [],
    },
  ],
  ...more,
});

test('where an address cannot be had, all is served as before: the old functions too', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const listen = { address: '127.0.0.1', port: (other.address() as AddressInfo).port };
  const relays = [{ listen, protocol: 'tcp' as const, to: { service: 'db', port: 5432 }, metered: false }];
  await plane.serve(leaseOf('one'));
  await expect(plane.serve(leaseOf('two', { relays }))).rejects.toThrow('cannot be listened at');
  expect(await (await fetch(url)).text()).toBe('one');
  other.close();
  await once(other, 'close');
  await plane.serve(leaseOf('two', { relays }));
  expect(await (await fetch(url)).text()).toBe('two');
  await plane.withdraw('1');
});
