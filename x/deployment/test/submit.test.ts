/** SubmitDeployment: what it writes and asks of others, and every row of its ladder. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type {
  AccessKey,
  DeploymentInfrastructure,
  ExpectedUsage,
  MsgSubmitDeployment,
  UsageLimit,
} from '@mu/proto/deployment';
import { lastDseq, ownerKey } from '../src/state.ts';
import {
  active,
  address,
  auditor,
  codeOf,
  dec,
  id,
  infrastructure,
  other,
  owner,
  provider,
  resources,
  submission,
  World,
} from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});
const submit = (parts: Partial<MsgSubmitDeployment>): string => codeOf(() => world.submit(parts));

describe('a submission', () => {
  test('is stored, pays its deposit, then opens an order for each infrastructure', () => {
    const two = [infrastructure(), infrastructure({ name: 'edge', region: 'east' })];
    const answer = world.msgs.submitDeployment(world.ctx, submission({ infrastructure: two }));
    expect(answer).toEqual({ id });
    expect(world.deployment()).toMatchObject({
      id,
      name: 'SimpleApp',
      infrastructure: two,
      version: Buffer.alloc(32, 9),
      revision: 1n,
      waitBlocks: 5n,
      state: active,
      createdHeight: 10n,
      closedHeight: 0n,
    });
    expect(world.calls()).toEqual([`escrow 7 ${owner} 5000 2000`, 'open 7 0 main 1', 'open 7 1 edge 1']);
    expect(world.ctx.events.events).toMatchObject([{ type: 'deployment_submitted' }]);
    expect(world.ctx.events.events[0]?.attributes).toContainEqual(['dseq', '7']);
    expect(world.broken()).toEqual([]);
  });

  test('below the reserve leaves nothing behind, its dseq included', () => {
    const before = world.hash();
    expect(submit({ deposit: { denom: 'umu', amount: '999' } })).toBe('fake-billing/2');
    expect([world.hash(), world.calls()]).toEqual([before, []]);
    expect(submit({ deposit: { denom: 'umu', amount: '1000' } })).toBe('accepted');
  });

  test('of an owner in upper case is the same owner’s', () => {
    world.submit({ owner: owner.toUpperCase() });
    expect(world.deployment().id).toMatchObject(id);
    expect(submit({})).toBe('deployment/4');
  });
});

describe('dseq', () => {
  test('is above the owner’s last one, and never used twice', () => {
    expect(submit({ dseq: 0n })).toBe('deployment/4');
    world.submit();
    expect([submit({ dseq: 7n }), submit({ dseq: 6n }), submit({ dseq: 8n })]).toEqual([
      'deployment/4',
      'deployment/4',
      'accepted',
    ]);
    world.cancel({ owner, dseq: 8n });
    expect(submit({ dseq: 8n })).toBe('deployment/4');
    expect(lastDseq.get(world.ctx, ownerKey(world.ctx, owner))).toBe(8n);
  });

  test('is the owner’s own, up to 2^64 - 1', () => {
    world.submit();
    expect(submit({ owner: other, dseq: 2n ** 64n - 1n })).toBe('accepted');
    expect(submit({ owner: other, dseq: 2n ** 64n - 1n })).toBe('deployment/4');
    expect(world.broken()).toEqual([]);
  });
});

test('deployment/5: more active deployments than allowed, until one ends', () => {
  world = new World({ maxActiveDeployments: 2 });
  world.submit({ dseq: 1n });
  world.submit({ dseq: 2n });
  expect(submit({ dseq: 3n })).toBe('deployment/5');
  expect(submit({ owner: other, dseq: 3n })).toBe('accepted');
  world.cancel({ owner, dseq: 1n });
  expect(submit({ dseq: 3n })).toBe('accepted');
});

const limit = (parts: Partial<UsageLimit> = {}): UsageLimit => ({
  metric: 'gateway-requests',
  maxPrice: dec('1'),
  maxPricePer: 1n,
  maxQuantityPerBlock: 10n,
  ...parts,
});
const expected = (parts: Partial<ExpectedUsage> = {}): ExpectedUsage => ({
  metric: 'gateway-requests',
  quantityPerBlock: 10n,
  ...parts,
});
const point = (parts: Partial<AccessKey> = {}): AccessKey => ({
  publicKey: Buffer.concat([Buffer.of(2), Buffer.alloc(32, 1)]),
  scopes: ['logs', 'read'],
  expiresHeight: 0n,
  ...parts,
});
const many = <T>(count: number, make: (at: number) => T): T[] => Array.from({ length: count }, (_, at) => make(at));

const fields: [string, string, Partial<MsgSubmitDeployment>][] = [
  ['sdk/7', 'an owner that is no address', { owner: 'mu1nobody' }],
  ['deployment/6', 'no name', { name: '' }],
  ['deployment/6', 'a name of 65 characters', { name: 'a'.repeat(65) }],
  ['deployment/6', 'a name with a line break', { name: 'a\nb' }],
  ['deployment/6', 'a name beyond ASCII', { name: 'é' }],
  ['deployment/7', 'no infrastructure', { infrastructure: [] }],
  [
    'deployment/7',
    'too many infrastructures',
    { infrastructure: many(17, (at) => infrastructure({ name: `i${at}` })) },
  ],
  ['deployment/7', 'two infrastructures of one name', { infrastructure: [infrastructure(), infrastructure()] }],
  ['deployment/17', 'a version of 31 bytes', { version: Buffer.alloc(31) }],
  ['deployment/17', 'no version', { version: Buffer.alloc(0) }],
  ['deployment/18', 'a wait below 0', { waitBlocks: -1n }],
  ['deployment/18', 'a wait above the bound', { waitBlocks: 10_001n }],
  [
    'deployment/19',
    'too many access keys',
    { accessKeys: many(17, (at) => point({ publicKey: Buffer.concat([Buffer.of(2), Buffer.alloc(32, at)]) })) },
  ],
  ['deployment/19', 'one access key twice', { accessKeys: [point(), point({ scopes: ['exec'] })] }],
  [
    'deployment/19',
    'an uncompressed access key',
    { accessKeys: [point({ publicKey: Buffer.concat([Buffer.of(4), Buffer.alloc(64)]) })] },
  ],
  ['deployment/19', 'an access key of 32 bytes', { accessKeys: [point({ publicKey: Buffer.alloc(32, 2) })] }],
  ['deployment/19', 'an access key without a scope', { accessKeys: [point({ scopes: [] })] }],
  ['deployment/19', 'an unknown scope', { accessKeys: [point({ scopes: ['root'] })] }],
  ['deployment/19', 'a scope twice', { accessKeys: [point({ scopes: ['read', 'read'] })] }],
  ['deployment/19', 'an access key that ends below 0', { accessKeys: [point({ expiresHeight: -1n })] }],
  [
    'deployment/20',
    'a sealed manifest',
    { sealedManifest: { provider, keyId: 1, encapsulatedKey: Buffer.alloc(32), ciphertext: Buffer.alloc(9) } },
  ],
  ['deployment/21', 'no deposit', { deposit: undefined as never }],
  ['deployment/21', 'a deposit in another coin', { deposit: { denom: 'uatom', amount: '5000' } }],
  ['deployment/21', 'a deposit below 0', { deposit: { denom: 'umu', amount: '-5000' } }],
  ['deployment/21', 'a deposit above 256 bits', { deposit: { denom: 'umu', amount: (2n ** 256n).toString() } }],
];

const infra: [string, string, Partial<DeploymentInfrastructure>][] = [
  ['deployment/6', 'no name', { name: '' }],
  ['deployment/6', 'a name in upper case', { name: 'Main' }],
  ['deployment/6', 'a name that begins with -', { name: '-main' }],
  ['deployment/6', 'a name of 65 characters', { name: 'a'.repeat(65) }],
  ['deployment/8', 'an unknown region', { region: 'mars' }],
  ['deployment/8', 'no region', { region: '' }],
  ['sdk/7', 'a provider that is no address', { provider: 'mu1nobody' }],
  ['sdk/7', 'an excluded provider that is no address', { excludedProviders: ['mu1nobody'] }],
  ['deployment/11', 'an excluded provider twice', { excludedProviders: [provider, provider.toUpperCase()] }],
  ['deployment/11', 'the only provider excluded', { provider, excludedProviders: [provider.toUpperCase()] }],
  ['deployment/11', 'too many excluded providers', { excludedProviders: many(33, (at) => address(50 + at)) }],
  ['deployment/9', 'a service twice', { services: ['mu-db', 'mu-db'] }],
  ['deployment/9', 'a service without a name', { services: [''] }],
  ['deployment/9', 'a service in upper case', { services: ['MuDb'] }],
  ['deployment/9', 'too many services', { services: many(65, (at) => `s${at}`) }],
  ['deployment/10', 'an attribute twice', { attributes: many(2, () => ({ key: 'a', value: 'b' })) }],
  ['deployment/10', 'an attribute key in upper case', { attributes: [{ key: 'A', value: 'b' }] }],
  ['deployment/10', 'an attribute without a value', { attributes: [{ key: 'a', value: '' }] }],
  ['deployment/10', 'too many attributes', { attributes: many(33, (at) => ({ key: `a${at}`, value: 'b' })) }],
  ['deployment/10', 'an auditor twice', { auditedBy: [auditor, auditor.toUpperCase()] }],
  ['deployment/10', 'too many auditors', { auditedBy: many(33, (at) => address(50 + at)) }],
  ['sdk/7', 'an auditor that is no address', { auditedBy: ['mu1nobody'] }],
  ['deployment/12', 'no resources', { resources: [] }],
  ['deployment/12', 'a hundred resource groups', { resources: many(100, () => resources()) }],
  ['deployment/12', 'a count of 0', { resources: [resources({ count: 0 })] }],
  ['deployment/12', 'a count above the bound', { resources: [resources({ count: 1_001 })] }],
  ['deployment/12', 'no cpu', { resources: [resources({ compute: { cpu: 0, memory: 1n } })] }],
  ['deployment/12', 'too much cpu', { resources: [resources({ compute: { cpu: 1_000_000_001, memory: 1n } })] }],
  ['deployment/12', 'no memory', { resources: [resources({ compute: { cpu: 1, memory: 0n } })] }],
  ['deployment/12', 'too much memory', { resources: [resources({ compute: { cpu: 1, memory: 2n ** 60n + 1n } })] }],
  [
    'deployment/12',
    'too much disk',
    { resources: [resources({ compute: { cpu: 1, memory: 1n, disk: 2n ** 60n + 1n } })] },
  ],
  ['deployment/12', 'no gpus', { resources: [resources({ compute: { cpu: 1, memory: 1n, gpu: { count: 0 } } })] }],
  [
    'deployment/12',
    'too many gpus',
    { resources: [resources({ compute: { cpu: 1, memory: 1n, gpu: { count: 1_001 } } })] },
  ],
  [
    'deployment/12',
    'a gpu vendor in upper case',
    { resources: [resources({ compute: { cpu: 1, memory: 1n, gpu: { count: 1, vendor: 'A' } } })] },
  ],
  ['deployment/13', 'a price of 0', { resources: [resources({ price: '0' })] }],
  ['deployment/13', 'a price below 0', { resources: [resources({ price: dec('-1') })] }],
  ['deployment/13', 'a price above 10^36', { resources: [resources({ price: `1${'0'.repeat(53)}1` })] }],
  ['deployment/13', 'a price that is no number of atomics', { resources: [resources({ price: '0.25' })] }],
  ['deployment/14', 'a collateral below 0', { resources: [resources({ collateral: '-1' })] }],
  ['deployment/14', 'a collateral above 256 bits', { resources: [resources({ collateral: (2n ** 256n).toString() })] }],
  ['deployment/14', 'no collateral', { resources: [resources({ collateral: '' })] }],
  ['deployment/15', 'an unknown metric', { usageLimits: [limit({ metric: 'coffee' })] }],
  ['deployment/15', 'a metric limited twice', { usageLimits: [limit(), limit()] }],
  ['deployment/15', 'a limit for 0 units', { usageLimits: [limit({ maxPricePer: 0n })] }],
  ['deployment/15', 'a limit of quantity 0', { usageLimits: [limit({ maxQuantityPerBlock: 0n })], expectedUsage: [] }],
  ['deployment/15', 'too many limits', { usageLimits: many(33, (at) => limit({ metric: `m${at}` })) }],
  ['deployment/13', 'a limit below 0', { usageLimits: [limit({ maxPrice: dec('-1') })] }],
  ['deployment/16', 'expected usage without a limit', { usageLimits: [], expectedUsage: [expected()] }],
  [
    'deployment/16',
    'more expected than limited',
    { usageLimits: [limit()], expectedUsage: [expected({ quantityPerBlock: 11n })] },
  ],
  ['deployment/16', 'a metric expected twice', { usageLimits: [limit()], expectedUsage: [expected(), expected()] }],
];

describe('refused with its code and without a trace', () => {
  const check = (code: string, parts: Partial<MsgSubmitDeployment>): void => {
    const before = world.hash();
    expect(submit(parts)).toBe(code);
    expect([world.hash(), world.calls()]).toEqual([before, []]);
  };
  test.each(fields)('%s: %s', (code, _what, parts) => check(code, parts));
  test.each(infra)('%s: an infrastructure with %s', (code, _what, parts) =>
    check(code, { infrastructure: [infrastructure(parts)] }),
  );
  test('deployment/9 … also where only the second infrastructure is wrong', () =>
    check('deployment/9', { infrastructure: [infrastructure(), infrastructure({ name: 'b', services: [''] })] }));
});

describe('accepted at the edge', () => {
  const edges: [string, Partial<DeploymentInfrastructure>][] = [
    ['a service that nobody may offer yet: the order waits', { services: ['mu-store'] }],
    ['no services, limits and expectations', { services: [], usageLimits: [], expectedUsage: [] }],
    [
      'the largest collateral and price',
      { resources: [resources({ collateral: (2n ** 256n - 1n).toString(), price: dec(`1${'0'.repeat(36)}`) })] },
    ],
    ['the smallest price', { resources: [resources({ price: '1' })] }],
    ['a limit of price 0', { usageLimits: [limit({ maxPrice: '0' })], expectedUsage: [expected()] }],
    [
      'a graphics processor',
      {
        resources: [resources({ compute: { cpu: 1, memory: 1n, gpu: { count: 1, vendor: 'nvidia', model: 'h100' } } })],
      },
    ],
    ['the most resource groups and replicas', { resources: many(16, () => resources({ count: 1_000 })) }],
    ['a chosen provider, and others excluded', { provider, excludedProviders: many(32, (at) => address(50 + at)) }],
    ['a name of 64 characters', { name: 'a'.repeat(64) }],
  ];
  test.each(edges)('%s', (_what, parts) => {
    expect(submit({ infrastructure: [infrastructure(parts)] })).toBe('accepted');
  });

  test('the longest wait, the longest name, the most keys and infrastructures', () => {
    const parts = {
      waitBlocks: 10_000n,
      name: '~'.repeat(64),
      accessKeys: many(16, (at) => point({ publicKey: Buffer.concat([Buffer.of(3), Buffer.alloc(32, at)]) })),
      infrastructure: many(16, (at) => infrastructure({ name: `i${at}` })),
      deposit: { denom: 'umu', amount: '16000' },
    };
    expect(submit(parts)).toBe('accepted');
    expect(world.calls()).toHaveLength(17);
  });
});
