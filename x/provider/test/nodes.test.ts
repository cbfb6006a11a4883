/** AddNode and RemoveNode: the chain of trust from the node authority to a node. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { MsgAddNode } from '@mu/proto/provider';
import { codeOf, keyOf, node, nodeAuthority, nodeKey, other, owner, registration, World } from './world.ts';

let world: World;
beforeEach(() => {
  world = new World({ regions: ['local', 'east'], maxNodes: 2 });
  world.register();
});

const add = (message: MsgAddNode): string => codeOf(() => world.msgs.addNode(world.ctx, message));
const remove = (nodeId: string, reason: number): string =>
  codeOf(() => world.msgs.removeNode(world.ctx, { owner, nodeId, reason: reason as 1 }));

describe('a node', () => {
  test('that the authority certified is entered', () => {
    expect(add(node())).toBe('accepted');
    expect(world.keeper.getNode(world.ctx, owner, 'node-1')).toMatchObject({
      provider: owner,
      region: 'local',
      validFromHeight: 10n,
      validToHeight: 1_000n,
      removedHeight: 0n,
      removalReason: 0,
    });
    expect(world.ctx.events.events.at(-1)?.type).toBe('node_added');
    expect(world.broken()).toEqual([]);
  });

  test('of an owner in upper case is certified for the one address there is', () => {
    expect(add({ ...node(), owner: owner.toUpperCase() })).toBe('accepted');
    expect(world.keeper.getNode(world.ctx, owner, 'node-1')?.provider).toBe(owner);
  });

  test('is known by no id that it cannot have', () => {
    expect(world.keeper.getNode(world.ctx, owner, 'n'.repeat(300))).toBeUndefined();
    expect(world.keeper.getNode(world.ctx, owner, '')).toBeUndefined();
  });
});

describe('provider/18: not certified', () => {
  const changed: [string, () => MsgAddNode][] = [
    ['by another key', () => node({}, keyOf(9).key)],
    ['by the node itself', () => node({}, nodeKey.key)],
    ['for another chain', () => node({}, nodeAuthority.key, 'mu-test-2')],
    ['for another provider', () => ({ ...node({ owner: other }), owner })],
    ['under this id', () => ({ ...node(), nodeId: 'node-2' })],
    ['with this key', () => ({ ...node(), publicKey: keyOf(8).publicKey })],
    ['from this height', () => ({ ...node(), validFromHeight: 9n })],
    ['to this height', () => ({ ...node(), validToHeight: 1_001n })],
    ['with a signature of 63 bytes', () => ({ ...node(), signature: node().signature.subarray(1) })],
    ['without a signature', () => ({ ...node(), signature: Buffer.alloc(0) })],
  ];
  test.each(changed)('%s', (_what, message) => {
    expect(add(message())).toBe('provider/18');
    expect(world.keeper.getNode(world.ctx, owner, message().nodeId)).toBeUndefined();
  });

  test('in this region', () => {
    world.msgs.updateProvider(world.ctx, registration({ regions: ['local', 'east'] }));
    expect(add({ ...node(), region: 'east' })).toBe('provider/18');
  });
});

describe('refused with its code', () => {
  const wrong: [string, string, Partial<MsgAddNode>][] = [
    ['provider/17', 'an id in upper case', { nodeId: 'Node' }],
    ['provider/17', 'no id', { nodeId: '' }],
    ['provider/17', 'an id of 65 characters', { nodeId: 'n'.repeat(65) }],
    ['provider/17', 'an id longer than a key', { nodeId: 'n'.repeat(300) }],
    ['provider/10', 'a key of 33 bytes', { publicKey: Buffer.alloc(33) }],
    ['provider/6', 'a region that the provider does not serve', { region: 'east' }],
    ['provider/17', 'a period that ends before it begins', { validFromHeight: 20n, validToHeight: 19n }],
    ['provider/17', 'a period that is over', { validFromHeight: 1n, validToHeight: 9n }],
    ['provider/17', 'a period from below 0', { validFromHeight: -1n }],
  ];
  test.each(wrong)('%s: %s', (code, _what, parts) => {
    expect(add(node(parts))).toBe(code);
  });

  test('provider/3: a node of nobody', () => {
    expect(add({ ...node(), owner: other })).toBe('provider/3');
  });

  test('provider/15: an id that is taken, by a removed node too', () => {
    add(node());
    expect(add(node())).toBe('provider/15');
    remove('node-1', 1);
    expect(add(node())).toBe('provider/15');
  });

  test('provider/19: one more than allowed, until one is removed', () => {
    expect([add(node()), add(node({ nodeId: 'node-2' })), add(node({ nodeId: 'node-3' }))]).toEqual([
      'accepted',
      'accepted',
      'provider/19',
    ]);
    remove('node-1', 1);
    expect(add(node({ nodeId: 'node-3' }))).toBe('accepted');
    expect(world.broken()).toEqual([]);
  });
});

describe('the removal', () => {
  test.each([1, 2])('for reason %i says when and why, and the node stays known', (reason) => {
    add(node());
    world.at(50n);
    expect(remove('node-1', reason)).toBe('accepted');
    expect(world.keeper.getNode(world.ctx, owner, 'node-1')).toMatchObject({
      removedHeight: 50n,
      removalReason: reason,
    });
    expect(world.broken()).toEqual([]);
  });

  test('is refused with its code', () => {
    add(node());
    expect(remove('node-2', 1)).toBe('provider/16');
    expect(remove('n'.repeat(300), 1)).toBe('provider/16');
    expect([remove('node-1', 0), remove('node-1', 3)]).toEqual(['provider/21', 'provider/21']);
    remove('node-1', 2);
    expect(remove('node-1', 1)).toBe('provider/20');
    const byOther = () => world.msgs.removeNode(world.ctx, { owner: other, nodeId: 'node-1', reason: 1 });
    expect(codeOf(byOther)).toBe('provider/3');
  });
});
