/** DeregisterProvider and the way of the deposit back; AttestProvider; UpdateParams. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import { ProviderState, QueryAttestationsRequest } from '@mu/proto/provider';
import { maxUnbondingsPerBlock } from '../src/keeper.ts';
import { defaultParams } from '../src/params.ts';
import { createQueryServer } from '../src/query-server.ts';
import {
  address,
  auditor,
  authority,
  codeOf,
  defaultDeposit,
  module,
  node,
  operator,
  other,
  owner,
  registration,
  World,
} from './world.ts';

let world: World;
beforeEach(() => {
  world = new World({ unbondingBlocks: 5n });
  world.register();
});
const leave = (of = owner) => world.msgs.deregisterProvider(world.ctx, { owner: of });

describe('leaving', () => {
  test('keeps the deposit until the unbonding is over, then returns it once', () => {
    expect(leave()).toEqual({ unbondingHeight: 15n });
    expect(world.provider()).toMatchObject({ state: ProviderState.PROVIDER_STATE_LEAVING, unbondingHeight: 15n });
    world.end(14n);
    expect(world.balance(module)).toBe(defaultDeposit);
    world.end(15n);
    expect([world.balance(module), world.balance(owner)]).toEqual([0n, 1_000_000_000n]);
    expect(world.provider()).toMatchObject({
      state: ProviderState.PROVIDER_STATE_GONE,
      deposit: { denom: 'umu', amount: '0' },
    });
    expect(world.ctx.events.events).toMatchObject([{ type: 'provider_gone' }]);
    expect(world.ctx.events.events[0]?.attributes).toContainEqual(['deposit', '100000000umu']);
    world.end(16n);
    expect(world.balance(owner)).toBe(1_000_000_000n);
    expect(world.broken()).toEqual([]);
  });

  test('does not follow a parameter that changes later', () => {
    leave();
    world.msgs.updateParams(world.ctx, { authority, params: { ...defaultParams(), unbondingBlocks: 1_000n } });
    world.end(15n);
    expect(world.provider().state).toBe(ProviderState.PROVIDER_STATE_GONE);
  });

  test('is refused: unknown (3), at work (23), twice (4)', () => {
    expect(codeOf(() => leave(other))).toBe('provider/3');
    world.busy.add(owner);
    expect(codeOf(() => leave())).toBe('provider/23');
    world.busy.clear();
    leave();
    expect(codeOf(() => leave())).toBe('provider/4');
  });

  test('ends what only active providers may, and leaves reports and removals possible', () => {
    world.msgs.addNode(world.ctx, node());
    leave();
    const { prices } = registration();
    expect(codeOf(() => world.msgs.updateProvider(world.ctx, registration()))).toBe('provider/4');
    expect(codeOf(() => world.msgs.publishPriceList(world.ctx, { owner, prices }))).toBe('provider/4');
    expect(codeOf(() => world.msgs.addNode(world.ctx, node({ nodeId: 'node-2' })))).toBe('provider/4');
    expect(codeOf(() => world.register())).toBe('provider/2');
    expect(world.keeper.isActing(world.ctx, owner, operator)).toBe(true);
    expect(codeOf(() => world.msgs.removeNode(world.ctx, { owner, nodeId: 'node-1', reason: 1 }))).toBe('accepted');
  });

  test('is not for ever: who is gone may register again, and versions of price lists go on', () => {
    leave();
    world.end(15n);
    world.register();
    expect(world.provider()).toMatchObject({
      state: ProviderState.PROVIDER_STATE_ACTIVE,
      unbondingHeight: 0n,
      priceListVersion: 2n,
    });
    expect(world.keeper.priceList(world.ctx, owner, 1n)?.height).toBe(10n);
    expect(world.balance(module)).toBe(defaultDeposit);
    expect(world.broken()).toEqual([]);
  });

  test('of one that takes no coins is put off and holds up nobody', () => {
    world.register({ owner: other });
    leave();
    leave(other);
    world.blocked.add(owner);
    world.end(15n);
    expect(world.provider()).toMatchObject({ state: ProviderState.PROVIDER_STATE_LEAVING, unbondingHeight: 20n });
    expect(world.provider(other).state).toBe(ProviderState.PROVIDER_STATE_GONE);
    expect(world.broken()).toEqual([]);
    world.blocked.clear();
    world.end(20n);
    expect(world.provider().state).toBe(ProviderState.PROVIDER_STATE_GONE);
  });

  test('of many is bounded per block, the oldest first, the rest next block', () => {
    world.fund(owner, 0n);
    const owners = Array.from({ length: maxUnbondingsPerBlock + 3 }, (_, at) => address(20 + at));
    for (const one of owners) {
      world.fund(one, defaultDeposit);
      world.register({ owner: one });
      leave(one);
    }
    const gone = () => owners.filter((one) => world.provider(one).state === ProviderState.PROVIDER_STATE_GONE).length;
    world.end(15n);
    expect(gone()).toBe(maxUnbondingsPerBlock);
    world.end(16n);
    expect(gone()).toBe(owners.length);
    expect(world.broken()).toEqual([]);
  });
});

describe('attestations', () => {
  const gold = [{ key: 'tier', value: 'gold' }];
  const green = [{ key: 'power', value: 'green' }];
  const attest = (attributes: { key: string; value: string }[], by = auditor, provider = owner) =>
    world.msgs.attestProvider(world.ctx, { auditor: by, provider, attributes });
  const satisfies = (attributes: { key: string; value: string }[], by: string[]) =>
    world.keeper.satisfies(world.ctx, owner, attributes, by);

  test('count where an order names their auditor; else the provider’s own word does', () => {
    expect([satisfies(gold, []), satisfies(green, []), satisfies([], [])]).toEqual([true, false, true]);
    expect([satisfies(gold, [auditor]), satisfies([], [auditor])]).toEqual([false, false]);
    attest(green);
    expect([satisfies(green, [auditor]), satisfies(green, [other, auditor]), satisfies([], [auditor])]).toEqual([
      true,
      true,
      true,
    ]);
    expect([satisfies(green, [other]), satisfies(gold, [auditor]), satisfies([...green, ...gold], [auditor])]).toEqual([
      false,
      false,
      false,
    ]);
    expect(satisfies([{ key: 'power', value: 'coal' }], [auditor])).toBe(false);
  });

  test('are replaced whole, withdrawn by an empty list, and listed by auditor', () => {
    attest(green);
    attest(gold, other);
    world.at(11n);
    attest(gold);
    const list = () =>
      createQueryServer(world.keeper).attestations(world.ctx, QueryAttestationsRequest.fromPartial({ owner }))
        .attestations;
    expect(list()).toMatchObject([
      { auditor: other, height: 10n },
      { auditor, attributes: gold, height: 11n },
    ]);
    attest([]);
    expect(list()).toMatchObject([{ auditor: other }]);
    expect(world.ctx.events.events.at(-1)).toMatchObject({ type: 'provider_attested' });
  });

  test('are refused: unknown provider (3), wrong attributes (12), nothing to withdraw (24)', () => {
    expect(codeOf(() => attest(gold, auditor, other))).toBe('provider/3');
    expect(codeOf(() => attest([{ key: '', value: 'a' }]))).toBe('provider/12');
    expect(codeOf(() => attest([]))).toBe('provider/24');
  });
});

describe('parameters', () => {
  test('are changed by the authority of genesis alone', () => {
    const params = { ...defaultParams(), regions: ['north'] };
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority: other, params }))).toBe('sdk/4');
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority, params }))).toBe('accepted');
    expect(world.keeper.params(world.ctx).regions).toEqual(['north']);
  });

  test('are changed by nobody where genesis names nobody', () => {
    const fresh = new World();
    fresh.module.genesis.init(fresh.ctx, fresh.module.genesis.defaults());
    expect(codeOf(() => fresh.msgs.updateParams(fresh.ctx, { authority: '', params: defaultParams() }))).toBe('sdk/4');
  });

  const wrong: [string, object][] = [
    ['no deposit', { deposit: undefined }],
    ['a deposit in another coin', { deposit: { denom: 'uatom', amount: '1' } }],
    ['a deposit below 0', { deposit: { denom: 'umu', amount: '-1' } }],
    ['no unbonding', { unbondingBlocks: 0n }],
    ['an unbonding that never ends', { unbondingBlocks: 2n ** 62n }],
    ['no region', { regions: [] }],
    ['a region twice', { regions: ['a', 'a'] }],
    ['a region with a space', { regions: ['a b'] }],
    ['no service', { services: [] }],
    ['a metric in upper case', { metrics: [{ name: 'A', service: 'a', maxPerBlock: 0n, unit: '' }] }],
    ['no nodes', { maxNodes: 0 }],
    ['no price lists', { maxPriceLists: 0n }],
  ];
  test.each(wrong)('provider/22: %s', (_what, parts) => {
    const params = { ...defaultParams(), ...parts };
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority, params }))).toBe('provider/22');
  });
});
