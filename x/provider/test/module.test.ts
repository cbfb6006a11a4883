/** The module as the application sees it: genesis, queries, invariants that can break, figures that consensus rests on. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { registeredErrors } from '@mu/framework/errors';
import { MessageRegistry } from '@mu/framework/message-registry';
import type { Json } from '@mu/framework/module';
import { QueryRouter } from '@mu/framework/query-router';
import {
  MsgDefinition,
  type Provider,
  ProviderState,
  QueryNodesRequest,
  QueryPriceListsRequest,
  QueryProvidersRequest,
} from '@mu/proto/provider';
import { registry } from '@mu/proto/registry';
import { createQueryServer } from '../src/query-server.ts';
import {
  leaving,
  nodeCount,
  ownerKey,
  priceLists,
  providers,
  providersByAttribute,
  providersByPrice,
  providersByRegion,
} from '../src/state.ts';
import { unitPrice } from '../src/unit-price.ts';
import {
  address,
  auditor,
  codeOf,
  dec,
  methodNames,
  module,
  node,
  other,
  owner,
  registration,
  World,
} from './world.ts';

/** Two providers, one of them leaving, with nodes, lists and an attestation. */
function lively(): World {
  const world = new World({ regions: ['local', 'east'], unbondingBlocks: 5n });
  world.register();
  world.register({ owner: other, regions: ['east'], prices: [] });
  world.msgs.publishPriceList(world.ctx, { owner, prices: [{ metric: 'egress-bytes', price: dec('1'), per: 1n }] });
  world.msgs.addNode(world.ctx, node());
  world.msgs.addNode(world.ctx, node({ nodeId: 'node-2' }));
  world.msgs.removeNode(world.ctx, { owner, nodeId: 'node-2', reason: 2 });
  world.msgs.attestProvider(world.ctx, { auditor, provider: owner, attributes: [{ key: 'a', value: 'b' }] });
  world.msgs.deregisterProvider(world.ctx, { owner: other });
  return world;
}

let world: World;
beforeEach(() => {
  world = lively();
});

describe('genesis', () => {
  test('exported and imported is the same state, byte for byte, and goes on', () => {
    const exported = world.module.genesis.export(world.ctx);
    const next = new World();
    for (const [key] of [...next.stores.store('provider').iterate()]) next.stores.store('provider').delete(key);
    next.module.genesis.validate(exported);
    next.module.genesis.init(next.ctx, JSON.parse(JSON.stringify(exported)) as Json);
    expect(next.hash()).toBe(world.hash());
    expect(next.module.genesis.export(next.ctx)).toEqual(exported);
    next.fund(module, 200_000_000n);
    expect(next.broken()).toEqual([]);
    next.end(15n);
    expect(next.provider(other).state).toBe(ProviderState.PROVIDER_STATE_GONE);
  });

  test('of the defaults is valid and names nobody as authority', () => {
    const { genesis } = world.module;
    expect(() => genesis.validate(genesis.defaults())).not.toThrow();
    expect(genesis.defaults()).toMatchObject({
      authority: '',
      params: { deposit: { denom: 'umu', amount: '100000000' }, regions: ['local'] },
    });
  });

  type Exported = Record<'providers' | 'price_lists' | 'nodes' | 'attestations', Record<string, unknown>[]>;
  const twice = (list: Record<string, unknown>[]) => list.push(list[0]!);
  const wrong: [string, RegExp, (state: Exported) => void][] = [
    ['a provider twice', /providers\[2\] stands twice/, ({ providers: list }) => twice(list)],
    [
      'an active provider that leaves',
      /providers\[0\]\.unbonding_height/,
      ({ providers: list }) => Object.assign(list[0]!, { unbonding_height: '9' }),
    ],
    [
      'a leaving provider without an end',
      /providers\[1\]\.unbonding_height/,
      ({ providers: list }) => Object.assign(list[1]!, { unbonding_height: '0' }),
    ],
    [
      'no state',
      /providers\[0\]\.state/,
      ({ providers: list }) => Object.assign(list[0]!, { state: 'PROVIDER_STATE_UNSPECIFIED' }),
    ],
    [
      'a key of another size',
      /wrong size/,
      ({ providers: list }) => Object.assign(list[0]!, { node_authority_key: 'AAAA' }),
    ],
    ['a missing price list', /price lists of .* are missing/, (state) => state.price_lists.shift()],
    ['a price list twice', /price_lists\[2\] stands twice/, (state) => twice(state.price_lists)],
    [
      'a price list of nobody',
      /price_lists\[0\] is of no/,
      (state) => Object.assign(state.price_lists[0]!, { provider: auditor }),
    ],
    [
      'an attribute that is none',
      /attributes are wrong/,
      ({ providers: list }) => Object.assign(list[0]!, { attributes: [{ key: 'Tier', value: 'a' }] }),
    ],
    [
      'a price for nothing',
      /per is at least 1/,
      (state) => Object.assign((state.price_lists[0] as { prices?: object[] }).prices?.[0] ?? {}, { per: '0' }),
    ],
    [
      'a node of nobody',
      /nodes\[0\] is of no provider/,
      (state) => Object.assign(state.nodes[0]!, { provider: auditor }),
    ],
    ['a node twice', /nodes\[2\] stands twice/, (state) => twice(state.nodes)],
    ['a node without an id', /nodes\[0\]\.node_id/, (state) => Object.assign(state.nodes[0]!, { node_id: '' })],
    [
      'a node with a short key',
      /nodes\[0\]\.public_key/,
      (state) => Object.assign(state.nodes[0]!, { public_key: 'AAAA' }),
    ],
    [
      'an attestation of nobody',
      /attestations\[0\] is of no/,
      (state) => Object.assign(state.attestations[0]!, { provider: auditor }),
    ],
    ['an attestation twice', /attestations\[1\] stands twice/, (state) => twice(state.attestations)],
  ];
  test.each(wrong)('with %s is refused', (_what, text, change) => {
    const state = JSON.parse(JSON.stringify(world.module.genesis.export(world.ctx))) as Exported;
    change(state);
    expect(() => world.module.genesis.validate(state as unknown as Json)).toThrow(text);
  });

  test('with a deposit in another coin than the chain’s is refused', () => {
    const ctx = world.ctx.with({ chain: { ...world.ctx.chain, denom: 'uother' } });
    expect(codeOf(() => world.module.genesis.init(ctx, world.module.genesis.defaults()))).toBe('provider/22');
  });
});

describe('queries', () => {
  const query = () => createQueryServer(world.keeper);
  const owners = (parts: Parameters<typeof QueryProvidersRequest.fromPartial>[0]): string[] =>
    (query().providers(world.ctx, QueryProvidersRequest.fromPartial(parts ?? {})).providers as Provider[]).map(
      (one) => one.owner,
    );

  test('list providers by region and state', () => {
    expect(owners({})).toEqual([owner, other]);
    expect(owners({ region: 'local' })).toEqual([owner]);
    expect(owners({ region: 'east' })).toEqual([other]);
    expect(owners({ region: 'mars' })).toEqual([]);
    expect(owners({ state: ProviderState.PROVIDER_STATE_LEAVING })).toEqual([other]);
    expect(owners({ region: 'local', state: ProviderState.PROVIDER_STATE_LEAVING })).toEqual([]);
    expect(codeOf(() => owners({ region: 'x'.repeat(300) }))).toBe('provider/6');
  });

  test('give pages', () => {
    const first = query().providers(
      world.ctx,
      QueryProvidersRequest.fromPartial({ pagination: { limit: 1n, countTotal: true } }),
    );
    expect(first.providers.map((one) => one.owner)).toEqual([owner]);
    expect(first.pagination?.total).toBe(2n);
    const pagination = { key: first.pagination?.nextKey ?? new Uint8Array(), limit: 1n };
    const second = query().providers(world.ctx, QueryProvidersRequest.fromPartial({ pagination }));
    expect(second.providers.map((one) => one.owner)).toEqual([other]);
    expect(second.pagination?.nextKey).toHaveLength(0);
  });

  test('list nodes and price lists of one provider', () => {
    const { nodes } = query().nodes(world.ctx, QueryNodesRequest.fromPartial({ owner }));
    expect(nodes.map(({ nodeId, removedHeight }) => [nodeId, removedHeight])).toEqual([
      ['node-1', 0n],
      ['node-2', 10n],
    ]);
    const lists = query().priceLists(world.ctx, QueryPriceListsRequest.fromPartial({ owner })).priceLists;
    expect(lists.map(({ version }) => version)).toEqual([1n, 2n]);
    expect(query().nodes(world.ctx, QueryNodesRequest.fromPartial({ owner: other })).nodes).toEqual([]);
  });

  test('answer one node, a removed one too', () => {
    expect(query().node(world.ctx, { owner, nodeId: 'node-2' }).node?.removedHeight).toBe(10n);
    for (const nodeId of ['node-3', '', 'n'.repeat(300)])
      expect(codeOf(() => query().node(world.ctx, { owner, nodeId }))).toBe('sdk/22');
    expect(codeOf(() => query().node(world.ctx, { owner: other, nodeId: 'node-1' }))).toBe('sdk/22');
  });

  test('answer one provider and one price list, the latest for version 0', () => {
    expect(query().provider(world.ctx, { owner }).provider?.owner).toBe(owner);
    expect(query().priceList(world.ctx, { owner, version: 0n }).priceList?.version).toBe(2n);
    expect(query().priceList(world.ctx, { owner, version: 1n }).priceList?.version).toBe(1n);
    expect(codeOf(() => query().provider(world.ctx, { owner: auditor }))).toBe('sdk/22');
    expect(codeOf(() => query().priceList(world.ctx, { owner, version: 3n }))).toBe('sdk/22');
    expect(codeOf(() => query().priceList(world.ctx, { owner: other, version: 0n }))).toBe('sdk/22');
    expect(codeOf(() => query().provider(world.ctx, { owner: 'nobody' }))).toBe('sdk/7');
  });

  test('and messages are registered, every one of them', () => {
    const router = new QueryRouter();
    world.module.registerQueries(router);
    expect(router.paths()).toHaveLength(8);
    const messages = new MessageRegistry(registry);
    world.module.registerMsgs(messages);
    expect(messages.typeUrls()).toEqual(
      methodNames.map((name) => `/mu.provider.v1.Msg${name[0]?.toUpperCase()}${name.slice(1)}`),
    );
    expect(Object.keys(MsgDefinition.methods)).toHaveLength(8);
  });
});

describe('invariants break when', () => {
  const breaks: [string, string, () => void][] = [
    ['PRV-1', 'a deposit is not there', () => world.fund(module, 1n)],
    [
      'PRV-2',
      'a region is not in the index',
      () => providersByRegion.delete(world.ctx, ['local', ownerKey(world.ctx, owner)]),
    ],
    [
      'PRV-2',
      'the index names one too many',
      () => providersByRegion.add(world.ctx, ['west', ownerKey(world.ctx, owner)]),
    ],
    ['PRV-3', 'the queue lacks one', () => leaving.delete(world.ctx, [15n, ownerKey(world.ctx, other)])],
    ['PRV-3', 'the queue has one too many', () => leaving.add(world.ctx, [15n, ownerKey(world.ctx, owner)])],
    [
      'PRV-3 PRV-7',
      'one is gone and its deposit is not',
      () =>
        providers.set(world.ctx, ownerKey(world.ctx, owner), {
          ...world.provider(),
          state: ProviderState.PROVIDER_STATE_GONE,
        }),
    ],
    ['PRV-4', 'the count of nodes is wrong', () => nodeCount.set(world.ctx, ownerKey(world.ctx, owner), 2n)],
    ['PRV-4', 'the count of nodes is missing', () => nodeCount.delete(world.ctx, ownerKey(world.ctx, owner))],
    ['PRV-5', 'a price list is missing', () => priceLists.delete(world.ctx, [ownerKey(world.ctx, owner), 1n])],
    [
      'PRV-6',
      'an attribute is not in the index',
      () => providersByAttribute.delete(world.ctx, ['tier', 'gold', ownerKey(world.ctx, owner)]),
    ],
    [
      'PRV-6',
      'the index states one too many',
      () => providersByAttribute.add(world.ctx, ['tier', 'lead', ownerKey(world.ctx, owner)]),
    ],
    [
      'PRV-7',
      'a price is not in the index',
      () => providersByPrice.delete(world.ctx, ['egress-bytes', unitPrice(10n ** 18n, 1n), ownerKey(world.ctx, owner)]),
    ],
    [
      'PRV-7',
      'the index sells one too many',
      () => providersByPrice.add(world.ctx, ['egress-bytes', 1n, ownerKey(world.ctx, other)]),
    ],
    [
      'PRV-5 PRV-7',
      'the last price list is missing',
      () => priceLists.delete(world.ctx, [ownerKey(world.ctx, owner), 2n]),
    ],
  ];
  test.each(breaks)('%s: %s', (name, _what, change) => {
    expect(world.broken()).toEqual([]);
    change();
    expect(world.broken().map((text) => text.slice(0, 5))).toEqual(name.split(' '));
  });
});

describe('consensus figures', () => {
  /** Gas of the module alone: the bank of these tests charges none. */
  function gasOf(run: (on: World) => unknown): bigint {
    const on = new World();
    on.register({ owner: other });
    on.at(10n);
    run(on);
    return on.ctx.gas.consumed;
  }
  const registered = (on: World): void => {
    on.register();
    on.at(10n);
  };
  const figures: [string, bigint, (on: World) => void][] = [
    ['RegisterProvider', 72_735n, (on) => on.register()],
    [
      'UpdateProvider',
      27_517n,
      (on) => {
        registered(on);
        on.msgs.updateProvider(on.ctx, registration());
      },
    ],
    [
      'PublishPriceList',
      36_881n,
      (on) => {
        registered(on);
        on.msgs.publishPriceList(on.ctx, { owner, prices: registration().prices });
      },
    ],
    [
      'AddNode',
      20_576n,
      (on) => {
        registered(on);
        on.msgs.addNode(on.ctx, node());
      },
    ],
    [
      'DeregisterProvider',
      33_984n,
      (on) => {
        registered(on);
        on.msgs.deregisterProvider(on.ctx, { owner });
      },
    ],
  ];
  test.each(figures)('gas of %s is %d', (_what, gas, run) => {
    expect(gasOf(run)).toBe(gas);
  });

  test('gas does not grow with the number of providers', () => {
    const on = new World();
    const cost = Array.from({ length: 40 }, (_, at) => {
      const one = address(30 + at);
      on.fund(one, 200_000_000n);
      on.at(10n);
      on.register({ owner: one, payoutAddress: one });
      return on.ctx.gas.consumed;
    });
    expect(new Set(cost).size).toBe(1);
  });

  test('the same messages lead to the same bytes', () => {
    expect(lively().hash()).toBe(world.hash());
    expect(world.hash()).toBe('092d8c78e1c40673529b84b1207a026259643042dd74760e04eb8f7477fb883a');
  });
});

test('the README names every error with its code', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const own = registeredErrors().filter(([codespace]) => codespace === 'provider');
  expect(own).toHaveLength(25);
  for (const [, code, text] of own) expect(readme).toMatch(new RegExp(`\\| ${code} +\\| ${text} +\\|`));
});
