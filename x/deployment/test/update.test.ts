import {
  Deployment,
  type MsgUpdateDeployment,
  type SealedManifest,
  MsgUpdateDeployment as Update,
} from '@mu/proto/deployment';
import { Provider } from '@mu/proto/provider';
import { merge } from '../src/update.ts';
import { closed, codeOf, id, infrastructure, other, owner, provider, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
  world.providers.push(
    Provider.fromPartial({
      owner: provider,
      encryptionKeys: [{ keyId: 4, publicKey: Buffer.alloc(32, 1), validFromHeight: 5n, validToHeight: 15n }],
    }),
  );
});

function update(parts: Partial<MsgUpdateDeployment> = {}): bigint {
  const { ctx, write } = world.ctx.branch();
  const { revision } = world.msgs.updateDeployment(ctx, Update.fromPartial({ ...id, ...parts }));
  write();
  return revision;
}

/** What the other modules were asked after the submission. */
const asked = (): string[] =>
  world
    .calls()
    .filter((call) => !call.startsWith('escrow'))
    .slice(1);

describe('an update', () => {
  test('of the version makes the next revision and leaves all orders alone', () => {
    world.submit();
    expect(update({ version: Buffer.alloc(32, 8) })).toBe(2n);
    expect(update({ version: Buffer.alloc(32, 8) })).toBe(2n);
    expect(world.deployment()).toMatchObject({ revision: 2n, version: Buffer.alloc(32, 8) });
    expect(asked()).toEqual(['reserve 7 1000 false', 'tell 7', 'reserve 7 1000 false', 'tell 7']);
    expect(world.ctx.events.events.at(-1)).toMatchObject({ type: 'deployment_updated' });
    expect(world.broken()).toEqual([]);
  });

  test('tells the market of each infrastructure that is stated, after those that are removed', () => {
    world.submit();
    update({ infrastructure: [infrastructure({ name: 'b' }), infrastructure({ name: 'c' })] });
    expect(world.deployment().infrastructure.map(({ name }) => name)).toEqual(['main', 'b', 'c']);
    expect(world.deployment().removed).toEqual([0]);
    expect(asked()).toEqual(['remove 7 0', 'open 7 1 b 1', 'open 7 2 c 1', 'reserve 7 2000 true', 'tell 7']);
    update({ infrastructure: [infrastructure({ name: 'd' }), infrastructure({ name: 'c' })] });
    expect(world.deployment().infrastructure.map(({ name }) => name)).toEqual(['d', 'b', 'c']);
    expect(world.deployment().removed).toEqual([1]);
    expect(asked().slice(5)).toEqual([
      'remove 7 1',
      'open 7 0 d 1',
      'open 7 2 c 1 again',
      'reserve 7 2000 true',
      'tell 7',
    ]);
    expect(world.broken()).toEqual([]);
  });

  test('replaces the access keys as a whole', () => {
    const key = { publicKey: Buffer.concat([Buffer.of(2), Buffer.alloc(32)]), scopes: ['logs'], expiresHeight: 0n };
    world.submit({ accessKeys: [key] });
    update({ accessKeys: [key] });
    expect(world.deployment().accessKeys).toHaveLength(1);
    update();
    expect(world.deployment().accessKeys).toEqual([]);
  });

  test.each<[string, string, Partial<MsgUpdateDeployment>]>([
    ['deployment/2', 'another one', { owner: other }],
    ['deployment/7', 'two infrastructures of one name', { infrastructure: [infrastructure(), infrastructure()] }],
    ['deployment/8', 'an unknown region', { infrastructure: [infrastructure({ region: 'moon' })] }],
    ['deployment/17', 'a short version', { version: Buffer.alloc(31) }],
    [
      'deployment/19',
      'a wrong key',
      { accessKeys: [{ publicKey: Buffer.alloc(2), scopes: ['logs'], expiresHeight: 0n }] },
    ],
  ])('is refused with %s for %s, and nothing has changed', (code, _what, parts) => {
    world.submit();
    const before = world.hash();
    expect(codeOf(() => update(parts))).toBe(code);
    expect(world.hash()).toBe(before);
  });

  test('is refused once it is over (3)', () => {
    world.submit();
    world.cancel();
    expect(codeOf(() => update())).toBe('deployment/3');
    world.keeper.markClosed(world.ctx, id);
    expect(world.deployment().state).toBe(closed);
    expect(codeOf(() => update())).toBe('deployment/3');
  });
});

describe('infrastructures', () => {
  const named = (...names: string[]) => names.map((name) => infrastructure({ name }));
  const deployment = (names: string[], removed: number[] = []) =>
    Deployment.fromPartial({ infrastructure: named(...names), removed });

  test('that are removed leave their places to new ones, the first one first', () => {
    const {
      infrastructure: after,
      removed,
      stated,
      dropped,
    } = merge(deployment(['a', 'b', 'c'], [0, 2]), named('x', 'b'));
    expect(after.map(({ name }) => name)).toEqual(['x', 'b', 'c']);
    expect([removed, dropped]).toEqual([[2], []]);
    expect(stated.map(({ index, before }) => [index, before?.name])).toEqual([
      [0, undefined],
      [1, 'b'],
    ]);
  });

  test('that were removed do not come back by their name to their past', () => {
    const { stated } = merge(deployment(['a', 'b'], [0]), named('b', 'a'));
    expect(stated.map(({ index, before }) => [index, before?.name])).toEqual([
      [1, 'b'],
      [0, undefined],
    ]);
  });
});

describe('a sealed manifest', () => {
  const sealed = (parts: Partial<SealedManifest> = {}): SealedManifest => ({
    provider,
    keyId: 4,
    encapsulatedKey: Buffer.alloc(32, 2),
    ciphertext: Buffer.alloc(100, 3),
    ...parts,
  });
  const chosen = { infrastructure: [infrastructure({ provider })] };

  test('stands in the deployment, for a fee by its bytes, until its provider holds the revision', () => {
    world.submit({ ...chosen, sealedManifest: sealed({ provider: provider.toUpperCase() }) });
    expect(world.deployment().sealedManifest).toEqual(sealed());
    expect(world.calls()).toContain(`pay ${owner} fee_collector 1320`);
    world.keeper.afterManifestHeld(world.ctx, id, other, 1n);
    world.keeper.afterManifestHeld(world.ctx, id, provider, 2n);
    expect(world.deployment().sealedManifest).toEqual(sealed());
    world.keeper.afterManifestHeld(world.ctx, id, provider, 1n);
    expect(world.deployment().sealedManifest).toBeUndefined();
    expect(world.broken()).toEqual([]);
  });

  test('is paid after the deposit, as the ladder says: whoever has not the reserve hears of that', () => {
    world.submit({ ...chosen, sealedManifest: sealed() });
    expect(world.calls().slice(0, 2)).toEqual([expect.stringContaining('escrow 7'), `pay ${owner} fee_collector 1320`]);
  });

  test('goes when the next version comes without one, and when the deployment ends', () => {
    world.submit({ ...chosen, sealedManifest: sealed() });
    update();
    expect(world.deployment().sealedManifest).toEqual(sealed());
    update({ version: Buffer.alloc(32, 5) });
    expect(world.deployment().sealedManifest).toBeUndefined();
    update({ version: Buffer.alloc(32, 6), sealedManifest: sealed() });
    world.cancel();
    expect(world.deployment().sealedManifest).toBeUndefined();
  });

  test.each<[string, Partial<SealedManifest>]>([
    ['for a provider that is not registered', { provider: other }],
    ['to an unknown key', { keyId: 5 }],
    ['with a short encapsulated key', { encapsulatedKey: Buffer.alloc(31) }],
    ['that holds nothing', { ciphertext: Buffer.alloc(16) }],
    ['above the bound', { ciphertext: Buffer.alloc(32_769) }],
  ])('%s is refused (20)', (_what, parts) => {
    expect(codeOf(() => world.submit({ ...chosen, sealedManifest: sealed(parts) }))).toBe('deployment/20');
  });

  test('is refused (20) for a provider that no infrastructure chooses, a key out of its time, a chain that takes none', () => {
    expect(codeOf(() => world.submit({ sealedManifest: sealed() }))).toBe('deployment/20');
    for (const height of [4n, 16n]) {
      world.at(height);
      expect(codeOf(() => world.submit({ ...chosen, sealedManifest: sealed() }))).toBe('deployment/20');
    }
    world = new World({ maxSealedManifestBytes: 0 });
    expect(codeOf(() => world.submit({ ...chosen, sealedManifest: sealed() }))).toBe('deployment/20');
  });
});
