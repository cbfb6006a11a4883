/** When links are looked at, what the data plane hears of it, and that nothing else is held up. */
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ServedLinks } from '../../src/data-plane/links.ts';
import { type FarConnections, farConnections, noFarConnections } from '../../src/leases/far-connections.ts';
import { looksPerBlock, turnsPerBlock } from '../../src/leases/link-book.ts';
import { LinkKeeper, startWaitMs } from '../../src/leases/link-keeper.ts';
import type { Participant, PeerProvider } from '../../src/leases/participants.ts';
import { TunnelCertificates } from '../../src/leases/tunnel-certificates.ts';
import { eventually } from '../network/support/eventually.ts';
import { ManualTimers } from '../overlay/support/manual-timers.ts';
import { endOf, makeProvider } from '../overlay/support/providers.ts';
import { counted } from '../support/surroundings.ts';
import { chainId, deploymentOf, headOf, owner, participant, providerOf, tcp, workload } from './far-fixture.ts';

const around = counted();
const plan = farConnections(headOf({ front: [workload('web')], back: [workload('db', tcp('sql', 5432))] }), 'front');

let height: bigint;
/** By dseq. */
let participants: Map<bigint, readonly Participant[]>;
let providers: Map<string, PeerProvider>;
/** What the chain was asked, by dseq or address. */
let asked: string[];
/** What the data plane heard. */
let heard: string[];
let linked: Map<string, ServedLinks>;
let warned: string[];
let isChainAway: boolean;
let isPlaneAway: boolean;
/** Held up by tests: what a look waits for. */
let gate: Promise<void>;
/** Which questions it holds up. */
let held: string;
let timers: ManualTimers;
let keeper: LinkKeeper;

const standing = { participants: [participant(1n, 'mu1here', 'front'), participant(2n, 'mu1there', 'back')] };

function answered<T>(question: string, answer: () => T): Promise<T> {
  asked.push(question);
  return (question.startsWith(held) ? gate : Promise.resolve()).then(() => {
    if (isChainAway) throw new Error('the chain is away');
    return answer();
  });
}

function told(what: string): void {
  if (isPlaneAway) throw new Error('the data plane is away');
  heard.push(what);
}

beforeEach(async () => {
  [height, participants, providers] = [50n, new Map([[7n, standing.participants]]), new Map()];
  providers.set('mu1there', providerOf('mu1there'));
  [asked, heard, linked, warned] = [[], [], new Map(), []];
  [isChainAway, isPlaneAway, gate, held, timers] = [false, false, Promise.resolve(), '', new ManualTimers()];
  const own = await makeProvider('mu1here', around);
  const { provider, nodeId } = endOf(own, 'web');
  keeper = new LinkKeeper({
    participants: {
      view: () => answered('view', () => ({ chainId, height, verifiedAtMs: Number(height) * 10 })),
      deployment: (_owner, dseq) =>
        answered(`deployment ${dseq}`, () => deploymentOf(...(participants.get(dseq) ?? []))),
      provider: (name) => answered(`provider ${name}`, () => providers.get(name)),
    },
    plane: {
      async link(lease, links) {
        told(`link ${lease}: ${links.tunnels.map(({ peer }) => peer.provider)}`);
        linked.set(lease, links);
      },
      view: async (view) => told(`view ${view.height} at ${view.verifiedAtMs}`),
    },
    node: { chainId, provider, nodeId },
    certificates: new TunnelCertificates({ nodeKey: own.nodeKey, nodeCertificate: { der: own.node } }, around),
    timers,
    log: pino({ level: 'warn' }, { write: (line: string) => void warned.push(JSON.parse(line).msg) }),
  });
});
afterEach(async () => {
  await keeper.close();
});

const start = (lease: bigint, dseq = 7n, of: FarConnections = plan): Promise<void> =>
  keeper.started({ lease, owner, dseq, infrastructure: 'front' }, of);

/** A block, and all that is looked at for it. */
async function block(complete = false): Promise<void> {
  height += 1n;
  keeper.height(complete);
  await keeper.settled();
}

/** So many deployments, of one lease each, from dseq 100 on. */
async function startMany(count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const [lease, dseq] = [BigInt(1000 + i), BigInt(100 + i)];
    participants.set(dseq, [participant(lease, 'mu1here', 'front')]);
    await start(lease, dseq);
  }
  asked = [];
}

const lookedAt = (): string[] => asked.filter((one) => one.startsWith('deployment'));

test('a lease is linked when it starts, with credentials, and the data plane is told how far the chain is seen', async () => {
  await start(1n);
  expect(heard).toEqual(['view 50 at 500', 'link 1: mu1there']);
  const [tunnel] = linked.get('1')!.tunnels;
  expect(tunnel).toMatchObject({ role: 'caller', credentials: { cert: expect.stringContaining('BEGIN CERTIFICATE') } });
  expect(keeper.links(1n)).toEqual([
    { role: 'caller', service: 'web', connection: 'sql', peer: 'mu1there/node-1 back/db' },
  ]);
});

test('with each block the view is told, and links only where they have changed', async () => {
  await start(1n);
  heard = [];
  await block();
  expect(heard).toEqual(['view 51 at 510']);
  participants.set(7n, [...standing.participants, participant(3n, 'mu1new', 'back')]);
  providers.set('mu1new', providerOf('mu1new'));
  await block();
  expect(heard).toEqual(['view 51 at 510', 'view 52 at 520', 'link 1: mu1new,mu1there']);
});

describe('an end is told with the next block, without any event:', () => {
  test.each<[string, () => void]>([
    ['of the peer’s lease', () => participants.set(7n, standing.participants.slice(0, 1))],
    [
      'of the lease itself',
      () => participants.set(7n, [{ ...standing.participants[0]!, standing: 'closed' }, standing.participants[1]!]),
    ],
    ['of the deployment', () => participants.delete(7n)],
    [
      'of the peer’s node',
      () => providers.set('mu1there', providerOf('mu1there', { 'node-1': { removedHeight: 51n } })),
    ],
    ['of the peer', () => providers.delete('mu1there')],
  ])('%s', async (_what, end) => {
    await start(1n);
    end();
    await block();
    expect(linked.get('1')).toEqual({ tunnels: [], neighbours: [], offers: [] });
  });
});

test('that the peer’s workloads run now is told: whoever waits for them need not wait for its turn', async () => {
  const [mine, there] = standing.participants as [Participant, Participant];
  participants.set(7n, [mine, { ...there, isRunning: false }]);
  await start(1n);
  heard = [];
  participants.set(7n, standing.participants);
  await block();
  expect(heard).toEqual(['view 51 at 510', 'link 1: mu1there']);
  expect(linked.get('1')?.tunnels.map(({ facts }) => facts.leases[0]?.isRunning)).toEqual([true]);
});

test('a provider is asked about once a block, however many deployments it serves', async () => {
  await startMany(3);
  for (const dseq of [100n, 101n, 102n])
    participants.set(dseq, [participant(dseq + 900n, 'mu1here', 'front'), participant(dseq, 'mu1there', 'back')]);
  await block();
  expect(asked.filter((one) => one.startsWith('provider'))).toEqual(['provider mu1there']);
  expect(heard.slice(-3).sort()).toEqual(['link 1000: mu1there', 'link 1001: mu1there', 'link 1002: mu1there']);
});

describe('turns', () => {
  test('so many deployments are looked at with each block; of more, those next that waited the longest', async () => {
    await startMany(looksPerBlock + 3);
    await block();
    const first = lookedAt();
    expect(first).toEqual(Array.from({ length: looksPerBlock }, (_none, i) => `deployment ${100 + i}`));
    asked = [];
    await block();
    const rest = ['deployment 132', 'deployment 133', 'deployment 134'];
    expect(lookedAt().sort()).toEqual([...first.slice(0, looksPerBlock - 3), ...rest]);
  });

  test('what a block touched is looked at at once, and the others’ turns go on', async () => {
    await startMany(100);
    for (let i = 99; i >= 100 - 2 * looksPerBlock; i -= 1) keeper.deployment({ owner, dseq: BigInt(100 + i) });
    keeper.deployment({ owner, dseq: 7n });
    await block();
    expect(lookedAt().slice(0, 2)).toEqual(['deployment 199', 'deployment 198']);
    expect(lookedAt()).toHaveLength(2 * looksPerBlock + turnsPerBlock);
    asked = [];
    await block();
    expect(lookedAt()).toHaveLength(looksPerBlock);
  });

  test('a provider’s change concerns the deployments that have to do with it', async () => {
    await startMany(60);
    participants.set(155n, [...participants.get(155n)!, participant(9n, 'mu1there', 'back')]);
    keeper.deployment({ owner, dseq: 155n });
    await block();
    asked = [];
    keeper.provider('mu1there');
    keeper.provider('mu1stranger');
    await block();
    expect(lookedAt()[0]).toBe('deployment 155');
    expect(lookedAt()).toHaveLength(looksPerBlock);
  });

  test('after a gap, and with a new certificate of the node, it is everybody’s turn', async () => {
    await startMany(50);
    await block(true);
    expect(lookedAt()).toHaveLength(50);
    asked = [];
    const own = await makeProvider('mu1here', around);
    keeper.renew({ nodeKey: own.nodeKey, nodeCertificate: { der: own.node } });
    await block();
    expect(lookedAt()).toHaveLength(50);
  });
});

test('a new certificate of the node gives tunnels new credentials', async () => {
  await start(1n);
  const before = linked.get('1')!.tunnels[0]!.credentials.cert;
  const own = await makeProvider('mu1here', around);
  keeper.renew({ nodeKey: own.nodeKey, nodeCertificate: { der: own.node } });
  await block();
  expect(linked.get('1')!.tunnels[0]!.credentials.cert).not.toBe(before);
});

test('while the chain is away what was linked stays, that is said once, and what was touched is looked at later', async () => {
  await start(1n);
  await startMany(looksPerBlock);
  [heard, isChainAway] = [[], true];
  keeper.deployment({ owner, dseq: 7n });
  await block();
  await block();
  expect(heard).toEqual([]);
  expect(warned).toEqual([expect.stringContaining('what was linked stays')]);
  isChainAway = false;
  asked = [];
  await block();
  expect(lookedAt()[0]).toBe('deployment 7');
  isChainAway = true;
  await block();
  expect(warned).toHaveLength(2);
});

test('a look that fails holds up no other and is repeated with the next block', async () => {
  await start(1n);
  await startMany(looksPerBlock);
  participants.set(7n, [...standing.participants, participant(3n, 'mu1new', 'back')]);
  providers.get = () => {
    throw new Error('no proof');
  };
  heard = [];
  keeper.deployment({ owner, dseq: 7n });
  await block();
  expect([heard, warned.length]).toEqual([['view 51 at 510'], 1]);
  providers = new Map([['mu1new', providerOf('mu1new')]]);
  await block();
  expect(heard.slice(1)).toEqual(['view 52 at 520', 'link 1: mu1new']);
});

test('what the data plane did not hear is told again', async () => {
  isPlaneAway = true;
  await start(1n);
  expect(heard).toEqual([]);
  isPlaneAway = false;
  await block();
  expect(heard).toEqual(['view 51 at 510', 'link 1: mu1there']);
});

describe('a start', () => {
  test('waits for its links only so long; they come later', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    const started = start(1n);
    timers.advance(startWaitMs);
    await started;
    expect(heard).toEqual([]);
    resolve();
    await keeper.settled();
    expect(heard).toEqual(['view 50 at 500', 'link 1: mu1there']);
  });

  test('goes on while the chain is away, and is linked with a later block', async () => {
    isChainAway = true;
    await start(1n);
    isChainAway = false;
    await block();
    expect(heard).toEqual(['view 51 at 510', 'link 1: mu1there']);
  });

  test('with a plan that leads nowhere cuts what an earlier one was linked by, and asks nobody', async () => {
    await start(1n);
    [asked, heard] = [[], []];
    await start(1n, 7n, noFarConnections);
    await block();
    expect([asked, heard]).toEqual([['view'], ['link 1: ', 'view 51 at 510']]);
  });

  test('with another plan is told even where its links are the same', async () => {
    await start(1n);
    await start(1n);
    expect(heard.filter((one) => one.startsWith('link'))).toHaveLength(2);
  });
});

describe('an end', () => {
  test('is the last that is heard of a lease', async () => {
    await start(1n);
    keeper.stopped(1n);
    [asked, heard] = [[], []];
    keeper.deployment({ owner, dseq: 7n });
    await block();
    expect([asked, heard, keeper.links(1n)]).toEqual([['view'], ['view 51 at 510'], []]);
  });

  test('overtakes a look that is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await start(1n);
    [asked, heard, gate, held] = [[], [], promise, 'deployment'];
    participants.delete(7n);
    keeper.height(false);
    await eventually('the look', () => asked.includes('deployment 7'));
    keeper.stopped(1n);
    resolve();
    await keeper.settled();
    expect(heard).toEqual(['view 50 at 500']);
  });
});

test('blocks that come while it looks are one, and hold up nobody', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  await start(1n);
  [asked, gate] = [[], promise];
  for (let i = 0; i < 5; i += 1) keeper.height(false);
  resolve();
  await keeper.settled();
  expect(asked.filter((one) => one === 'view')).toHaveLength(2);
});

test('more tunnels than are held are said once, with what to do', async () => {
  const ports = Array.from({ length: 64 }, (_none, i) => tcp(`p${i}`, i + 1));
  const many = farConnections(headOf({ front: [workload('web')], back: [workload('db', ...ports)] }), 'front');
  const nodes = Object.fromEntries(Array.from({ length: 5 }, (_none, i) => [`node-${i}`, {}]));
  providers.set('mu1there', providerOf('mu1there', nodes));
  await start(1n, 7n, many);
  await block();
  expect(linked.get('1')!.tunnels).toHaveLength(256);
  expect(warned).toEqual([expect.stringContaining('name fewer callers')]);
});
