/** Connections between infrastructures: who may call whom, from either end. */
import { describe, expect, test } from '@jest/globals';
import type { ManifestHead } from '@mu/client/manifest/head';
import { build, twoPlaces } from '../../../client/test/manifest/fixture.ts';
import { read, sample } from '../../../client/test/stack/sample.ts';
import { bothOf, farConnections, maxFarWays } from '../../src/leases/far-connections.ts';
import { planOf } from '../../src/leases/plan.ts';
import { headOf, tcp, workload } from './far-fixture.ts';

/** `caller>callee/connection:port/protocol@infrastructures` */
const callsOf = (head: ManifestHead, infrastructure: string): string[] =>
  farConnections(head, infrastructure).farCalls.map(
    ({ caller, callee, connection, port, protocol, infrastructures }) =>
      `${caller}>${callee}/${connection}:${port}/${protocol}@${infrastructures}`,
  );

/** `infrastructure/caller>callee/connection:port/protocol` */
const offersOf = (head: ManifestHead, infrastructure: string): string[] =>
  farConnections(head, infrastructure).farOffers.flatMap(({ callee, connection, port, protocol, callers }) =>
    callers.map((one) => `${one.infrastructure}/${one.workload}>${callee}/${connection}:${port}/${protocol}`),
  );

/** Two workloads in front, and `db` with one connection behind. */
const behind = (...connections: ReturnType<typeof tcp>[]) =>
  headOf({ front: [workload('web'), workload('job')], back: [workload('db', ...connections), workload('tool')] });

describe('a connection is open', () => {
  test.each<[string, ReturnType<typeof tcp>, string[]]>([
    ['to all workloads of the deployment', tcp('sql', 5432), ['web', 'job']],
    ['to the workloads that it names', tcp('sql', 5432, { from: ['job', 'tool'] }), ['job']],
    ['to all datacenters', tcp('sql', 5432, { scope: 'datacenter' }), ['web', 'job']],
    ['to the datacenters that it names', tcp('sql', 5432, { scope: 'datacenter', from: ['front'] }), ['web', 'job']],
    ['to no other datacenter', tcp('sql', 5432, { scope: 'datacenter', from: ['back', 'web'] }), []],
    ['to no workload of the name of a datacenter', tcp('sql', 5432, { from: ['front'] }), []],
    ['by its public address alone', tcp('sql', 5432, { scope: 'global' }), []],
  ])('%s', (_what, connection, callers) => {
    const head = behind(connection);
    expect(callsOf(head, 'front')).toEqual(callers.map((one) => `${one}>db/sql:5432/tcp@back`));
    expect(offersOf(head, 'back')).toEqual(callers.map((one) => `front/${one}>db/sql:5432/tcp`));
    expect([offersOf(head, 'front'), callsOf(head, 'back')]).toEqual([[], []]);
  });
});

test('HTTP goes by TCP, UDP stays UDP', () => {
  const head = behind(
    tcp('http', 80, { protocol: 'http', from: ['web'] }),
    tcp('dns', 53, { protocol: 'udp', from: ['web'] }),
  );
  expect(callsOf(head, 'front')).toEqual(['web>db/http:80/tcp@back', 'web>db/dns:53/udp@back']);
  expect(offersOf(head, 'back')).toEqual(['front/web>db/http:80/tcp', 'front/web>db/dns:53/udp']);
});

test('what runs in several infrastructures is called in all of them, but by whoever has it beside itself', () => {
  const db = workload('db', tcp('sql', 5432));
  const head = headOf({ front: [workload('web')], east: [db], west: [db, workload('job')] });
  expect(callsOf(head, 'front')).toEqual(['web>db/sql:5432/tcp@east,west']);
  expect(callsOf(head, 'west')).toEqual([]);
  expect(offersOf(head, 'east')).toEqual(['front/web>db/sql:5432/tcp']);
  expect(offersOf(head, 'west')).toEqual(['front/web>db/sql:5432/tcp']);
});

test('infrastructures that say another port than the first are not called, and offer nothing', () => {
  const head = headOf({
    front: [workload('web')],
    east: [workload('db', tcp('sql', 5432))],
    west: [workload('db', tcp('sql', 5433))],
    north: [workload('db', tcp('sql', 5432, { protocol: 'udp' }))],
  });
  expect(callsOf(head, 'front')).toEqual(['web>db/sql:5432/tcp@east']);
  expect([offersOf(head, 'west'), offersOf(head, 'north')]).toEqual([[], []]);
});

test('both ends find the same pairs', () => {
  const head = headOf({
    a: [workload('one', tcp('p', 1)), workload('two', tcp('q', 2, { scope: 'datacenter', from: ['b'] }))],
    b: [workload('three', tcp('r', 3, { from: ['one'] })), workload('two', tcp('q', 2))],
    c: [workload('four', tcp('s', 4))],
  });
  const infrastructures = ['a', 'b', 'c'];
  const called = infrastructures.flatMap((from) =>
    farConnections(head, from).farCalls.flatMap(({ caller, callee, connection, infrastructures: at }) =>
      at.map((to) => `${from}/${caller} ${to}/${callee} ${connection}`),
    ),
  );
  const offered = infrastructures.flatMap((to) =>
    farConnections(head, to).farOffers.flatMap(({ callee, connection, callers }) =>
      callers.map(
        ({ infrastructure, workload: caller }) => `${infrastructure}/${caller} ${to}/${callee} ${connection}`,
      ),
    ),
  );
  expect(called.length).toBeGreaterThan(5);
  expect([...offered].sort()).toEqual([...called].sort());
});

test('more pairs than are carried are refused, from either end, with what to do', () => {
  const many = (count: number) => {
    const callers = Array.from({ length: count / 64 }, (_none, i) => workload(`web${i}`));
    const ports = Array.from({ length: 64 }, (_none, i) => tcp(`p${i}`, i + 1));
    return headOf({ front: callers, back: [workload('db', ...ports)] });
  };
  expect(farConnections(many(maxFarWays), 'front').farCalls).toHaveLength(maxFarWays);
  for (const end of ['front', 'back'])
    expect(() => farConnections(many(maxFarWays + 64), end)).toThrow(
      `more than 1024 pairs of workloads are connected between ${end} and other infrastructures: declare fewer`,
    );
});

test('a plan names far callees among the peers of their callers', () => {
  const head = headOf({
    front: [workload('web'), workload('cache', tcp('redis', 6379, { from: ['web'] }))],
    back: [workload('db', tcp('sql', 5432, { from: ['web'] }), tcp('stats', 9000, { from: ['web'] }))],
  });
  const place = { lease: 7n, owner: 'mu1owner', dseq: 1n, infrastructure: 'front' };
  const fileOf = (): never => {
    throw new Error('no files');
  };
  const plan = planOf({ place, head, secrets: { env: {} }, fileOf });
  expect(plan.containers.map(({ service, peers }) => [service, peers])).toEqual([
    ['cache', []],
    ['web', ['cache', 'db']],
  ]);
  expect(plan.farCalls.map(({ connection }) => connection)).toEqual(['sql', 'stats']);
  expect(plan.connections).toHaveLength(1);
});

test('while either of two plans may run the ways of both are open, the newer one’s first', () => {
  const before = farConnections(behind(tcp('sql', 5432, { from: ['web'] }), tcp('old', 1, { from: ['web'] })), 'front');
  const after = farConnections(behind(tcp('sql', 5433)), 'front');
  expect(
    bothOf(after, before).farCalls.map(({ caller, connection, port }) => `${caller} ${connection} ${port}`),
  ).toEqual([...['web sql 5433', 'web old 1', 'job sql 5433']]);
  const offers = (head: ManifestHead) => farConnections(head, 'back');
  const both = bothOf(
    offers(behind(tcp('sql', 5432, { from: ['job'] }))),
    offers(behind(tcp('sql', 5432, { from: ['web'] }))),
  );
  expect(both.farOffers.map(({ callers }) => callers.map(({ workload: name }) => name))).toEqual([['web'], ['job']]);
});

test('a stack file says it, and its manifest carries it', () => {
  const text = `${sample}  - { type: Workload, name: web, container: web, compute: { cpu: 1, memory: 256MiB } }
  - type: Workload
    name: db
    container: db
    compute: { cpu: 1, memory: 1GiB }
    connections:
      - { name: sql, port: 5432, protocol: tcp, scope: workload, from: [web] }
      - { name: stats, port: 9187, protocol: http, scope: datacenter }
`;
  const { head } = build({
    stack: read(text).stack,
    placements: [
      { ...twoPlaces[0]!, services: ['web'] },
      { ...twoPlaces[1]!, services: ['db'] },
    ],
    images: new Map(['web', 'db'].map((name) => [name, `${name}@sha256:${'a'.repeat(64)}`])),
  });
  expect(callsOf(head, 'main')).toEqual(['web>db/sql:5432/tcp@spare', 'web>db/stats:9187/tcp@spare']);
  expect(offersOf(head, 'spare')).toEqual(['main/web>db/sql:5432/tcp', 'main/web>db/stats:9187/tcp']);
});
