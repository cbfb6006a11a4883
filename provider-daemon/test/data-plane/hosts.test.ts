/** Host names of tenants' own: what the data plane serves under them, and what it tells the tenants. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import dns from 'dns-packet';
import { pino } from 'pino';
import { DataPlane } from '../../src/data-plane/data-plane.ts';
import type { ServedLease } from '../../src/data-plane/plane.ts';
import { planeFiles } from '../../src/data-plane/settings.ts';
import { PlaneSupervisor } from '../../src/data-plane/supervisor.ts';
import { Totals } from '../../src/data-plane/totals.ts';
import { Gateway } from '../../src/gateway/gateway.ts';
import { MemoryHostStore } from '../../src/gateway/host-store.ts';
import { HostBook, recheckMs } from '../../src/gateway/hosts.ts';
import { NullDriver } from '../../src/workloads/null-driver.ts';
import { eventually } from '../workloads/driver-compliance.ts';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(60);

const host = 'shop.example.org';
/** A lease whose gateway has routes to nothing: who is found answers 503, nobody 404. */
function leaseOf(lease: string, deployment: string, hosts: readonly string[], label = `label${lease}`): ServedLease {
  const routes = [{ path: '/...', methods: [], to: { kind: 'function', name: 'gone' } as const }];
  return {
    ...{ lease, deployment, functions: [], workloads: [], relays: [], names: [] },
    gateways: [{ label, service: 'gw', hosts, routes }],
  };
}

function statusOf({ host: address, port }: { host: string; port: number }, name: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const sent = request({ host: address, port, headers: { host: name }, agent: false }, (answer) => {
    answer.resume();
    resolve(answer.statusCode ?? 0);
  });
  sent.once('error', reject);
  sent.end();
  return promise;
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-hosts-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('in one process, on a clock of the test', () => {
  let now: number;
  let records: Record<string, string[]>;
  let lines: string[];
  let troubles: unknown[];
  let gateway: Gateway;
  let totals: Totals;
  let plane: DataPlane;
  let at: { host: string; port: number };
  let store: MemoryHostStore;

  beforeEach(async () => {
    [now, records, lines, troubles] = [0, {}, [], []];
    store = new MemoryHostStore();
    gateway = new Gateway();
    totals = new Totals(join(folder, 'totals'));
    plane = new DataPlane({
      ...{ driver: new NullDriver(() => ({})), gateway, totals, ways: { upstreams: [] } },
      hosts: {
        book: (onChange) =>
          new HostBook({
            ...{ store, onChange, now: () => now, reserved: ['mu.example'], log: { info: () => {}, warn: () => {} } },
            resolver: { txt: async (name) => records[name] ?? [] },
          }),
        log: ({ deployment, service }, stream, line) => void lines.push(`${deployment}/${service} ${stream}: ${line}`),
        onTrouble: (error) => void troubles.push(error),
      },
    });
    at = await gateway.listen({ host: '127.0.0.1', port: 0 });
  });
  afterEach(async () => {
    await gateway.close();
    await totals.close();
  });

  test('a name is served once it is proved, also to the lease that takes over; its tenant is told what is missing', async () => {
    await plane.serve(leaseOf('1', 'mu1a/1', [host, 'x.mu.example'], 'label'));
    await plane.checkHosts();
    expect(await statusOf(at, host)).toBe(404);
    expect(lines).toEqual([
      `1/gw system: the host name ${host} is not served yet: the TXT record _mu.${host} does not say mu1a/1 yet`,
      '1/gw system: the host name x.mu.example is not served: this name belongs to the provider',
    ]);
    records[`_mu.${host}`] = ['mu1a/1'];
    now += 60_000;
    await plane.checkHosts();
    expect([await statusOf(at, host), lines.at(-1)]).toEqual([
      503,
      `1/gw system: the host name ${host} is proved and served`,
    ]);
    await plane.checkHosts();
    expect(lines).toHaveLength(3);
    // A second lease of the deployment, as in a handover: it answers at once, and the first is not in its way.
    await plane.serve(leaseOf('2', 'mu1a/1', [host], 'label'));
    await plane.withdraw('1');
    expect(await statusOf(at, host)).toBe(503);
    expect(await statusOf(at, 'x.mu.example')).toBe(404);
    await plane.withdraw('2');
    expect(await statusOf(at, host)).toBe(404);
    expect(store.load()).toEqual([]);
  });

  test('the first proof has a name; when its record is gone the next one has it', async () => {
    records[`_mu.${host}`] = ['mu1a/1', 'mu1b/2'];
    await plane.serve(leaseOf('1', 'mu1a/1', [host]));
    await plane.checkHosts();
    await plane.serve(leaseOf('2', 'mu1b/2', [host]));
    await plane.checkHosts();
    expect(lines.at(-1)).toMatch(/^2\/gw system: .*deployment mu1a\/1 has proved shop\.example\.org before/);
    await statusOf(at, host);
    expect([gateway.usage('label1').requests, gateway.usage('label2').requests]).toEqual([1n, 0n]);
    records[`_mu.${host}`] = ['mu1b/2'];
    now += recheckMs;
    await plane.checkHosts();
    await statusOf(at, host);
    expect([gateway.usage('label1').requests, gateway.usage('label2').requests]).toEqual([1n, 1n]);
    expect(lines.slice(-2)).toEqual([
      expect.stringMatching(/^1\/gw system: the host name shop\.example\.org is not served yet/),
      `2/gw system: the host name ${host} is proved and served`,
    ]);
  });

  test('what the manifest no longer names is no longer served', async () => {
    records[`_mu.${host}`] = ['mu1a/1'];
    await plane.serve(leaseOf('1', 'mu1a/1', [host]));
    await plane.checkHosts();
    expect(await statusOf(at, host)).toBe(503);
    await plane.serve(leaseOf('1', 'mu1a/1', []));
    expect(await statusOf(at, host)).toBe(404);
  });

  test('a disk that cannot keep proofs is told, and ends nothing', async () => {
    records[`_mu.${host}`] = ['mu1a/1'];
    store.put = () => {
      throw new Error('no space left');
    };
    await plane.serve(leaseOf('1', 'mu1a/1', [host]));
    await plane.checkHosts();
    expect(troubles).toContainEqual(new Error('no space left'));
    // The name is served as soon as its proof is kept.
    expect(await statusOf(at, host)).toBe(404);
    store.put = (proof) => MemoryHostStore.prototype.put.call(store, proof);
    await plane.checkHosts();
    expect([await statusOf(at, host), lines.at(-1)]).toEqual([
      503,
      `1/gw system: the host name ${host} is proved and served`,
    ]);
  });

  test('a disk that cannot let proofs go keeps no name served, and no lease', async () => {
    records[`_mu.${host}`] = ['mu1a/1'];
    await plane.serve(leaseOf('1', 'mu1a/1', [host]));
    await plane.checkHosts();
    store.delete = () => {
      throw new Error('no space left');
    };
    records[`_mu.${host}`] = [];
    now += recheckMs;
    await plane.checkHosts();
    expect(await statusOf(at, host)).toBe(404);
    records[`_mu.${host}`] = ['mu1a/1'];
    now += recheckMs;
    await plane.checkHosts();
    expect(await statusOf(at, host)).toBe(503);
    await plane.withdraw('1');
    expect(await plane.served()).toEqual([]);
    expect(await statusOf(at, host)).toBe(404);
  });
});

test('the process asks the configured name servers, and keeps proofs in its folder', async () => {
  const names = createSocket('udp4').bind(0, '127.0.0.1');
  await once(names, 'listening');
  names.on('message', (bytes, { port, address }) => {
    const { id, questions = [] } = dns.decode(bytes);
    const answers = questions.map(({ name }) => ({
      type: 'TXT' as const,
      name,
      data: name === `_mu.${host}` ? 'mu1a/1' : 'x',
    }));
    names.send(dns.encode({ type: 'response', id: id ?? 0, questions, answers }), port, address);
  });
  const lines: string[] = [];
  const supervisor = await PlaneSupervisor.start({
    settings: {
      folder: join(folder, 'plane'),
      gateway: { listen: { host: '127.0.0.1', port: 0 }, domain: '', limits: {} },
      host: { address: '127.0.0.1', port: 0, api: '/nowhere/api', peer: '/nowhere/peer', allowPrivatePeers: true },
      hosts: { nameServers: [`127.0.0.1:${(names.address() as AddressInfo).port}`], reserved: [] },
      ...{ resolvers: [], functions: { maxInstances: 1 }, orphanMs: 60_000 },
    },
    onLog: (_workload, stream, line) => void lines.push(`${stream}: ${line}`),
    log: pino({ level: 'silent' }),
  });
  try {
    await supervisor.serve(leaseOf('1', 'mu1a/1', [host]));
    await eventually('the name', async () => ((await statusOf(supervisor.gateway, host)) === 503 ? true : undefined));
    await eventually('the line', () =>
      lines.find((line) => line === `system: the host name ${host} is proved and served`),
    );
    const kept = JSON.parse(readFileSync(join(folder, 'plane', planeFiles.hosts), 'utf8')) as unknown;
    expect(kept).toEqual([expect.objectContaining({ host, id: 'mu1a/1' })]);
  } finally {
    await supervisor.end();
    names.close();
  }
});
