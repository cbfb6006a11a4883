import { readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { UsageReport } from '@mu/proto/billing';
import { RemovalReason } from '@mu/proto/provider';
import type { ProviderConfig } from '../../src/config/schema.ts';
import { type Identity, loadIdentity } from '../../src/identity/identity.ts';
import { encryptionKeysOf } from '../../src/identity/rotation-files.ts';
import { openJournal } from '../../src/journal/journal.ts';
import { rotations } from '../../src/rotation/command.ts';
import { graceBlocks } from '../../src/rotation/encryption.ts';
import { followingId } from '../../src/rotation/node.ts';
import {
  firstStep,
  type RotationKind,
  type RotationOptions,
  rotate,
  rotationKinds,
} from '../../src/rotation/rotation.ts';
import { missingMessages } from '../../src/setup/register.ts';
import { configIn, identityIn, operator, owner, testFolder } from '../operators/fixture.ts';
import { deploymentSealedTo, FakeChain, leaseOf } from '../setup/fake-chain.ts';
import { counted } from '../support/surroundings.ts';

class Killed extends Error {}

let own: ReturnType<typeof testFolder>;
let config: ProviderConfig;
let before: Identity;
let chain: FakeChain;

async function begin(): Promise<void> {
  own = testFolder();
  config = configIn(own.folder);
  before = await identityIn(own.folder);
  chain = new FakeChain();
  chain.leases = [leaseOf(5n)];
  const of = { client: chain.client, config, identity: before, owner, operator };
  await chain.sender(owner).sendAndWait(await missingMessages(of));
  chain.took.length = 0;
  await withJournal('node-1', (journal) =>
    journal.usage.put(5n, { sequence: 3n, toHeight: 90n, counted: [used], seen: [], pending: undefined }),
  );
}
beforeEach(begin);
afterEach(() => own.remove());

const used = { service: 'api', metric: 'gateway-requests', quantity: 8n };

async function withJournal<T>(nodeId: string, use: (journal: ReturnType<typeof openJournal>) => T): Promise<T> {
  const journal = openJournal(join(own.folder, 'data', 'journal'), { chainId: 'mu-1', provider: owner, nodeId });
  try {
    return use(journal);
  } finally {
    await journal.close();
  }
}

/** @param kill called before and after each change of the disk and of the chain */
function options(kind: RotationKind, more: Partial<RotationOptions> = {}, kill = (): void => {}): RotationOptions {
  const { random } = counted(Date.now() + chain.blocks);
  const sender = (address: string) => {
    const { sendAndWait } = chain.sender(address);
    return {
      address,
      async sendAndWait(messages: Parameters<typeof sendAndWait>[0]) {
        kill();
        const tx = await sendAndWait(messages);
        kill();
        return tx;
      },
    };
  };
  return {
    kind,
    config,
    folder: before.folder,
    client: chain.client,
    sender: sender(owner),
    operator: () => Promise.resolve(sender(operator)),
    daemon: () => Promise.resolve(undefined),
    around: {
      // The clock goes on: a certificate that is issued later ends later.
      now: () => Date.now() + chain.blocks * 1_000,
      random(length) {
        kill();
        return random(length);
      },
    },
    pause: () => {
      chain.blocks += 10;
      return Promise.resolve();
    },
    wait: true,
    onStep: () => {},
    onDone: kill,
    ...more,
  };
}

const files = (): string[] => readdirSync(before.folder).sort();

/** What has to hold however it came about. */
async function expectRotated(kind: RotationKind): Promise<void> {
  const after = loadIdentity(before.folder);
  const { roots, encryptionKeys } = chain.record!;
  expect(
    files().filter((name) => !/^(authority|encryption|node|root)\.(key|cert)\.pem$|^identity\.json$/.test(name)),
  ).toEqual([]);
  expect(roots).toHaveLength(1);
  expect(roots[0]?.certificate).toEqual(after.rootCertificate);
  expect(encryptionKeys.at(-1)?.publicKey).toEqual(after.encryptionPublicKey);
  const standing = chain.nodes.filter(({ removedHeight }) => removedHeight === 0n);
  expect(standing.map(({ nodeId, publicKey }) => [nodeId, publicKey])).toEqual([
    [after.name.nodeId, after.nodePublicKey],
  ]);
  expect(after.rootKey).toBeDefined();
  expect([
    Buffer.compare(after.rootCertificate, before.rootCertificate) !== 0,
    Buffer.compare(after.nodePublicKey, before.nodePublicKey) !== 0,
    Buffer.compare(after.encryptionPublicKey, before.encryptionPublicKey) !== 0,
  ]).toEqual(rotationKinds.map((one) => one === kind));
  const of = { client: chain.client, config, identity: after, owner, operator };
  expect(await missingMessages(of)).toEqual([]);
  const usage = await withJournal(after.name.nodeId, (journal) => journal.usage.get(5n));
  expect(usage).toMatchObject(kind === 'node' ? { sequence: 0n, toHeight: 40n } : { sequence: 3n, toHeight: 90n });
  expect(usage?.counted).toEqual([used]);
}

test.each(rotationKinds)('%s: the new one takes the place of the old one, here and on the chain', async (kind) => {
  expect(await firstStep(rotations[kind], options(kind))).toMatch(/^make a new/);
  expect(files()).toHaveLength(7);
  const { done, did } = await rotate(rotations[kind], options(kind));
  expect([done, did[0]]).toEqual([true, expect.stringMatching(/^make a new/)]);
  await expectRotated(kind);
  expect(chain.took).toEqual(
    kind === 'node' ? ['MsgAddNode', 'MsgRemoveNode'] : ['MsgUpdateProvider', 'MsgUpdateProvider'],
  );
});

test.each(rotationKinds)('%s: killed at each of its points it goes on, and nothing is done twice', async (kind) => {
  let points = 0;
  await rotate(
    rotations[kind],
    options(kind, {}, () => void points++),
  );
  expect(points).toBeGreaterThan(8);
  for (let at = 1; at <= points; at += 1) {
    own.remove();
    await begin();
    let left = at;
    const kill = (): void => {
      left -= 1;
      if (left === 0) throw new Killed();
    };
    await expect(rotate(rotations[kind], options(kind, {}, kill))).rejects.toBeInstanceOf(Killed);
    // Whatever stands there now can be served with.
    const between = loadIdentity(before.folder);
    const holds = chain.record!.roots.some(
      ({ certificate }) => Buffer.compare(certificate, between.rootCertificate) === 0,
    );
    expect(holds).toBe(true);
    // Remains of files that were being written are no business of the rotation.
    for (const name of files().filter((one) => /\.[0-9a-f]{16}$/.test(one))) rmSync(join(before.folder, name));
    const isOver = at === points;
    if (!isOver) expect((await rotate(rotations[kind], options(kind))).done).toBe(true);
    await expectRotated(kind);
    expect(chain.took.filter((name) => name === 'MsgAddNode').length).toBeLessThan(2);
    expect(chain.took.length).toBe(2);
  }
});

describe('root', () => {
  test('the old one stands on the chain while the daemon serves under it', async () => {
    let daemon = { pid: 7, node_certificate_ends_at: new Date(before.nodeCertificate.notAfterMs).toISOString() };
    let looks = 0;
    const pause = (): Promise<void> => {
      chain.blocks += 10;
      looks += 1;
      const now = loadIdentity(before.folder);
      if (looks === 4) {
        expect(chain.record?.roots).toHaveLength(2);
        daemon = { pid: 7, node_certificate_ends_at: new Date(now.nodeCertificate.notAfterMs).toISOString() };
      }
      return Promise.resolve();
    };
    const { did } = await rotate(rotations.root, options('root', { daemon: () => Promise.resolve(daemon), pause }));
    expect(looks).toBe(4);
    expect(did.at(-2)).toBe('take the old root off the chain');
    await expectRotated('root');
  });

  test('between the renames of its files the identity is whole', async () => {
    await rotate(rotations.root, options('root', { wait: false }));
    chain.blocks += 10;
    const stop = options('root', {
      onDone: (text) => {
        if (text.startsWith('certify')) throw new Killed();
      },
    });
    await expect(rotate(rotations.root, stop)).rejects.toBeInstanceOf(Killed);
    const root = loadIdentity(before.folder).rootCertificate;
    renameSync(join(before.folder, 'root.next.key.pem'), join(before.folder, 'root.key.pem'));
    expect(loadIdentity(before.folder)).toMatchObject({ rootCertificate: root, rootKey: expect.anything() });
    await rotate(rotations.root, options('root'));
    await expectRotated('root');
  });

  test('without --wait it says what it waits for', async () => {
    const { done, waiting } = await rotate(rotations.root, options('root', { wait: false }));
    expect([done, waiting]).toEqual([
      false,
      expect.stringMatching(/wait for height \d+: from there the new root holds/),
    ]);
  });
});

describe('encryption', () => {
  test('the old key is kept for what is sealed to it, and both open meanwhile', async () => {
    chain.deployments = [deploymentSealedTo(owner, 1)];
    let looks = 0;
    const pause = (): Promise<void> => {
      looks += 1;
      chain.blocks += Number(graceBlocks);
      if (looks === 5) {
        expect(encryptionKeysOf(before.folder)).toHaveLength(2);
        expect(chain.record?.encryptionKeys.map(({ keyId }) => keyId)).toEqual([1, 2]);
        chain.deployments = [deploymentSealedTo('mu1another', 1), deploymentSealedTo(owner, 2)];
      }
      return Promise.resolve();
    };
    await rotate(rotations.encryption, options('encryption', { pause }));
    expect(looks).toBe(5);
    await expectRotated('encryption');
    expect(encryptionKeysOf(before.folder)).toHaveLength(1);
  });
});

describe('node', () => {
  test('it waits for the daemon to end', async () => {
    const daemon = (): Promise<{ pid: number; node_certificate_ends_at: string }> =>
      Promise.resolve({ pid: 7, node_certificate_ends_at: '' });
    const { waiting } = await rotate(rotations.node, options('node', { wait: false, daemon }));
    expect(waiting).toMatch(/process 7.*SIGTERM/);
    expect(loadIdentity(before.folder).name.nodeId).toBe('node-1');
  });

  test('what the old node has signed is sent by the operator before it goes', async () => {
    const report = UsageReport.fromPartial({
      lease: 5n,
      nodeId: 'node-1',
      sequence: 4n,
      fromHeight: 91n,
      toHeight: 99n,
    });
    const pending = { report, signature: new Uint8Array(64) };
    await withJournal('node-1', (journal) =>
      journal.usage.put(5n, { sequence: 3n, toHeight: 90n, counted: [used], seen: [], pending }),
    );
    await rotate(rotations.node, options('node'));
    expect(chain.took).toEqual(['MsgAddNode', 'MsgUpdateUsage', 'MsgRemoveNode']);
    await expectRotated('node');
    expect(chain.nodes[0]).toMatchObject({ nodeId: 'node-1', removalReason: RemovalReason.REMOVAL_REASON_RETIRED });
  });

  test('a lease that has ended and owes its last report is waited for', async () => {
    chain.leases = [leaseOf(5n, 95n)];
    const { waiting } = await rotate(rotations.node, options('node', { wait: false }));
    expect(waiting).toMatch(/last report of lease 5/);
    await withJournal('node-1', (journal) => expect(journal.usage.get(5n)?.counted).toEqual([used]));
  });

  test('without the keys that certify it, it does not begin', async () => {
    rmSync(join(before.folder, 'authority.key.pem'));
    await expect(rotate(rotations.node, options('node'))).rejects.toThrow(/put authority\.key\.pem into/);
    expect(files()).toHaveLength(6);
  });

  test.each([
    ['node-1', [], 'node-2'],
    ['node-1', ['node-2', 'node-3'], 'node-4'],
    ['alpha', [], 'alpha-2'],
    ['7', [], '8'],
    [`${'x'.repeat(62)}-9`, [], `${'x'.repeat(61)}-10`],
  ])('after %s with %j comes %s', (id, taken, next) => expect(followingId(id, taken)).toBe(next));
});

test('without a registration nothing begins', async () => {
  chain.record = undefined;
  await expect(rotate(rotations.root, options('root'))).rejects.toThrow(/mu-provider register/);
  expect(files()).toHaveLength(7);
});
