/** The end of a deployment, and the module as the application sees it: genesis, queries, invariants, consensus figures. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, test } from '@jest/globals';
import { registeredErrors } from '@mu/framework/errors';
import { MessageRegistry } from '@mu/framework/message-registry';
import type { Json } from '@mu/framework/module';
import { QueryRouter } from '@mu/framework/query-router';
import { type Deployment, QueryDeploymentsRequest } from '@mu/proto/deployment';
import { CloseReason } from '@mu/proto/market';
import { registry } from '@mu/proto/registry';
import { defaultParams } from '../src/params.ts';
import { createQueryServer } from '../src/query-server.ts';
import { activeCount, byState, deployments, lastDseq, ownerKey } from '../src/state.ts';
import {
  active,
  address,
  auditor,
  authority,
  closed,
  closing,
  codeOf,
  id,
  infrastructure,
  other,
  owner,
  submission,
  World,
} from './world.ts';

/** Four deployments of two owners: active, closing, closed, active. */
function lively(): World {
  const world = new World();
  for (const dseq of [7n, 8n, 9n]) world.submit({ dseq });
  world.submit({ owner: other, dseq: 1n, infrastructure: [infrastructure({ region: 'east' })] });
  world.at(20n);
  world.cancel({ owner, dseq: 8n });
  world.cancel({ owner, dseq: 9n });
  world.at(30n);
  world.keeper.markClosed(world.ctx, { owner, dseq: 9n });
  return world;
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('cancel', () => {
  test('closes orders and leases first, then the escrow, and says so', () => {
    world.submit();
    world.at(20n);
    world.cancel();
    expect(world.calls().slice(2)).toEqual([
      `close 7 ${CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED} ${closing}`,
      'settle 7',
    ]);
    expect(world.deployment()).toMatchObject({ state: closing, closedHeight: 20n });
    expect(world.ctx.events.events).toMatchObject([{ type: 'deployment_canceled' }]);
    expect(world.broken()).toEqual([]);
  });

  test('settles once, though the market finds that all is over', () => {
    world.submit();
    world.whenClosed = (ctx, of) => world.keeper.afterAllOver(ctx, of);
    world.cancel();
    expect(world.calls().filter((call) => call === 'settle 7')).toHaveLength(1);
  });

  test('is refused: unknown (2), another’s (2), twice (3)', () => {
    world.submit();
    expect(codeOf(() => world.cancel({ owner, dseq: 8n }))).toBe('deployment/2');
    expect(codeOf(() => world.cancel({ owner: other, dseq: 7n }))).toBe('deployment/2');
    world.cancel();
    expect(codeOf(() => world.cancel())).toBe('deployment/3');
    world.keeper.markClosed(world.ctx, id);
    expect(codeOf(() => world.cancel())).toBe('deployment/3');
  });

  test('that fails in the market changes nothing', () => {
    world.submit();
    const before = world.hash();
    world.whenClosed = () => {
      throw new Error('a fault of the market');
    };
    expect(() => world.cancel()).toThrow('a fault of the market');
    expect(world.hash()).toBe(before);
    expect(world.deployment().state).toBe(active);
  });
});

describe('the end', () => {
  test('begins when nothing is left of it, and is over when the escrow is settled', () => {
    world.submit();
    world.at(20n);
    world.keeper.afterAllOver(world.ctx, id);
    expect(world.deployment()).toMatchObject({ state: closing, closedHeight: 20n });
    expect(world.calls().at(-1)).toBe('settle 7');
    world.at(30n);
    world.keeper.markClosed(world.ctx, id);
    expect(world.deployment()).toMatchObject({ state: closed, closedHeight: 20n });
    expect(world.ctx.events.events).toMatchObject([{ type: 'deployment_closed' }]);
    expect(world.broken()).toEqual([]);
  });

  test('comes once, in order, and of nothing unknown', () => {
    world.submit();
    world.keeper.markClosed(world.ctx, id);
    expect(world.deployment().state).toBe(active);
    world.keeper.afterAllOver(world.ctx, id);
    world.keeper.afterAllOver(world.ctx, id);
    expect(world.calls().filter((call) => call === 'settle 7')).toHaveLength(1);
    world.keeper.markClosed(world.ctx, id);
    const before = world.hash();
    world.keeper.afterAllOver(world.ctx, id);
    world.keeper.markClosed(world.ctx, id);
    world.keeper.afterAllOver(world.ctx, { owner: other, dseq: 1n });
    world.keeper.markClosed(world.ctx, { owner: other, dseq: 1n });
    expect(world.hash()).toBe(before);
  });
});

describe('parameters', () => {
  test('are changed by the authority of genesis alone', () => {
    const params = { ...defaultParams(), maxWaitBlocks: 1n };
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority: other, params }))).toBe('sdk/4');
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority, params }))).toBe('accepted');
    expect(codeOf(() => world.submit({ waitBlocks: 2n }))).toBe('deployment/18');
  });

  test('are changed by nobody where genesis names nobody', () => {
    world.module.genesis.init(world.ctx, world.module.genesis.defaults());
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority: '', params: defaultParams() }))).toBe('sdk/4');
  });

  const wrong: [string, object][] = [
    ['no infrastructures', { maxInfrastructures: 0 }],
    ['too many infrastructures', { maxInfrastructures: 101 }],
    ['no resources', { maxResources: 0 }],
    ['no deployments', { maxActiveDeployments: 0 }],
    ['names longer than a key', { maxNameBytes: 256 }],
    ['no replicas', { maxCount: 0 }],
    ['a wait below 0', { maxWaitBlocks: -1n }],
    ['sealed manifests', { maxSealedManifestBytes: 65_537 }],
    ['the fee of sealed manifests', { sealedManifestFeePerByte: '-1' }],
  ];
  test.each(wrong)('deployment/22: %s', (_what, parts) => {
    const params = { ...defaultParams(), ...parts };
    expect(codeOf(() => world.msgs.updateParams(world.ctx, { authority, params }))).toBe('deployment/22');
  });
});

describe('genesis', () => {
  beforeEach(() => {
    world = lively();
  });

  test('exported and imported is the same state, byte for byte', () => {
    const exported = world.module.genesis.export(world.ctx);
    const next = new World();
    for (const [key] of [...next.stores.store('deployment').iterate()]) next.stores.store('deployment').delete(key);
    next.module.genesis.validate(exported);
    next.module.genesis.init(next.ctx, JSON.parse(JSON.stringify(exported)) as Json);
    expect(next.hash()).toBe(world.hash());
    expect(next.module.genesis.export(next.ctx)).toEqual(exported);
    expect(next.broken()).toEqual([]);
    expect(codeOf(() => next.submit({ dseq: 9n }))).toBe('deployment/4');
  });

  test('of the defaults is valid and names nobody as authority', () => {
    const { genesis } = world.module;
    expect(() => genesis.validate(genesis.defaults())).not.toThrow();
    expect(genesis.defaults()).toMatchObject({ authority: '', deployments: [], last_dseqs: [] });
  });

  type Exported = Record<'deployments' | 'last_dseqs', Record<string, unknown>[]>;
  const first = (change: object) => (state: Exported) => Object.assign(state.deployments[0]!, change);
  const wrong: [string, RegExp, (state: Exported) => void][] = [
    ['a deployment twice', /deployments\[4\] stands twice/, ({ deployments: list }) => list.push(list[0]!)],
    ['a deployment above the last dseq', /deployments\[0\]\.id\.dseq/, (state) => state.last_dseqs.shift()],
    ['an owner’s last dseq twice', /last_dseqs\[2\] names/, ({ last_dseqs: list }) => list.push(list[0]!)],
    ['no id', /deployments\[0\]\.id/, first({ id: { owner, dseq: '0' } })],
    ['no state', /deployments\[0\]\.state/, first({ state: 'DEPLOYMENT_STATE_UNSPECIFIED' })],
    ['an end while active', /deployments\[0\]\.closed_height/, first({ closed_height: '9' })],
    ['no infrastructure', /deployments\[0\]\.infrastructure/, first({ infrastructure: [] })],
    ['a short version', /deployments\[0\]\.version/, first({ version: 'AAAA' })],
    ['revision 0', /deployments\[0\]\.revision/, first({ revision: '0' })],
  ];
  test.each(wrong)('with %s is refused', (_what, text, change) => {
    const state = JSON.parse(JSON.stringify(world.module.genesis.export(world.ctx))) as Exported;
    change(state);
    expect(() => world.module.genesis.validate(state as unknown as Json)).toThrow(text);
  });
});

describe('queries', () => {
  beforeEach(() => {
    world = lively();
  });
  const query = () => createQueryServer(world.keeper);
  const dseqs = (parts: Partial<QueryDeploymentsRequest>): (string | undefined)[] =>
    query()
      .deployments(world.ctx, QueryDeploymentsRequest.fromPartial(parts))
      .deployments.map(({ id: of }: Deployment) => `${of?.owner === owner ? 'owner' : 'other'}/${of?.dseq}`);

  test('list deployments by owner and state', () => {
    expect(dseqs({})).toEqual(['owner/7', 'owner/8', 'owner/9', 'other/1']);
    expect(dseqs({ owner })).toEqual(['owner/7', 'owner/8', 'owner/9']);
    expect(dseqs({ state: active })).toEqual(['owner/7', 'other/1']);
    expect(dseqs({ owner, state: closing })).toEqual(['owner/8']);
    expect(dseqs({ state: closed })).toEqual(['owner/9']);
    expect(dseqs({ owner: auditor })).toEqual([]);
    expect(codeOf(() => dseqs({ owner: 'nobody' }))).toBe('sdk/7');
  });

  test('give pages, over the index by state too', () => {
    const request = (key: Uint8Array) =>
      QueryDeploymentsRequest.fromPartial({ state: active, pagination: { key, limit: 1n } });
    const one = query().deployments(world.ctx, request(new Uint8Array()));
    const two = query().deployments(world.ctx, request(one.pagination?.nextKey ?? new Uint8Array()));
    expect([...one.deployments, ...two.deployments].map((each) => each.id?.dseq)).toEqual([7n, 1n]);
    expect(two.pagination?.nextKey).toHaveLength(0);
  });

  test('answer one deployment and the last dseq', () => {
    expect(query().deployment(world.ctx, id).deployment?.name).toBe('SimpleApp');
    expect(codeOf(() => query().deployment(world.ctx, { owner, dseq: 6n }))).toBe('sdk/22');
    expect(query().lastDseq(world.ctx, { owner })).toEqual({ dseq: 9n });
    expect(query().lastDseq(world.ctx, { owner: auditor })).toEqual({ dseq: 0n });
    expect(query().params(world.ctx, {}).params).toEqual(defaultParams());
  });

  test('and messages are registered', () => {
    const router = new QueryRouter();
    world.module.registerQueries(router);
    expect(router.paths()).toHaveLength(4);
    const messages = new MessageRegistry(registry);
    world.module.registerMsgs(messages);
    expect(messages.typeUrls()).toEqual([
      '/mu.deployment.v1.MsgCancelDeployment',
      '/mu.deployment.v1.MsgSubmitDeployment',
      '/mu.deployment.v1.MsgUpdateDeployment',
      '/mu.deployment.v1.MsgUpdateParams',
    ]);
  });
});

describe('invariants break when', () => {
  beforeEach(() => {
    world = lively();
  });
  const key = () => ownerKey(world.ctx, owner);
  const breaks: [string, string, () => void][] = [
    ['DEP-1', 'a count is wrong', () => activeCount.set(world.ctx, key(), 2n)],
    ['DEP-1', 'a count is missing', () => activeCount.delete(world.ctx, key())],
    ['DEP-1', 'a count is of nobody', () => activeCount.set(world.ctx, ownerKey(world.ctx, auditor), 1n)],
    ['DEP-2', 'the index lacks one', () => byState.delete(world.ctx, [active, key(), 7n])],
    ['DEP-2', 'the index has one too many', () => byState.add(world.ctx, [closed, key(), 7n])],
    ['DEP-3', 'a dseq is above the last one', () => lastDseq.set(world.ctx, key(), 8n)],
  ];
  test.each(breaks)('%s: %s', (name, _what, change) => {
    expect(world.broken()).toEqual([]);
    change();
    expect(world.broken().map((text) => text.slice(0, 5))).toEqual([name]);
  });

  test('DEP-1 and DEP-2: a state changes past putDeployment', () => {
    deployments.set(world.ctx, [key(), 7n], { ...world.deployment(), state: closing });
    expect(world.broken().map((text) => text.slice(0, 5))).toEqual(['DEP-1', 'DEP-2']);
  });
});

describe('consensus figures', () => {
  /** Gas of the module alone: the market and the billing of these tests charge none. */
  const figures: [string, bigint, (on: World) => void][] = [
    ['SubmitDeployment', 23_814n, (on) => on.submit({ owner: other })],
    ['CancelDeployment', 20_616n, (on) => on.cancel()],
  ];
  test.each(figures)('gas of %s is %d', (_what, gas, run) => {
    world.submit();
    world.at(10n);
    run(world);
    expect(world.ctx.gas.consumed).toBe(gas);
  });

  test('gas does not grow with the number of deployments', () => {
    const costs = Array.from({ length: 40 }, (_, at) => {
      world.at(10n);
      world.msgs.submitDeployment(world.ctx, submission({ owner: address(30 + at) }));
      return world.ctx.gas.consumed;
    });
    expect(new Set(costs).size).toBe(1);
  });

  test('the same messages lead to the same bytes', () => {
    expect(lively().hash()).toBe(lively().hash());
    expect(lively().hash()).toBe('58776f85b5dacab74eed3aaadf112ed973089b70b269e765bc89f8907dbc9df8');
  });
});

test('the README names every error with its code', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const own = registeredErrors().filter(([codespace]) => codespace === 'deployment');
  expect(own).toHaveLength(21);
  for (const [, code, text] of own) expect(readme).toMatch(new RegExp(`\\| ${code} +\\| ${text} +\\|`));
});
