import { Secp256k1HdWallet } from '@cosmjs/amino';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProviderRefusal } from '@mu/client/provider/errors';
import type { TenantAccess } from '@mu/client/provider/exchange';
import {
  events,
  type LogRequest,
  leaseMetrics,
  leaseStatus,
  logs,
  openExec,
} from '@mu/client/provider/provider-client';
import type { TenantScope } from '@mu/client/tenant/delegation';
import { compressedPoint, generateTenantKey } from '@mu/client/tenant/p256';
import { parseSince } from '../../src/api/routes.ts';
import { maxStreamsPerLease } from '../../src/api/streams.ts';
import { createWorld, type World } from './fixture.ts';

let world: World;
beforeEach(async () => {
  world = await createWorld();
});
afterEach(() => world.close());

/** Status and code that a call is refused with. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => new Error('not refused'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(ProviderRefusal);
  return `${(error as ProviderRefusal).status} ${(error as ProviderRefusal).code}`;
}

async function all<T>(entries: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const entry of entries) found.push(entry);
  return found;
}

/** Every path of a lease, asked by somebody. */
const paths: readonly (readonly [string, TenantScope, (access: TenantAccess) => Promise<unknown>])[] = [
  ['status', 'read', (access) => leaseStatus(world.at, access, 7n)],
  ['metrics', 'read', (access) => leaseMetrics(world.at, access, 7n)],
  ['logs', 'logs', (access) => all(logs(world.at, { access, lease: 7n }))],
  ['events', 'read', (access) => all(events(world.at, { access, lease: 7n }))],
  [
    'exec',
    'exec',
    (access) => openExec(world.at, { access, lease: 7n, service: 'web', instance: 0, command: ['sh'], tty: false }),
  ],
];

describe.each(paths)('%s', (_name, scope, ask) => {
  it('is nothing for another tenant, by whatever delegation', async () => {
    const stranger = await Secp256k1HdWallet.generate(12, { prefix: 'mu' });
    const scopes = [scope];
    expect(await refusal(ask(await world.access({ scopes }, stranger)))).toBe('403 wrong_deployment');
    const theirs = await world.access({ scopes }, stranger);
    const own = await world.access({ scopes });
    // The owner's text under a stranger's name, and by a key that the deployment does not have.
    const forged = { ...own.delegation, signer: theirs.delegation.signer };
    expect(await refusal(ask({ ...own, delegation: forged }))).toBe('401 wrong_signer');
    expect(await refusal(ask(await world.keyAccess(generateTenantKey(), { scopes })))).toBe('401 wrong_signer');
    expect(await refusal(ask(await world.access({ scopes, dseq: 18n })))).toBe('403 wrong_deployment');
  });

  it('is refused without its scope, whoever signs', async () => {
    const others = (['exec', 'logs', 'manifest', 'read'] as const).filter((other) => other !== scope);
    expect(await refusal(ask(await world.access({ scopes: others })))).toBe('403 scope');
    const key = generateTenantKey();
    world.chain.accessKeys = [{ publicKey: compressedPoint(key), scopes: others, expiresHeight: 0n }];
    expect(await refusal(ask(await world.keyAccess(key, { scopes: [scope] })))).toBe('403 scope');
  });
});

describe('access keys of the deployment', () => {
  it('act like the owner, for their scopes, until the block at which they end', async () => {
    const key = generateTenantKey();
    const access = () => world.keyAccess(key, { scopes: ['read'] });
    world.chain.accessKeys = [{ publicKey: compressedPoint(key), scopes: ['read', 'logs'], expiresHeight: 42n }];
    expect(await leaseStatus(world.at, await access(), 7n)).toMatchObject({ work: 'waiting' });
    world.chain.height = 43n;
    expect(await refusal(leaseStatus(world.at, await access(), 7n))).toBe('401 wrong_signer');
  });

  it('cannot sign for another delegation than their own', async () => {
    const key = generateTenantKey();
    world.chain.accessKeys = [{ publicKey: compressedPoint(key), scopes: ['read'], expiresHeight: 0n }];
    const access = await world.keyAccess(key, { scopes: ['read'] });
    const other = await world.keyAccess(key, { scopes: ['read'] });
    const mixed = { ...access.delegation, signature: other.delegation.signature };
    expect(await refusal(leaseStatus(world.at, { ...access, delegation: mixed }, 7n))).toBe('401 wrong_signer');
  });

  it('end what they follow when the chain no longer has them; what the chain cannot say ends nothing', async () => {
    const key = generateTenantKey();
    world.chain.accessKeys = [{ publicKey: compressedPoint(key), scopes: ['logs'], expiresHeight: 0n }];
    const access = await world.keyAccess(key, { scopes: ['logs'] });
    const followed = logs(world.at, { access, lease: 7n, follow: true });
    world.logs.append(7n, { service: 'f', stream: 'stderr', line: 'one' });
    expect((await followed.next()).value).toMatchObject({ line: 'one' });
    world.chain.down = true;
    const next = followed.next();
    // Longer than the server's interval of looking: what comes after it still arrives.
    await new Promise((resolve) => AbortSignal.timeout(100).addEventListener('abort', resolve));
    world.logs.append(7n, { service: 'f', stream: 'stderr', line: 'two' });
    expect((await next).value).toMatchObject({ line: 'two' });
    world.chain.down = false;
    world.chain.accessKeys = [];
    expect((await followed.next()).done).toBe(true);
  });
});

describe('status and metrics', () => {
  it('tell who gave the manifest: its user, or nothing where that is not known', async () => {
    const standing = { work: 'running', revision: 1n, endpoints: [] } as const;
    world.chain.leaseStatus = { ...standing, manifestFrom: [] };
    expect(await leaseStatus(world.at, await world.access(), 7n)).toMatchObject({ manifest_from: 'user' });
    world.chain.leaseStatus = standing;
    expect(await leaseStatus(world.at, await world.access(), 7n)).not.toHaveProperty('manifest_from');
  });

  it('tell services, instances, progress and why', async () => {
    world.chain.leaseStatus = {
      work: 'updating',
      revision: 2n,
      failedRevision: 1n,
      reason: 'x'.repeat(5_000),
      manifestFrom: ['mu1first', 'mu1second'],
      endpoints: [],
    };
    world.inside.services = [
      {
        service: 'web',
        kind: 'container',
        instances: [{ index: 0, state: 'backing_off', restarts: 2, lastEnd: 'exit code 1' }],
      },
      { service: 'f', kind: 'function', instances: [] },
    ];
    world.inside.progress = [
      { timeMs: Date.UTC(2026, 0, 1), service: 'web', line: 'fetching: 1 of 3 layers are here' },
    ];
    expect(await leaseStatus(world.at, await world.access(), 7n)).toMatchObject({
      work: 'updating',
      revision: 2n,
      failed_revision: 1n,
      reason: 'x'.repeat(2_000),
      manifest_from: ['mu1first', 'mu1second'],
      services: [
        {
          service: 'web',
          kind: 'container',
          instances: [{ index: 0, state: 'backing_off', restarts: 2, last_end: 'exit code 1' }],
        },
        { service: 'f', kind: 'function', instances: [] },
      ],
      progress: [
        {
          time: '2026-01-01T00:00:00.000Z',
          service: 'web',
          stream: 'system',
          line: 'fetching: 1 of 3 layers are here',
        },
      ],
    });
  });

  it('tell what instances take, and what is counted and not reported', async () => {
    const big = 2n ** 60n;
    world.inside.metrics = [
      {
        service: 'web',
        kind: 'container',
        cpuMillis: 100,
        memoryLimitBytes: 1024,
        diskLimitBytes: 0,
        instances: [{ index: 1, cpuMicros: big, memoryBytes: 2n, receivedBytes: 3n, sentBytes: 4n, diskBytes: 5n }],
      },
    ];
    world.inside.usage = { reportedTo: 9n, unreported: [{ service: 'web', metric: 'egress-bytes', quantity: big }] };
    expect(await leaseMetrics(world.at, await world.access(), 7n)).toEqual({
      lease: 7n,
      services: [
        {
          service: 'web',
          kind: 'container',
          cpu_limit_millis: 100,
          memory_limit_bytes: 1024n,
          disk_limit_bytes: 0n,
          instances: [
            { index: 1, cpu_micros: big, memory_bytes: 2n, received_bytes: 3n, sent_bytes: 4n, disk_bytes: 5n },
          ],
        },
      ],
      reported_to: 9n,
      unreported: [{ service: 'web', metric: 'egress-bytes', quantity: big }],
    });
  });
});

describe('logs', () => {
  const texts = async (wanted: Partial<LogRequest>): Promise<string[]> =>
    (await all(logs(world.at, { access: await world.access(), lease: 7n, ...wanted }))).map(({ line }) => line);

  it('are chosen by time, service, stream and number', async () => {
    const startMs = world.clock.nowMs;
    const write = (line: string, service: string, stream: 'stdout' | 'request') => {
      world.logs.append(7n, { service, stream, line });
      world.clock.nowMs += 60_000;
    };
    write('a', 'web', 'stdout');
    write('b', 'web', 'request');
    write('c', 'db', 'stdout');
    world.clock.nowMs = startMs + 180_000;
    expect(await texts({ service: 'web' })).toEqual(['a', 'b']);
    expect(await texts({ streams: ['request'] })).toEqual(['b']);
    write('{"stream":"request"}', 'db', 'stdout');
    expect(await texts({ streams: ['request'] })).toEqual(['b']);
    expect(await texts({ streams: ['stdout'], tail: 1 })).toEqual(['{"stream":"request"}']);
    world.clock.nowMs = startMs + 180_000;
    const last = '{"stream":"request"}';
    expect(await texts({ streams: ['request', 'stdout'], tail: 3 })).toEqual(['b', 'c', last]);
    expect(await texts({ since: '2m' })).toEqual(['b', 'c', last]);
    expect(await texts({ since: new Date(startMs + 120_000).toISOString() })).toEqual(['c', last]);
    expect(await texts({ since: '2m', tail: 1 })).toEqual([last]);
    expect(await texts({ after: 2 })).toEqual(['c', last]);
  });

  it('of a lease that is over are not waited for', async () => {
    world.chain.live = false;
    world.logs.append(7n, { service: 'f', stream: 'stderr', line: 'last' });
    expect(await texts({ follow: true })).toEqual(['last']);
  });

  it('are followed by so many at once, and the next is refused until one goes', async () => {
    const access = await world.access();
    world.logs.append(7n, { service: 'f', stream: 'stderr', line: 'one' });
    const readers = Array.from({ length: maxStreamsPerLease }, () => {
      const stop = new AbortController();
      return { stop, lines: logs(world.at, { access, lease: 7n, follow: true, signal: stop.signal }) };
    });
    await Promise.all(readers.map(({ lines }) => lines.next()));
    expect(await refusal(logs(world.at, { access, lease: 7n }).next())).toBe('429 busy');
    for (const { stop } of readers) stop.abort();
    await Promise.all(readers.map(({ lines }) => lines.next()));
    await expect(eventuallyRead(access)).resolves.toBe('one');
  });

  it('begin at a duration or a time, and nothing else', () => {
    expect(parseSince('90s')).toEqual({ agoMs: 90_000 });
    expect(parseSince('1d')).toEqual({ agoMs: 86_400_000 });
    expect(parseSince('2026-01-31T12:00:00+01:00')).toEqual({ atMs: Date.UTC(2026, 0, 31, 11) });
    for (const text of ['', '5', '5 m', 'yesterday', '2026-01-31', '2026-13-31T12:00:00Z', '-5m'])
      expect(() => parseSince(text)).toThrow(expect.objectContaining({ code: 'bad_request' }));
  });

  /** The server learns of a reader's end a moment after the reader. */
  async function eventuallyRead(access: TenantAccess): Promise<string> {
    for (;;) {
      try {
        const [line] = await all(logs(world.at, { access, lease: 7n }));
        return line?.line ?? '';
      } catch (error) {
        if (!(error instanceof ProviderRefusal) || error.code !== 'busy') throw error;
      }
    }
  }
});

describe('events', () => {
  it('come in order with their numbers and facts, from a number on, and as they happen', async () => {
    world.events.append(7n, { type: 'started', revision: '1', endpoints: ['http://a'] });
    world.events.append(7n, { type: 'memory-kill', service: 'web', instance: 0, reason: 'killed at its memory limit' });
    const access = await world.access();
    const found = await all(events(world.at, { access, lease: 7n }));
    expect(found).toMatchObject([
      { seq: 1, type: 'started', revision: '1', endpoints: ['http://a'] },
      { seq: 2, type: 'memory-kill', service: 'web', instance: 0, reason: 'killed at its memory limit' },
    ]);
    expect(await all(events(world.at, { access, lease: 7n, since: 1 }))).toHaveLength(1);
    const followed = events(world.at, { access, lease: 7n, since: 2, follow: true });
    const next = followed.next();
    world.events.append(7n, { type: 'paused' });
    expect((await next).value).toMatchObject({ seq: 3, type: 'paused' });
    const last = followed.next();
    await world.events.forget(7n);
    expect((await last).done).toBe(true);
  });
});
