import { beforeEach, expect, test } from '@jest/globals';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { Sender } from '@mu/client/chain/sender';
import { DeploymentState } from '@mu/proto/deployment';
import {
  CloseReason,
  Lease,
  LeaseState,
  ManifestState,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmations,
  Order,
} from '@mu/proto/market';
import { pino } from 'pino';
import type { Journal, LeaseRecord, ManifestRecord } from '../../src/journal/journal.ts';
import { LeaseKeeper } from '../../src/leases/lease-keeper.ts';
import type { LeaseRunner } from '../../src/leases/lease-runner.ts';
import type { ManifestStore } from '../../src/manifests/manifest-store.ts';
import type { UsageReporter } from '../../src/usage/usage-reporter.ts';
import { EngineError } from '../../src/workloads/container/engine.ts';

const provider = 'mu1provider';
const lease = (number: bigint, change: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({
    number,
    provider,
    order: { owner: 'mu1owner', dseq: number, infrastructure: 0, round: 1 },
    state: LeaseState.LEASE_STATE_ACTIVE,
    createdHeight: 5n,
    paidThrough: 5n,
    ...change,
  });
const record = (dseq: bigint): ManifestRecord => ({
  owner: 'mu1owner',
  dseq,
  revision: 1n,
  folder: '',
  version: new Uint8Array(32),
  infrastructures: ['main'],
});

let onChain: Lease[];
let held: ManifestRecord[];
let started: LeaseRecord[];
/** Deployments that stand on the chain, and are active. */
let deployed: bigint[];
let sent: { typeUrl: string; value: unknown }[];
let ran: string[];
let fails: boolean;
/** how long a start takes */
let starting: Promise<void>;
let engineIsAway: boolean;
let diskIsFull: boolean;
let diskIsBroken: boolean;
/** what stands sealed on the chain, and of which deployments it was asked for */
let sealed: ManifestRecord | Error | Promise<undefined> | undefined;
let asked: bigint[];
/** leases whose usage was looked at, to be reported */
let ticked: bigint[];
let keeper: LeaseKeeper;

beforeEach(() => {
  onChain = [];
  held = [];
  started = [];
  deployed = [];
  sent = [];
  ran = [];
  fails = false;
  starting = Promise.resolve();
  engineIsAway = false;
  diskIsFull = false;
  diskIsBroken = false;
  sealed = undefined;
  asked = [];
  ticked = [];
  const client = {
    market: {
      order: () => Promise.resolve({ order: Order.fromPartial({ spec: { name: 'main' } }) }),
      lease: ({ number }: { number: bigint }) => {
        const found = onChain.find((one) => one.number === number);
        if (found === undefined) return Promise.reject(new ChainError('no such lease', { code: 38, notFound: true }));
        return Promise.resolve({ lease: found });
      },
      leases: (of: { provider: string; owner: string; dseq: bigint }) =>
        Promise.resolve({
          leases: onChain.filter((one) => one.provider === of.provider && one.order?.dseq === of.dseq),
        }),
    },
    deployment: {
      deployment({ dseq }: { dseq: bigint }) {
        if (!deployed.includes(dseq)) return Promise.reject(new ChainError('none', { code: 38, notFound: true }));
        return Promise.resolve({ deployment: { state: DeploymentState.DEPLOYMENT_STATE_ACTIVE } });
      },
    },
  };
  const sender = {
    address: 'mu1operator',
    sendAndWait(messages: { typeUrl: string; value: unknown }[]) {
      if (fails) return Promise.reject(new Error('away'));
      sent.push(...messages);
      return Promise.resolve({ height: 9, data: new Uint8Array() } as CommittedTx);
    },
  };
  const runner = {
    poll: () => (diskIsFull ? Promise.reject(new Error('no space left')) : Promise.resolve()),
    async sweep(isOver: (lease: bigint) => Promise<boolean>) {
      for (const number of [1n, 2n, 3n, 4n]) if (await isOver(number)) ran.push(`swept ${number}`);
    },
    async start(place: { lease: bigint }, _lease: Lease, { revision }: { revision: bigint }) {
      ran.push(`start ${place.lease}/${revision}`);
      await starting;
      return ['http://a'];
    },
    stop(number: bigint) {
      ran.push(`stop ${number}`);
      return engineIsAway ? Promise.reject(new Error('the engine is away')) : Promise.resolve();
    },
    erase: () => Promise.resolve(),
  };
  const usage = {
    tick({ number }: Lease) {
      ticked.push(number);
      return diskIsFull ? Promise.reject(new Error('no space left')) : Promise.resolve();
    },
    finish: () => Promise.resolve(),
    owing: () => [],
  };
  const manifests = {
    list: () => held,
    remove(one: ManifestRecord) {
      if (diskIsBroken) throw new Error('EIO');
      held = held.filter((other) => other !== one);
    },
    keepUntil(one: ManifestRecord, eraseAt: bigint | undefined) {
      const { eraseAt: _before, ...rest } = one;
      held = held.map((other) => (other === one ? { ...rest, ...(eraseAt === undefined ? {} : { eraseAt }) } : other));
    },
    inGrace: () => held.filter(({ eraseAt }) => eraseAt !== undefined),
  };
  keeper = new LeaseKeeper({
    provider,
    client: client as unknown as ChainClient,
    sender: sender as unknown as Sender,
    journal: {
      leases: {
        get: () => undefined,
        all: () => started,
        put: () => undefined,
        delete(lease: bigint) {
          started = started.filter((one) => one.lease !== lease);
        },
      },
    } as unknown as Journal,
    manifests: manifests as unknown as ManifestStore,
    runner: runner as unknown as LeaseRunner,
    usage: usage as unknown as UsageReporter,
    rules: { confirmEveryBlocks: 10n },
    serveGraceBlocks: 100n,
    onEnd: (number) => ran.push(`end ${number}`),
    takeSealed(_owner, dseq) {
      asked.push(dseq);
      return sealed instanceof Error ? Promise.reject(sealed) : Promise.resolve(sealed);
    },
    log: pino({ level: 'silent' }),
  });
});

const lastSent = (): unknown => sent.at(-1)?.value;

/** Lets what was sent be answered. */
const settle = async (): Promise<void> => {
  await keeper.settled();
  await new Promise((resolve) => setImmediate(resolve));
};

test('a new lease is confirmed with the next block; several are confirmed by one message', async () => {
  await keeper.lease(lease(1n));
  await keeper.height(6n);
  await settle();
  expect(sent.map(({ typeUrl }) => typeUrl)).toEqual([`/${MsgSubmitLeaseConfirmation.$type}`]);
  await keeper.lease(lease(2n));
  await keeper.lease(lease(3n));
  await keeper.height(7n);
  await settle();
  expect(sent[1]?.typeUrl).toBe(`/${MsgSubmitLeaseConfirmations.$type}`);
  expect((lastSent() as MsgSubmitLeaseConfirmations).confirmations.map((one) => one.lease)).toEqual([2n, 3n]);
});

test('a manifest starts the workloads, and the next confirmation carries the address', async () => {
  await keeper.lease(lease(1n));
  keeper.manifest(record(1n));
  await settle();
  expect(ran).toEqual(['start 1/1']);
  expect(keeper.status(1n)).toEqual({ work: 'running', revision: 1n, endpoints: ['http://a'] });
  await keeper.height(6n);
  await settle();
  expect((lastSent() as MsgSubmitLeaseConfirmation).confirmation).toMatchObject({
    lease: 1n,
    endpoints: ['http://a'],
    manifestState: ManifestState.MANIFEST_STATE_RUNNING,
    manifestRevision: 1n,
  });
});

test('after a restart what is on the disk is started without anybody’s doing', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n, { firstConfirmedHeight: 6n, manifestRevision: 1n }));
  await settle();
  expect(ran).toEqual(['start 1/1']);
});

test('a confirmation that did not get through is sent again with the next block', async () => {
  await keeper.lease(lease(1n));
  fails = true;
  await keeper.height(6n);
  await settle();
  fails = false;
  await keeper.height(7n);
  await settle();
  expect(sent).toHaveLength(1);
});

test('a lease that is over is stopped once, and its manifest goes with it', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await settle();
  await keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_BROKEN, closedHeight: 8n }));
  await settle();
  await keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_BROKEN, closedHeight: 8n }));
  await settle();
  expect(ran).toEqual(['start 1/1', 'stop 1', 'end 1']);
  expect(held).toEqual([]);
});

test('a sweep ends what runs for leases that are over on the chain, not for those that a list has left out', async () => {
  onChain = [lease(2n), lease(3n, { state: LeaseState.LEASE_STATE_CLOSED })];
  await keeper.lease(lease(1n));
  await keeper.sweep();
  expect(ran).toEqual(['swept 3', 'swept 4']);
});

test('what is kept for a lease is kept by its record, not by a list', async () => {
  onChain = [lease(2n), lease(3n, { state: LeaseState.LEASE_STATE_CLOSED }), lease(4n, { provider: 'mu1other' })];
  await keeper.lease(lease(1n));
  expect([...(await keeper.living([1n, 2n, 3n, 4n, 5n]))]).toEqual([1n, 2n]);
});

test('a sweep stops what runs for a lease that ran out of funds while nobody looked', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_OUT_OF_FUNDS }));
  await keeper.sweep();
  await settle();
  expect(ran).toContain('stop 1');
  await keeper.lease(lease(1n));
  await keeper.sweep();
  await settle();
  expect(ran.filter((what) => what === 'stop 1')).toHaveLength(1);
  expect(ran).toContain('start 1/1');
});

test('what cannot be stopped while the engine is away is stopped with a later block, and the end comes after it', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await settle();
  engineIsAway = true;
  await keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 8n }));
  await settle();
  await keeper.height(9n);
  await settle();
  expect(ran).toEqual(['start 1/1', 'stop 1', 'stop 1']);
  engineIsAway = false;
  await keeper.height(10n);
  await settle();
  expect(ran.slice(3)).toEqual(['stop 1', 'end 1']);
  expect(keeper.leases()).toEqual([]);
});

test('a disk that is full keeps no lease from being confirmed', async () => {
  await keeper.lease(lease(1n));
  await keeper.lease(lease(2n));
  diskIsFull = true;
  await keeper.height(6n);
  await settle();
  expect(sent.map(({ typeUrl }) => typeUrl)).toEqual([`/${MsgSubmitLeaseConfirmations.$type}`]);
});

test('a pause that failed is not made up for when there are funds again', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await settle();
  engineIsAway = true;
  await keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_OUT_OF_FUNDS }));
  await settle();
  engineIsAway = false;
  await keeper.lease(lease(1n));
  await keeper.height(9n);
  await settle();
  expect(ran).toEqual(['start 1/1', 'stop 1', 'start 1/1']);
});

const ended = (number: bigint, reason: CloseReason, state: LeaseState = LeaseState.LEASE_STATE_CLOSED): Lease =>
  lease(number, { state, closeReason: reason, closedHeight: 8n });

test('a manifest whose last lease has ended normally is kept for its peers, up to a height', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await keeper.lease(ended(1n, CloseReason.CLOSE_REASON_BY_USER));
  await settle();
  expect(ran).toEqual(['start 1/1', 'stop 1', 'end 1']);
  expect(held).toMatchObject([{ dseq: 1n, eraseAt: 108n }]);
  await keeper.height(107n);
  expect(held).toHaveLength(1);
  await keeper.height(108n);
  expect(held).toEqual([]);
});

test.each<[string, Lease]>([
  ['broken', ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN)],
  ['closed for want of a manifest', ended(1n, CloseReason.CLOSE_REASON_MANIFEST_MISSING)],
  ['closed for a wrong manifest', ended(1n, CloseReason.CLOSE_REASON_MANIFEST_INVALID)],
  ['closed with its deployment', ended(1n, CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED)],
])('the manifest of a lease that was %s goes at once', async (_what, end) => {
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await keeper.lease(end);
  await settle();
  expect(held).toEqual([]);
});

test('a new lease of the deployment has a manifest stay that was to go', async () => {
  held = [{ ...record(1n), eraseAt: 50n }];
  await keeper.lease(lease(1n));
  await keeper.height(60n);
  await settle();
  expect(held).toEqual([record(1n)]);
  expect(ran).toEqual(['start 1/1']);
});

test('a sweep keeps a manifest for as long as its last lease says, and does not make that longer', async () => {
  held = [record(2n), { ...record(3n), eraseAt: 50n }];
  started = [2n, 3n].map((number) => ({
    ...{ lease: number, owner: 'mu1owner', dseq: number, revision: 1n, endpoints: [] },
  }));
  onChain = [2n, 3n].map((number) => ended(number, CloseReason.CLOSE_REASON_BY_USER));
  await keeper.sweep();
  expect(held.map(({ dseq, eraseAt }) => [dseq, eraseAt])).toEqual([
    [2n, 108n],
    [3n, 50n],
  ]);
  expect(started).toEqual([]);
});

test('a sweep erases manifests of leases that ended while the daemon was away, and no others', async () => {
  held = [record(1n), record(2n), record(3n)];
  started = [2n, 3n].map((number) => ({
    ...{ lease: number, owner: 'mu1owner', dseq: number, revision: 1n, endpoints: [] },
  }));
  await keeper.lease(lease(1n));
  onChain = [lease(2n, { state: LeaseState.LEASE_STATE_BROKEN }), lease(3n)];
  deployed = [1n, 2n, 3n];
  await keeper.sweep();
  expect(held.map(({ dseq }) => dseq)).toEqual([1n, 3n]);
  expect(started.map((one) => one.lease)).toEqual([3n]);
});

test('a manifest of which nothing was started goes with its deployment, whatever a list of leases says', async () => {
  held = [record(1n), record(2n)];
  deployed = [2n];
  await keeper.sweep();
  expect(held.map(({ dseq }) => dseq)).toEqual([2n]);
});

test('one of which nothing was started goes as its last lease here has ended while the daemon was away', async () => {
  held = [record(1n), record(2n), record(3n), record(4n)];
  deployed = [1n, 2n, 3n, 4n];
  onChain = [
    ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN),
    ended(2n, CloseReason.CLOSE_REASON_BY_USER),
    ended(3n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN),
    // Of which the watch has not told yet.
    lease(5n, { order: { owner: 'mu1owner', dseq: 3n, infrastructure: 0, round: 2 } }),
    lease(4n, { provider: 'mu1other', state: LeaseState.LEASE_STATE_BROKEN }),
  ];
  await keeper.sweep();
  expect(held.map(({ dseq, eraseAt }) => [dseq, eraseAt])).toEqual([
    [2n, 108n],
    [3n, undefined],
    [4n, undefined],
  ]);
});

test('a delivery that came whole when its lease had ended is found out, one for a lease of the next block is not', async () => {
  deployed = [1n, 2n];
  await keeper.lease(lease(1n));
  await keeper.lease(ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN));
  await settle();
  onChain = [ended(1n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN)];
  held = [record(1n)];
  await keeper.height(40n);
  await settle();
  expect(held).toEqual([record(1n)]);
  held = [record(1n), record(2n)];
  onChain.push(ended(2n, CloseReason.CLOSE_REASON_NOT_CONFIRMED, LeaseState.LEASE_STATE_BROKEN));
  await keeper.height(59n);
  await settle();
  expect(held).toHaveLength(2);
  await keeper.height(60n);
  await settle();
  expect(held).toEqual([record(2n)]);
});

describe('old revisions', () => {
  const of = (revision: bigint, infrastructures = ['main']): ManifestRecord => ({
    ...record(1n),
    ...{ revision, infrastructures },
  });
  const revisions = (): bigint[] => held.map(({ revision }) => revision);
  const comes = async (one: ManifestRecord): Promise<void> => {
    held = [...held, one];
    keeper.manifest(one);
    await settle();
  };

  it('go when nothing here runs them and the newest two are others', async () => {
    held = [of(1n), { ...record(2n) }];
    await keeper.lease(lease(1n));
    await settle();
    await comes(of(2n));
    expect(revisions()).toEqual([1n, 1n, 2n]);
    await comes(of(3n));
    expect(held.map(({ dseq, revision }) => [dseq, revision])).toEqual([
      [2n, 1n],
      [1n, 2n],
      [1n, 3n],
    ]);
  });

  it('stay while they run: updates that do not come up erase nothing but one another', async () => {
    held = [of(1n)];
    await keeper.lease(lease(1n));
    await settle();
    starting = Promise.reject(new Error('it does not come up'));
    starting.catch(() => undefined);
    for (const revision of [2n, 3n, 4n]) await comes(of(revision));
    await keeper.height(20n);
    await settle();
    expect(revisions()).toEqual([1n, 3n, 4n]);
    starting = Promise.resolve();
    await comes(of(5n));
    expect(revisions()).toEqual([4n, 5n]);
  });

  it('stay while they are being started, and while another lease of the deployment runs them', async () => {
    held = [of(1n)];
    await keeper.lease(lease(1n));
    await settle();
    await keeper.lease(lease(2n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 1, round: 1 } }));
    await settle();
    started = [{ lease: 2n, owner: 'mu1owner', dseq: 1n, revision: 1n, endpoints: [] }];
    const { promise, resolve } = Promise.withResolvers<void>();
    starting = promise;
    held = [of(1n), of(2n), of(3n), of(4n)];
    keeper.manifest(of(4n));
    await keeper.height(20n);
    expect(revisions()).toEqual([1n, 3n, 4n]);
    resolve();
    await settle();
    expect(revisions()).toEqual([1n, 3n, 4n]);
    started = [];
    await keeper.lease(
      lease(2n, {
        order: { owner: 'mu1owner', dseq: 1n, infrastructure: 1, round: 1 },
        ...{ state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 30n },
      }),
    );
    await settle();
    expect(revisions()).toEqual([3n, 4n]);
  });

  it('go after a restart, once it is known what ran', async () => {
    held = [of(1n), of(2n), of(3n), of(4n), of(5n)];
    started = [{ lease: 7n, owner: 'mu1owner', dseq: 1n, revision: 2n, endpoints: [] }];
    onChain = [lease(7n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 1, round: 1 } })];
    await keeper.sweep();
    expect(revisions()).toEqual([2n, 4n, 5n]);
  });

  it('one that cannot be erased is tried again with the next block', async () => {
    held = [of(1n), of(2n), of(3n)];
    diskIsBroken = true;
    await keeper.lease(lease(1n));
    await settle();
    expect(revisions()).toEqual([1n, 2n, 3n]);
    expect(keeper.status(1n)).toMatchObject({ work: 'running', revision: 3n });
    diskIsBroken = false;
    await keeper.height(20n);
    await settle();
    expect(revisions()).toEqual([2n, 3n]);
  });
});

test('a manifest that is sealed on the chain starts a lease that waits, and an update is looked at again', async () => {
  sealed = record(5n);
  await keeper.lease(lease(5n));
  await keeper.settled();
  expect(ran).toEqual(['start 5/1']);
  sealed = { ...record(5n), revision: 2n };
  keeper.deployment('mu1owner', 5n);
  await keeper.settled();
  expect(ran).toEqual(['start 5/1', 'start 5/2']);
  keeper.deployment('mu1owner', 6n);
  await keeper.settled();
  expect(asked).toEqual([5n, 5n]);
});

test('one that cannot be opened leaves the lease waiting', async () => {
  sealed = new Error('another key');
  await keeper.lease(lease(5n));
  await keeper.settled();
  expect(keeper.status(5n)?.work).toBe('waiting');
});

test('nothing is started, confirmed or reported for a lease that is over while its end waits for the engine', async () => {
  // The deployment has another lease here, so its manifest stays.
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await keeper.lease(lease(2n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 0, round: 2 } }));
  await settle();
  await keeper.height(6n);
  await settle();
  [ran, sent] = [[], []];
  engineIsAway = true;
  const over = lease(1n, { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 7n });
  await keeper.lease(over);
  await keeper.lease(over);
  held = [record(1n), { ...record(1n), revision: 2n }];
  keeper.manifest(held[1] as ManifestRecord);
  await keeper.height(19n);
  await settle();
  expect(ran).toEqual(['stop 1', 'start 2/2', 'stop 1']);
  expect((lastSent() as MsgSubmitLeaseConfirmation).confirmation?.lease).toBe(2n);
  expect(ticked).toEqual([1n, 2n, 2n]);
  engineIsAway = false;
  await keeper.height(20n);
  await settle();
  expect(ran.slice(3)).toEqual(['stop 1', 'end 1']);
});

test('an update that the engine could not try is tried again, also after three times', async () => {
  held = [record(1n)];
  await keeper.lease(lease(1n));
  await settle();
  starting = Promise.reject(new EngineError('the engine is away'));
  starting.catch(() => undefined);
  held = [record(1n), { ...record(1n), revision: 2n }];
  keeper.manifest(held[1] as ManifestRecord);
  await settle();
  for (let height = 6n; height <= 106n; height += 1n) {
    await keeper.height(height);
    await settle();
  }
  expect(ran.filter((what) => what === 'start 1/2').length).toBeGreaterThan(10);
  starting = Promise.resolve();
  for (let height = 107n; height <= 112n; height += 1n) {
    await keeper.height(height);
    await settle();
  }
  expect(keeper.status(1n)).toEqual({ work: 'running', revision: 2n, endpoints: ['http://a'] });
});

test('what was about to start when the lease ended does not come up behind its end', async () => {
  held = [record(1n)];
  await keeper.lease(lease(2n, { order: { owner: 'mu1owner', dseq: 1n, infrastructure: 0, round: 2 } }));
  await settle();
  ran = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  starting = promise;
  await keeper.lease(lease(1n));
  await keeper.lease(lease(1n, { state: LeaseState.LEASE_STATE_CLOSED, closedHeight: 7n }));
  held = [record(1n), { ...record(1n), revision: 2n }];
  resolve();
  await settle();
  expect(ran).toEqual(['start 1/1', 'stop 1', 'end 1']);
});

test('leases are confirmed while sealed manifests are looked for, however long the chain takes to prove them', async () => {
  const { promise: proved, resolve } = Promise.withResolvers<void>();
  sealed = proved.then(() => undefined);
  for (let number = 1n; number <= 40n; number += 1n) await keeper.lease(lease(number));
  await keeper.height(6n);
  expect((lastSent() as MsgSubmitLeaseConfirmations).confirmations).toHaveLength(40);
  expect(asked).toHaveLength(16);
  resolve();
  await settle();
  expect(asked).toHaveLength(40);
});
