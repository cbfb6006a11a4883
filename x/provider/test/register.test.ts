/** RegisterProvider, UpdateProvider and PublishPriceList: what they write, and every row of their ladders. */
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { MsgRegisterProvider } from '@mu/proto/provider';
import {
  address,
  codeOf,
  dec,
  defaultDeposit,
  der,
  module,
  operator,
  other,
  owner,
  payout,
  registration,
  World,
} from './world.ts';

let world: World;
beforeEach(() => {
  world = new World();
});

describe('a registration', () => {
  test('writes what was stated, locks the deposit and publishes the first price list', () => {
    const { priceListVersion } = world.msgs.registerProvider(world.ctx, registration());
    expect(priceListVersion).toBe(1n);
    expect(world.provider()).toMatchObject({
      owner,
      operators: [operator],
      payoutAddress: payout,
      priceListVersion: 1n,
      deposit: { denom: 'umu', amount: '100000000' },
      state: 1,
      registeredHeight: 10n,
      unbondingHeight: 0n,
    });
    expect(world.keeper.priceList(world.ctx, owner, 1n)).toMatchObject({ version: 1n, height: 10n, provider: owner });
    expect([world.balance(owner), world.balance(module)]).toEqual([1_000_000_000n - defaultDeposit, defaultDeposit]);
    expect(world.ctx.events.events.map(({ type }) => type)).toEqual(['provider_registered', 'price_list_published']);
    expect(world.broken()).toEqual([]);
  });

  test('without prices has no list, without a payout address pays the owner', () => {
    const { priceListVersion } = world.msgs.registerProvider(
      world.ctx,
      registration({ prices: [], payoutAddress: '' }),
    );
    expect(priceListVersion).toBe(0n);
    expect(world.provider()).toMatchObject({ payoutAddress: owner, priceListVersion: 0n });
    expect(world.keeper.priceList(world.ctx, owner, 1n)).toBeUndefined();
  });

  test('in upper case is stored in lower case, so that comparing texts compares accounts', () => {
    const shout = (text: string): string => text.toUpperCase();
    world.register({ owner: shout(owner), operators: [shout(operator)], payoutAddress: shout(payout) });
    expect(world.provider()).toMatchObject({ owner, operators: [operator], payoutAddress: payout });
    expect(world.keeper.isActing(world.ctx, owner, operator)).toBe(true);
    expect(world.keeper.isActing(world.ctx, owner, shout(operator))).toBe(true);
    expect(world.keeper.isActing(world.ctx, owner, other)).toBe(false);
  });

  test('of nothing in the bank locks nothing and leaves no provider', () => {
    world.fund(owner, defaultDeposit - 1n);
    const { ctx } = world.ctx.branch();
    expect(codeOf(() => world.msgs.registerProvider(ctx, registration()))).toBe('sdk/5');
    expect(world.keeper.getProvider(world.ctx, owner)).toBeUndefined();
    expect(world.balance(module)).toBe(0n);
  });
});

const root = { certificate: der(300), validFromHeight: 0n, validToHeight: 0n };
const key = { keyId: 1, publicKey: Buffer.alloc(32), validFromHeight: 0n, validToHeight: 0n };
const price = (metric: string, text = '1', per = 1n) => ({ metric, price: dec(text), per });
const longHost = `https://${'a'.repeat(243)}:8443`;

/** What a registration and an update alike refuse. */
const stated: [string, string, Partial<MsgRegisterProvider>][] = [
  ['sdk/7', 'an operator that is no address', { operators: ['mu1nobody'] }],
  ['sdk/7', 'an operator of another chain', { operators: ['cosmos1qypqxpq9qcrsszg2pvxq6rs0zqg3yyc5lzv7xu'] }],
  ['sdk/7', 'a payout address that is none', { payoutAddress: 'mu1nobody' }],
  ['provider/9', 'one operator twice', { operators: [operator, operator] }],
  ['provider/9', 'one operator twice, in two cases', { operators: [operator, operator.toUpperCase()] }],
  ['provider/9', 'too many operators', { operators: Array.from({ length: 17 }, (_, at) => address(100 + at)) }],
  ['provider/5', 'a host without TLS', { hostUri: 'http://dc1.example:8443' }],
  ['provider/5', 'a host without a port', { hostUri: 'https://dc1.example' }],
  ['provider/5', 'a host with a path', { hostUri: 'https://dc1.example:8443/a' }],
  ['provider/5', 'a host with something behind', { hostUri: 'https://dc1.example:8443://evil' }],
  ['provider/5', 'a host with a user', { hostUri: 'https://user@dc1.example:8443' }],
  ['provider/5', 'a port above 65535', { hostUri: 'https://dc1.example:65536' }],
  ['provider/5', 'port 0', { hostUri: 'https://dc1.example:0' }],
  ['provider/5', 'no host', { hostUri: '' }],
  ['provider/5', 'a host address of 257 bytes', { hostUri: `${longHost.slice(0, -5)}aa:8443` }],
  ['provider/5', 'another scheme of the gateway', { gatewayUri: 'ftp://dc1.example' }],
  ['provider/5', 'a gateway without a scheme', { gatewayUri: 'dc1.example' }],
  ['provider/6', 'no region', { regions: [] }],
  ['provider/6', 'an unknown region', { regions: ['mars'] }],
  ['provider/6', 'one region twice', { regions: ['local', 'local'] }],
  ['provider/7', 'no service', { services: [] }],
  ['provider/7', 'an unknown service', { services: ['mu-teapot'] }],
  ['provider/7', 'one service twice', { services: ['mu-db', 'mu-db'] }],
  ['provider/12', 'an attribute key in upper case', { attributes: [{ key: 'Tier', value: 'a' }] }],
  ['provider/12', 'an attribute key of 65 characters', { attributes: [{ key: 'a'.repeat(65), value: 'a' }] }],
  ['provider/12', 'an attribute without a value', { attributes: [{ key: 'a', value: '' }] }],
  ['provider/12', 'an attribute value with a line break', { attributes: [{ key: 'a', value: 'a\nb' }] }],
  ['provider/12', 'an attribute value of 129 characters', { attributes: [{ key: 'a', value: 'a'.repeat(129) }] }],
  ['provider/12', 'one attribute twice', { attributes: Array.from({ length: 2 }, () => ({ key: 'a', value: 'b' })) }],
  [
    'provider/12',
    'too many attributes',
    { attributes: Array.from({ length: 65 }, (_, at) => ({ key: `a${at}`, value: 'b' })) },
  ],
  ['provider/11', 'no root', { roots: [] }],
  [
    'provider/11',
    'too many roots',
    { roots: Array.from({ length: 5 }, (_, at) => ({ ...root, certificate: der(300 + at) })) },
  ],
  ['provider/11', 'an empty root', { roots: [{ ...root, certificate: Buffer.alloc(0) }] }],
  ['provider/11', 'a root of 2049 bytes', { roots: [{ ...root, certificate: der(2049) }] }],
  [
    'provider/11',
    'a root that is no DER',
    { roots: [{ ...root, certificate: Buffer.from('-----BEGIN CERTIFICATE-----') }] },
  ],
  [
    'provider/11',
    'a root with bytes behind',
    { roots: [{ ...root, certificate: Buffer.concat([der(300), Buffer.alloc(1)]) }] },
  ],
  [
    'provider/11',
    'a root that ends before it begins',
    { roots: [{ ...root, validFromHeight: 9n, validToHeight: 8n }] },
  ],
  ['provider/11', 'a root from a negative height', { roots: [{ ...root, validFromHeight: -1n }] }],
  ['provider/10', 'a node authority of 31 bytes', { nodeAuthorityKey: Buffer.alloc(31) }],
  ['provider/10', 'an encryption key of 33 bytes', { encryptionKeys: [{ ...key, publicKey: Buffer.alloc(33) }] }],
  ['provider/10', 'one key id twice', { encryptionKeys: [key, key] }],
  [
    'provider/10',
    'too many encryption keys',
    { encryptionKeys: Array.from({ length: 5 }, (_, keyId) => ({ ...key, keyId })) },
  ],
  [
    'provider/10',
    'an encryption key that ends before it begins',
    { encryptionKeys: [{ ...key, validFromHeight: 2n, validToHeight: 1n }] },
  ],
];

/** What a list of prices is refused for. */
const lists: [string, string, MsgRegisterProvider['prices']][] = [
  ['provider/8', 'an unknown metric', [price('coffee')]],
  ['provider/13', 'metrics that descend', [price('gateway-requests'), price('database-reads')]],
  ['provider/13', 'one metric twice', [price('database-reads'), price('database-reads')]],
  ['provider/13', 'a price for 0 units', [price('database-reads', '1', 0n)]],
  ['provider/13', 'a price below 0', [price('database-reads', '-1')]],
  ['provider/13', 'a price above 10^36', [{ ...price('database-reads'), price: `1${'0'.repeat(53)}1` }]],
  ['provider/13', 'a price that is no number', [{ ...price('database-reads'), price: '0.5' }]],
];

describe('refused with its code', () => {
  test.each(stated)('%s: registration with %s', (code, _what, parts) => {
    expect(codeOf(() => world.register(parts))).toBe(code);
    expect(world.balance(module)).toBe(0n);
  });

  test.each(lists)('%s: registration with %s', (code, _what, prices) => {
    expect(codeOf(() => world.register({ prices }))).toBe(code);
  });

  test.each(stated)('%s: update with %s', (code, _what, parts) => {
    world.register();
    const before = world.hash();
    expect(codeOf(() => world.msgs.updateProvider(world.ctx, registration(parts)))).toBe(code);
    expect(world.hash()).toBe(before);
  });

  test.each(lists)('%s: price list with %s', (code, _what, prices) => {
    world.register();
    expect(codeOf(() => world.msgs.publishPriceList(world.ctx, { owner, prices }))).toBe(code);
  });

  test('provider/2: who is registered already', () => {
    world.register();
    expect(codeOf(() => world.register())).toBe('provider/2');
    expect(codeOf(() => world.register({ owner: owner.toUpperCase() }))).toBe('provider/2');
  });

  test('provider/3: update and price list of nobody', () => {
    expect(codeOf(() => world.msgs.updateProvider(world.ctx, registration()))).toBe('provider/3');
    expect(codeOf(() => world.msgs.publishPriceList(world.ctx, { owner, prices: [] }))).toBe('provider/3');
  });

  test('provider/13: a list of nothing or of too much', () => {
    world = new World({ maxPrices: 1 });
    world.register({ prices: [] });
    const two = [price('database-reads'), price('database-writes')];
    expect(codeOf(() => world.msgs.publishPriceList(world.ctx, { owner, prices: [] }))).toBe('provider/13');
    expect(codeOf(() => world.msgs.publishPriceList(world.ctx, { owner, prices: two }))).toBe('provider/13');
  });

  test('provider/14: a version more than allowed', () => {
    world = new World({ maxPriceLists: 2n });
    world.register();
    const prices = [price('database-reads')];
    expect(world.msgs.publishPriceList(world.ctx, { owner, prices })).toEqual({ version: 2n });
    expect(codeOf(() => world.msgs.publishPriceList(world.ctx, { owner, prices }))).toBe('provider/14');
  });
});

describe('accepted at the edge', () => {
  const edges: [string, Partial<MsgRegisterProvider>][] = [
    ['a host address of 256 bytes', { hostUri: longHost }],
    ['an IPv6 host', { hostUri: 'https://[2001:db8::1]:443' }],
    ['an IPv4 gateway', { gatewayUri: 'http://127.0.0.1:65535' }],
    ['a root of 2048 bytes', { roots: [{ ...root, certificate: der(2048) }] }],
    ['a root valid for one block', { roots: [{ ...root, validFromHeight: 10n, validToHeight: 10n }] }],
    ['no operators, attributes, keys', { operators: [], attributes: [], encryptionKeys: [] }],
    ['a price of 10^36', { prices: [price('database-reads', `1${'0'.repeat(36)}`)] }],
  ];
  test.each(edges)('%s', (_what, parts) => {
    expect(codeOf(() => world.register(parts))).toBe('accepted');
  });
});

describe('an update', () => {
  test('replaces what was stated and nothing else', () => {
    world = new World({ regions: ['local', 'east', 'west'] });
    world.register({ regions: ['local', 'east'] });
    const before = world.provider();
    world.at(20n);
    world.msgs.updateProvider(world.ctx, registration({ regions: ['east', 'west'], operators: [], payoutAddress: '' }));
    expect(world.provider()).toEqual({ ...before, regions: ['east', 'west'], operators: [], payoutAddress: owner });
    expect(world.keeper.isActing(world.ctx, owner, operator)).toBe(false);
    expect(world.balance(module)).toBe(defaultDeposit);
    expect(world.broken()).toEqual([]);
  });
});

describe('price lists', () => {
  test('are immutable: a new one leaves the old one as it was', () => {
    world.register();
    const first = world.keeper.priceList(world.ctx, owner, 1n);
    world.at(11n);
    world.msgs.publishPriceList(world.ctx, { owner, prices: [price('egress-bytes', '2')] });
    expect(world.keeper.priceList(world.ctx, owner, 1n)).toEqual(first);
    expect(world.keeper.priceList(world.ctx, owner, 2n)?.prices).toMatchObject([
      { metric: 'egress-bytes', price: dec('2') },
    ]);
    expect(world.provider().priceListVersion).toBe(2n);
  });
});
