/** Roots and encryption keys are replaced with an overlap, and nothing that peers may have read comes to mean another thing. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { codeOf, der, owner, registration, World } from './world.ts';

const key = (keyId: number, seed = keyId, validToHeight = 0n) => ({
  keyId,
  publicKey: Buffer.alloc(32, seed),
  validFromHeight: 0n,
  validToHeight,
});
const root = (length: number, validFromHeight = 0n, validToHeight = 0n) => ({
  certificate: der(length),
  validFromHeight,
  validToHeight,
});

let world: World;
beforeEach(() => {
  world = new World({ unbondingBlocks: 5n });
});
type Stated = Parameters<typeof registration>[0];
const update = (stated: Stated) => codeOf(() => world.msgs.updateProvider(world.ctx, registration(stated)));
const keyIds = () => world.provider().encryptionKeys.map(({ keyId }) => keyId);

describe('encryption keys', () => {
  beforeEach(() => world.register({ encryptionKeys: [key(3)] }));

  test('overlap: the next one comes, the old one ends, then goes', () => {
    expect(update({ encryptionKeys: [key(3, 3, 50n), key(4)] })).toBe('accepted');
    expect(update({ encryptionKeys: [key(4)] })).toBe('accepted');
    expect(keyIds()).toEqual([4]);
  });

  test('provider/25: a standing id is given another key', () => {
    expect(update({ encryptionKeys: [key(3, 9)] })).toBe('provider/25');
    expect(update({ encryptionKeys: [key(4), key(3, 9)] })).toBe('provider/25');
  });

  test('provider/25: an id that was dropped, or passed over, comes back', () => {
    expect(update({ encryptionKeys: [key(7)] })).toBe('accepted');
    for (const encryptionKeys of [
      [key(3, 9), key(7)],
      [key(3), key(7)],
      [key(5), key(7)],
    ])
      expect(update({ encryptionKeys })).toBe('provider/25');
  });

  test('provider/26: the last one is dropped, which would be forgotten', () => {
    expect(update({ encryptionKeys: [] })).toBe('provider/26');
    expect(update({ encryptionKeys: [key(3), key(4)] })).toBe('accepted');
    expect(update({ encryptionKeys: [key(3)] })).toBe('provider/26');
    expect(update({ encryptionKeys: [key(4, 4, 10n)] })).toBe('accepted');
  });

  test('who is gone and comes back keeps to its ids', () => {
    world.msgs.deregisterProvider(world.ctx, { owner });
    world.end(15n);
    expect(codeOf(() => world.register({ encryptionKeys: [key(3, 9)] }))).toBe('provider/25');
    expect(codeOf(() => world.register({ encryptionKeys: [] }))).toBe('provider/26');
    expect(codeOf(() => world.register({ encryptionKeys: [key(4, 9)] }))).toBe('accepted');
  });

  test('a first one may have any id, 0 among them', () => {
    world = new World();
    world.register({ encryptionKeys: [] });
    expect(update({ encryptionKeys: [key(0)] })).toBe('accepted');
    expect(update({ encryptionKeys: [key(0, 9)] })).toBe('provider/25');
    expect(update({ encryptionKeys: [] })).toBe('provider/26');
  });
});

describe('roots', () => {
  beforeEach(() => world.register({ roots: [root(300)] }));

  test('overlap: the next one comes, the old one ends, then goes', () => {
    expect(update({ roots: [root(300, 0n, 50n), root(301, 20n)] })).toBe('accepted');
    world.at(51n);
    expect(update({ roots: [root(301, 20n)] })).toBe('accepted');
    expect(world.provider().roots).toEqual([root(301, 20n)]);
  });

  test('provider/11: one stands twice, so that its end would not be one', () => {
    expect(update({ roots: [root(300, 0n, 9n), root(300)] })).toBe('provider/11');
  });

  test('provider/11: all are over; one that ends with this block is not', () => {
    expect(update({ roots: [root(300, 0n, 9n), root(301, 2n, 8n)] })).toBe('provider/11');
    expect(update({ roots: [root(300, 0n, 9n), root(301, 2n, 10n)] })).toBe('accepted');
  });
});
