/** Who is not let in gets nothing: not a piece, not a word, not whether a manifest is here. */
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { certificatePem, issueNode } from '../../src/identity/certificates.ts';
import { toPem } from '../../src/identity/keys.ts';
import { realTimers } from '../../src/overlay/timers.ts';
import { peerLimits } from '../../src/peers/limits.ts';
import { encodeMessage } from '../../src/swarm/wire.ts';
import { eventually } from '../network/support/eventually.ts';
import { chainId, makeProvider, type TestProvider } from '../overlay/support/providers.ts';
import { counted } from '../support/surroundings.ts';
import { helloFor, stranger } from './support/stranger.ts';
import { around, credentialsOf, type TestPeer, World } from './support/world.ts';

let world: World;
let holder: TestPeer;
let other: TestProvider;
beforeEach(async () => {
  world = new World(3);
  holder = await world.peer('holder');
  holder.store.give(world.manifest);
  world.block();
  await holder.exchange.settled();
  other = await makeProvider('mu1other00000000', around);
  world.register(other, 1);
});
const undo: Array<() => unknown> = [];
afterEach(async () => {
  await world.close();
  for (const step of undo.splice(0)) step();
});

/** It says hello, and is hung up on without a byte. */
async function isRefused(shown: { key?: string; cert?: string }, reason: string, hello = helloFor(world.manifest)) {
  const one = await stranger(holder.port, shown);
  one.say(hello);
  await eventually('it is hung up on', () => one.isOver);
  expect(one.bytes).toBe(0);
  const { refused, sentBytes, connections } = holder.exchange.figures();
  expect({ refused, sentBytes, connections }).toEqual({ refused: { [reason]: 1 }, sentBytes: 0, connections: 0 });
}

test('one with a lease is let in', async () => {
  world.lease(other.provider);
  const one = await stranger(holder.port, credentialsOf(other));
  one.say(helloFor(world.manifest));
  await eventually('hello', () => one.of('hello').length === 1);
  one.say({ type: 'get-head' });
  await eventually('head', () => one.of('head').length === 1);
  expect(one.of('head')[0]?.bytes).toEqual(world.manifest.headBytes);
});

test('without a certificate', () => isRefused({}, 'certificates_malformed'));

test('under a root that is not the chain’s', async () => {
  world.lease(other.provider);
  const impostor = await makeProvider(other.provider, counted());
  await isRefused(credentialsOf(impostor), 'other_root');
});

test('the right root, and no lease', () => isRefused(credentialsOf(other), 'no_lease'));

test('a lease of another deployment', async () => {
  world.others.push(world.lease(other.provider));
  world.participants = world.participants.filter(({ provider }) => provider !== other.provider);
  await isRefused(credentialsOf(other), 'no_lease');
  const second = await stranger(holder.port, credentialsOf(other));
  second.say(helloFor(world.manifest, { dseq: 8n }));
  await eventually('it is hung up on', () => second.isOver);
  expect(second.bytes).toBe(0);
  expect(holder.exchange.figures().refused).toEqual({ no_lease: 1, other_manifest: 1 });
});

test('a lease that was broken, and one that ended before the grace', async () => {
  const lease = world.lease(other.provider, { standing: 'broken', closedHeight: world.height });
  await isRefused(credentialsOf(other), 'no_lease');
  world.participants = world.participants.map((one) =>
    one.lease === lease.lease ? { ...one, standing: 'closed' as const, closedHeight: world.height - 101n } : one,
  );
  const second = await stranger(holder.port, credentialsOf(other));
  second.say(helloFor(world.manifest));
  await eventually('it is hung up on', () => second.isOver);
  expect([second.bytes, holder.exchange.figures().refused]).toEqual([0, { no_lease: 2 }]);
});

test('an expired certificate', async () => {
  world.lease(other.provider);
  const { rootKey, root, nodeKey, nodeId, provider } = other;
  const name = { chainId, provider, nodeId };
  const before = counted(Date.now() - 40 * 86_400_000);
  const node = await issueNode({ rootKey, rootCertificate: root, nodeKey, name }, before);
  await isRefused({ key: toPem(nodeKey), cert: certificatePem(node) + certificatePem(root) }, 'expired');
});

test('a node that was removed', async () => {
  world.lease(other.provider);
  const known = world.providers.get(other.provider);
  world.providers.set(other.provider, { ...known!, nodes: new Map() });
  await isRefused(credentialsOf(other), 'revoked');
});

test('another revision than the chain’s, and another version', async () => {
  world.lease(other.provider);
  await isRefused(credentialsOf(other), 'other_manifest', helloFor(world.manifest, { revision: 2n }));
  const second = await stranger(holder.port, credentialsOf(other));
  second.say(helloFor(world.manifest, { version: new Uint8Array(32) }));
  await eventually('it is hung up on', () => second.isOver);
  expect([second.bytes, holder.exchange.figures().refused]).toEqual([0, { other_manifest: 2 }]);
});

test('a view of the chain that is too old', async () => {
  world.lease(other.provider);
  world.verifiedAtMs = () => Date.now() - 660_000;
  await isRefused(credentialsOf(other), 'view_too_old');
});

test('the chain away from the first moment', async () => {
  world.isAway = true;
  world.height += 1n;
  world.lease(other.provider);
  await isRefused(credentialsOf(other), 'chain_away');
});

test('a second message before it was let in, and another one first', async () => {
  const shown = credentialsOf(other);
  const early = await stranger(holder.port, shown);
  early.socket.write(Buffer.concat([encodeMessage(helloFor(world.manifest)), encodeMessage({ type: 'get-head' })]));
  const rude = await stranger(holder.port, shown);
  rude.say({ type: 'get-head' });
  await eventually('both are hung up on', () => early.isOver && rude.isOver);
  expect([early.bytes, rude.bytes]).toEqual([0, 0]);
});

test('strangers who are silent take nobody’s place', async () => {
  world.lease(other.provider);
  const silent = await Promise.all(Array.from({ length: peerLimits.strangers }, () => stranger(holder.port, {})));
  await eventually('all are there', () => silent.length === peerLimits.strangers);
  const one = await stranger(holder.port, credentialsOf(other));
  one.say(helloFor(world.manifest));
  await eventually('hello', () => one.of('hello').length === 1);
  await eventually('one gave way', () => silent.filter(({ isOver }) => isOver).length === 1);
  for (const { socket } of silent) socket.destroy();
});

test('strangers do not make us ask the chain more than once a second beyond its blocks', async () => {
  const asked: string[] = [];
  // The clock of the exchange stands still.
  const nowMs = Date.now();
  const still = await world.peer('still', { change: { timers: { ...realTimers, now: () => nowMs } } });
  still.store.give(world.manifest);
  world.block();
  await still.exchange.settled();
  const { deployment, provider } = world.facts;
  world.facts.deployment = (...of) => {
    asked.push('deployment');
    return deployment(...of);
  };
  world.facts.provider = (of) => {
    asked.push(of);
    return provider(of);
  };
  for (let count = 0; count < 8; count += 1) {
    const one = await stranger(still.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('it is hung up on', () => one.isOver);
  }
  expect(still.exchange.figures().refused).toEqual({ no_lease: 8 });
  expect(asked).toEqual(['deployment']);
});

test('who is connected and loses its lease is cut within two blocks', async () => {
  world.lease(other.provider);
  const one = await stranger(holder.port, credentialsOf(other));
  one.say(helloFor(world.manifest));
  await eventually('hello', () => one.of('hello').length === 1);
  world.participants = world.participants.filter(({ provider }) => provider !== other.provider);
  world.block();
  world.block();
  await eventually('it is cut', () => one.isOver);
  expect(holder.exchange.figures().dropped).toEqual({ 'not-admitted': 1 });
});

test('what was recorded of a connection is of no use in another', async () => {
  const taker = await world.peer('taker');
  const recorded: Buffer[] = [];
  const relay = createServer((near) => {
    const far = connectTcp(holder.port, '127.0.0.1');
    near
      .on('data', (chunk: Buffer) => recorded.push(chunk))
      .pipe(far)
      .pipe(near);
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  undo.push(() => relay.close());
  await new Promise<void>((resolve) => relay.listen(0, '127.0.0.1', () => resolve()));
  const { port } = relay.address() as { port: number };
  world.providers.set(holder.provider, {
    ...world.providers.get(holder.provider)!,
    hostUri: `https://127.0.0.1:${port}`,
  });
  world.block();
  await eventually('the recorded transfer', () => taker.taken.size === 1);
  await taker.exchange.close();
  await eventually('it is over', () => holder.exchange.figures().connections === 0);
  const before = holder.exchange.figures();
  const again: Socket = connectTcp(holder.port, '127.0.0.1');
  again.on('error', () => {}).on('data', () => {});
  let isOver = false;
  again.on('close', () => {
    isOver = true;
  });
  again.write(Buffer.concat(recorded));
  await eventually('the replay is hung up on', () => isOver);
  expect(Buffer.concat(recorded).length).toBeGreaterThan(2_000);
  expect(holder.exchange.figures()).toEqual(before);
});

test('the lease holder that the chain shows in the last moment is let in', async () => {
  await holder.exchange.settled();
  const one = await stranger(holder.port, credentialsOf(other));
  world.lease(other.provider, { infrastructure: 'db' });
  one.say(helloFor(world.manifest));
  await eventually('hello', () => one.of('hello').length === 1);
  one.say({ type: 'get-keys' });
  await eventually('keys', () => one.of('keys').length === 1);
  expect(one.of('keys')[0]?.keys).toEqual(
    ['common', 'db'].map((infrastructure) => ({ infrastructure, key: world.manifest.keys.get(infrastructure) })),
  );
});

test('who has no lease makes us ask the chain once a block, however often it comes', async () => {
  const asked = jest.spyOn(world.facts, 'deployment');
  const askedProvider = jest.spyOn(world.facts, 'provider');
  for (let come = 0; come < 4; come += 1) {
    const one = await stranger(holder.port, credentialsOf(other));
    one.say(helloFor(world.manifest));
    await eventually('it is hung up on', () => one.isOver);
  }
  expect(holder.exchange.figures().refused).toEqual({ no_lease: 4 });
  expect(asked).toHaveBeenCalledTimes(1);
  expect(askedProvider).not.toHaveBeenCalled();
});

test('one peer more than the operator allows is hung up on', async () => {
  const small = await world.peer('small', { rules: { maxPeers: 1 } });
  world.look(small);
  world.look(holder);
  await eventually('the first one', () => small.exchange.figures().connections === 1);
  world.lease(other.provider);
  const one = await stranger(small.port, credentialsOf(other));
  await eventually('it is hung up on', () => one.isOver);
  expect([one.bytes, small.exchange.figures().refused]).toEqual([0, { full: 1 }]);
});

test('the same at a socket of this machine, to which another process leads connections', async () => {
  world.lease(other.provider);
  const folder = mkdtempSync(join(tmpdir(), 'mu-peers-'));
  const path = join(folder, 'peer');
  writeFileSync(path, 'what a process that is gone has left');
  const behind = await world.peer('behind', { place: { path } });
  behind.store.give(world.manifest);
  const splice = createServer((near) => {
    const far = connectTcp(path);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => {});
  });
  undo.push(
    () => splice.close(),
    () => rmSync(folder, { recursive: true, force: true }),
  );
  await new Promise<void>((resolve) => splice.listen(0, '127.0.0.1', () => resolve()));
  world.block();
  const one = await stranger((splice.address() as { port: number }).port, credentialsOf(other));
  one.say({ type: 'get-head' });
  await eventually('it is hung up on', () => one.isOver);
  const two = await stranger((splice.address() as { port: number }).port, credentialsOf(other));
  two.say(helloFor(world.manifest));
  await eventually('hello', () => two.of('hello').length === 1);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect([one.bytes, behind.exchange.figures().connections]).toEqual([0, 1]);
});
