/** What x/provider refuses. */
import { MsgRegisterProvider, MsgUpdateParams, MsgUpdateProvider, type Params } from '@mu/proto/provider';
import { defaultParams } from '@mu/x-provider/params';
import type { Wish } from '../mu-chain.ts';
import * as say from './messages.ts';
import { notUtf8Lines, oddLines, oddNameLines } from './odd-texts.ts';
import { type Line, type Row, rows } from './row.ts';
import type { Stage } from './stages.ts';

function params(at: Stage, changes: Partial<Params> = {}, from = at.more.authority): Wish {
  const message = { authority: from.address, params: { ...defaultParams(), ...changes } };
  return say.send(from, MsgUpdateParams, MsgUpdateParams.fromPartial(message));
}

/** What a registration and an update state alike. */
const stated: readonly Line[] = [
  [
    9,
    'an operator that stands twice',
    (at) => say.registration(at, { operators: [at.who.user.address, at.who.user.address] }),
  ],
  [
    9,
    'an operator that stands twice, once in capitals',
    (at) => say.registration(at, { operators: [at.who.user.address, at.who.user.address.toUpperCase()] }),
  ],
  ['sdk 7', 'an operator without an address', (at) => say.registration(at, { operators: [''] })],
  ['sdk 7', 'an operator of another chain', (at) => say.registration(at, { operators: [say.cosmos] })],
  [
    'sdk 7',
    'an operator in capitals and small letters',
    (at) => say.registration(at, { operators: [say.mixed(at.who.user.address)] }),
  ],
  [
    'sdk 7',
    'an operator with a mistyped letter',
    (at) => say.registration(at, { operators: [say.mistyped(at.who.user.address)] }),
  ],
  ['sdk 7', 'a payout address of another chain', (at) => say.registration(at, { payoutAddress: say.cosmos })],
  ['sdk 7', 'a payout address of spaces', (at) => say.registration(at, { payoutAddress: '   ' })],
  [5, 'a host that is not https', (at) => say.registration(at, { hostUri: 'http://a.example:1' })],
  [5, 'a host without a port', (at) => say.registration(at, { hostUri: 'https://a.example' })],
  [5, 'a host at port 0', (at) => say.registration(at, { hostUri: 'https://a.example:0' })],
  [5, 'a host at port 65536', (at) => say.registration(at, { hostUri: 'https://a.example:65536' })],
  [5, 'a host with a user', (at) => say.registration(at, { hostUri: 'https://u@a.example:1' })],
  [5, 'a host with a path', (at) => say.registration(at, { hostUri: 'https://a.example:1/' })],
  [5, 'no host', (at) => say.registration(at, { hostUri: '' })],
  [5, 'a gateway with a query', (at) => say.registration(at, { gatewayUri: 'https://a.example?b' })],
  [5, 'a gateway by ftp', (at) => say.registration(at, { gatewayUri: 'ftp://a.example' })],
  [5, 'no gateway', (at) => say.registration(at, { gatewayUri: '' })],
  [6, 'no region', (at) => say.registration(at, { regions: [] })],
  [6, 'a region that stands twice', (at) => say.registration(at, { regions: ['eu', 'eu'] })],
  [7, 'no service', (at) => say.registration(at, { services: [] })],
  [7, 'a service that stands twice', (at) => say.registration(at, { services: ['mu-db', 'mu-db'] })],
  [
    12,
    'a key of attributes that stands twice',
    (at) =>
      say.registration(at, {
        attributes: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      }),
  ],
  [12, 'an attribute without a value', (at) => say.registration(at, { attributes: [{ key: 'a', value: '' }] })],
  [11, 'no root', (at) => say.registration(at, { roots: [] })],
  [
    11,
    'a root that stands twice',
    (at) => say.registration(at, { roots: [say.root(), say.root({ validToHeight: 9n })] }),
  ],
  [11, 'an empty root', (at) => say.registration(at, { roots: [say.root({ certificate: new Uint8Array() })] })],
  [
    11,
    'a root that is no DER',
    (at) => say.registration(at, { roots: [say.root({ certificate: new Uint8Array(9) })] }),
  ],
  [
    11,
    'a root with a byte more',
    (at) => say.registration(at, { roots: [say.root({ certificate: Uint8Array.of(0x30, 0, 0) })] }),
  ],
  [
    11,
    'a root that ends before it begins',
    (at) => say.registration(at, { roots: [say.root({ validFromHeight: 1_000_000n, validToHeight: 999_999n })] }),
  ],
  [
    11,
    'a root from below height 0',
    (at) => say.registration(at, { roots: [say.root({ validFromHeight: say.minInt64 })] }),
  ],
  [11, 'a root to below height 0', (at) => say.registration(at, { roots: [say.root({ validToHeight: -1n })] })],
  [11, 'roots that are over', (at) => say.registration(at, { roots: [say.root({ validToHeight: 1n })] })],
  [10, 'a node authority of 31 bytes', (at) => say.registration(at, { nodeAuthorityKey: new Uint8Array(31) })],
  [10, 'no node authority', (at) => say.registration(at, { nodeAuthorityKey: new Uint8Array() })],
  [
    10,
    'an encryption key of 33 bytes',
    (at) => say.registration(at, { encryptionKeys: [say.key(1, { publicKey: new Uint8Array(33) })] }),
  ],
  [
    10,
    'an encryption key_id that stands twice',
    (at) => say.registration(at, { encryptionKeys: [say.key(1), say.key(1)] }),
  ],
  [
    10,
    'an encryption key from below height 0',
    (at) => say.registration(at, { encryptionKeys: [say.key(1, { validFromHeight: -1n })] }),
  ],
  [
    10,
    'an encryption key that ends before it begins',
    (at) => say.registration(at, { encryptionKeys: [say.key(1, { validFromHeight: 9n, validToHeight: 8n })] }),
  ],
];

/** A registration as an update of the cheap one that states the same. */
function asUpdate({ messages }: Wish, { who: { cheap } }: Stage): Wish {
  const [registered] = messages;
  const said = MsgRegisterProvider.decode(registered?.value ?? new Uint8Array());
  return say.send(cheap, MsgUpdateProvider, MsgUpdateProvider.fromPartial({ ...said, owner: cheap.address }));
}

const updates = stated.map(
  ([refusal, what, make]): Line => [refusal, `an update: ${what}`, (at) => asUpdate(make(at), at)],
);

const registrations: readonly Line[] = [
  [2, 'who is registered', (at) => say.registration(at, {}, at.who.cheap)],
  [2, 'who is leaving', (at) => say.registration(at, {}, at.more.leaver)],
  [
    'sdk 2',
    'an owner of another chain',
    (at) => say.signedBy(at.who.stranger, say.registration(at, { owner: say.cosmos })),
  ],
  ['sdk 2', 'no owner', (at) => say.registration(at, { owner: '' })],
  [
    'sdk 2',
    'an owner in capitals and small letters',
    (at) => say.registration(at, { owner: say.mixed(at.who.stranger.address) }),
  ],
  ['sdk 8', 'a registration in the name of another', (at) => say.registration(at, { owner: at.who.user.address })],
  [
    25,
    'another key of the same key_id',
    (at) =>
      say.providerUpdate(
        at,
        { encryptionKeys: [say.key(1, { publicKey: new Uint8Array(32) }), say.key(3)] },
        at.more.keeper,
      ),
  ],
  [
    25,
    'a new key below the last one',
    (at) => say.providerUpdate(at, { encryptionKeys: [say.key(0), say.key(3)] }, at.more.keeper),
  ],
  [26, 'no encryption keys any more', (at) => say.providerUpdate(at, {}, at.more.keeper)],
  [
    26,
    'the last encryption key left out',
    (at) => say.providerUpdate(at, { encryptionKeys: [say.key(1)] }, at.more.keeper),
  ],
  ['sdk 5', 'a deposit that the owner does not have', (at) => say.registration(at, {}, at.more.poor)],
  [
    13,
    'a first price list that does not ascend',
    (at) => say.registration(at, { prices: [say.price({ metric: 'tunnel-bytes' }), say.price()] }),
  ],
  [
    8,
    'a first price list of an unknown metric',
    (at) => say.registration(at, { prices: [say.price({ metric: 'calls' })] }),
  ],
];

const strangers: readonly Line[] = [
  [3, 'an update of who is no provider', (at) => say.providerUpdate(at, {}, { ...at.who.cheap, ...at.who.stranger })],
  [3, 'a price list of who is no provider', (at) => say.priceList(at, [say.price()], at.who.stranger)],
  [3, 'a node of who is no provider', (at) => say.node(at, {}, { ...at.who.cheap, ...at.who.stranger })],
  [3, 'a removal by who is no provider', (at) => say.nodeRemoval(at, {}, at.who.stranger)],
  [3, 'a departure of who is no provider', (at) => say.departure(at.who.stranger)],
  [
    3,
    'an attestation of who is no provider',
    (at) => say.attestation(at, [{ key: 'a', value: 'b' }], at.who.user.address),
  ],
  ['sdk 7', 'an attestation of nobody', (at) => say.attestation(at, [], '')],
  ['sdk 7', 'an attestation of an account of another chain', (at) => say.attestation(at, [], say.cosmos)],
  ['sdk 8', 'an update of another’s provider', (at) => say.signedBy(at.who.stranger, say.providerUpdate(at))],
  [
    'sdk 8',
    'an update by an operator',
    (at) => say.signedBy(at.more.operator, say.providerUpdate(at, {}, at.more.keeper)),
  ],
  ['sdk 8', 'a price list of another’s provider', (at) => say.signedBy(at.who.dear, say.priceList(at, [say.price()]))],
  ['sdk 8', 'a node for another’s provider', (at) => say.signedBy(at.who.dear, say.node(at))],
  ['sdk 8', 'the removal of another’s node', (at) => say.signedBy(at.who.dear, say.nodeRemoval(at))],
  ['sdk 8', 'the departure of another', (at) => say.signedBy(at.who.dear, say.departure(at.who.cheap))],
  ['sdk 8', 'an attestation in the name of another', (at) => say.signedBy(at.who.dear, say.attestation(at, []))],
  [4, 'an update of who leaves', (at) => say.providerUpdate(at, {}, at.more.leaver)],
  [4, 'a price list of who leaves', (at) => say.priceList(at, [say.price()], at.more.leaver)],
  [4, 'a node of who leaves', (at) => say.node(at, {}, at.more.leaver)],
  [4, 'a second departure', (at) => say.departure(at.more.leaver)],
  [24, 'a withdrawal of what was never attested', (at) => say.attestation(at, [])],
  [
    12,
    'an attestation of a key twice',
    (at) =>
      say.attestation(at, [
        { key: 'a', value: '1' },
        { key: 'a', value: '1' },
      ]),
  ],
];

const keepers = (changes: Parameters<typeof say.node>[1]) => (at: Stage) => say.node(at, changes, at.more.keeper);

const nodes: readonly Line[] = [
  [15, 'an id that is used', (at) => say.node(at, { nodeId: 'node-1' })],
  [17, 'a node from below height 0', keepers({ validFromHeight: say.minInt64 })],
  [17, 'a node that ends before it begins', keepers({ validFromHeight: 1_000_000n, validToHeight: 999_999n })],
  [17, 'a node that is over', keepers({ validToHeight: 2n })],
  [17, 'a node to below height 0', keepers({ validFromHeight: 0n, validToHeight: -1n })],
  [10, 'a key of 31 bytes', keepers({ publicKey: new Uint8Array(31) })],
  [10, 'no key', keepers({ publicKey: new Uint8Array() })],
  [6, 'a region that the provider does not serve', keepers({ region: 'us' })],
  [19, 'one node more', (at) => say.node(at)],
  [18, 'a node that another authority certified', (at) => say.node(at, {}, at.more.keeper, at.who.dear.authority)],
  [18, 'a node without a signature', keepers({ signature: new Uint8Array() })],
  [18, 'a node with a signature of 65 bytes', keepers({ signature: new Uint8Array(65) })],
  [
    18,
    'the certificate of another’s node',
    (at) =>
      say.node(
        at,
        { owner: at.more.keeper.address },
        { ...at.who.dear, ...at.more.keeper, authority: at.who.dear.authority },
      ),
  ],
  [16, 'the removal of an unknown node', (at) => say.nodeRemoval(at, { nodeId: 'node-2' })],
  [
    16,
    'the removal of a node whose id is too long for a key',
    (at) => say.nodeRemoval(at, { nodeId: 'n'.repeat(300) }),
  ],
  [
    16,
    'the removal of a node with an id of a hundred thousand letters',
    (at) => say.nodeRemoval(at, { nodeId: 'n'.repeat(100_000) }),
  ],
  [16, 'the removal of a node by another provider', (at) => say.nodeRemoval(at, {}, at.more.keeper)],
  [21, 'a removal without a reason', (at) => say.nodeRemoval(at, { reason: 0 })],
  [21, 'a removal for a reason that there is not', (at) => say.nodeRemoval(at, { reason: 99 as 1 })],
  [21, 'a removal for a reason below 0', (at) => say.nodeRemoval(at, { reason: -5 as 1 })],
];

const prices: readonly Line[] = [
  [13, 'no price', (at) => say.priceList(at, [])],
  [8, 'an unknown metric', (at) => say.priceList(at, [say.price({ metric: 'calls' })])],
  [13, 'a metric twice', (at) => say.priceList(at, [say.price(), say.price()])],
  [13, 'for 0 units', (at) => say.priceList(at, [say.price({ per: 0n })])],
  [13, 'a price below 0', (at) => say.priceList(at, [say.price({ price: '-1' })])],
  [13, 'an empty price', (at) => say.priceList(at, [say.price({ price: '' })])],
  [13, 'a price with a leading zero', (at) => say.priceList(at, [say.price({ price: '01' })])],
  [13, 'a price with a point', (at) => say.priceList(at, [say.price({ price: '1.5' })])],
  [13, 'a price of 19 decimals', (at) => say.priceList(at, [say.price({ price: '0.1234567890123456789' })])],
  [13, 'a price with an exponent', (at) => say.priceList(at, [say.price({ price: '1e3' })])],
  [13, 'minus zero', (at) => say.priceList(at, [say.price({ price: '-0' })])],
  [13, 'a price above 10³⁶', (at) => say.priceList(at, [say.price({ price: `${BigInt(say.maxDec) + 1n}` })])],
  [13, 'a price of 2²⁵⁶', (at) => say.priceList(at, [say.price({ price: `${2n ** 256n}` })])],
  [14, 'one price list more', (at) => say.priceList(at, [say.price()])],
];

const parameters: readonly Line[] = [
  ['sdk 4', 'parameters by somebody', (at) => params(at, {}, at.who.stranger)],
  ['sdk 8', 'parameters in the name of the authority', (at) => say.signedBy(at.who.stranger, params(at))],
  [
    'sdk 18',
    'no parameters',
    ({ more: { authority } }) =>
      say.send(authority, MsgUpdateParams, MsgUpdateParams.fromPartial({ authority: authority.address })),
  ],
  [22, 'a deposit in another coin', (at) => params(at, { deposit: { denom: 'uatom', amount: '1' } })],
  [22, 'a deposit below 0', (at) => params(at, { deposit: say.coin('-1') })],
  ['sdk 2', 'a deposit of 2²⁵⁶', (at) => params(at, { deposit: say.coin(2n ** 256n) })],
  [22, 'no deposit', (at) => params(at, { deposit: undefined as never })],
  [22, 'unbonding in no blocks', (at) => params(at, { unbondingBlocks: 0n })],
  [22, 'unbonding in blocks below 0', (at) => params(at, { unbondingBlocks: say.minInt64 })],
  [22, 'unbonding in more blocks than 100 years have', (at) => params(at, { unbondingBlocks: say.maxInt64 })],
  [22, 'no regions', (at) => params(at, { regions: [] })],
  [22, 'a region twice', (at) => params(at, { regions: ['eu', 'eu'] })],
  [22, 'no services', (at) => params(at, { services: [] })],
  [22, 'no nodes', (at) => params(at, { maxNodes: 0 })],
  [22, 'no price lists', (at) => params(at, { maxPriceLists: 0n })],
  ...oddNameLines(22, 'a region of the parameters', 'eu', (at, text) => params(at, { regions: [text] })),
];

const odd: readonly Line[] = [
  ...oddNameLines(6, 'a region', 'eu', (at, text) => say.registration(at, { regions: [text] })),
  ...oddNameLines(7, 'a service', 'mu-db', (at, text) => say.registration(at, { services: [text] })),
  ...oddNameLines(12, 'a key of an attribute', 'tier', (at, key) =>
    say.registration(at, { attributes: [{ key, value: 'gold' }] }),
  ),
  ...oddLines(12, 'a value of an attribute', 'gold', (at, value) =>
    say.registration(at, { attributes: [{ key: 'tier', value }] }),
  ),
  ...oddLines(12, 'an attested value', 'gold', (at, value) => say.attestation(at, [{ key: 'tier', value }])),
  ...oddLines(5, 'a host', 'a.example', (at, host) => say.registration(at, { hostUri: `https://${host}:8443` })),
  ...oddLines(5, 'a gateway', 'https://a.example', (at, gatewayUri) => say.registration(at, { gatewayUri })),
  ...oddNameLines(17, 'an id of a node', 'node', (at, nodeId) => say.node(at, { nodeId }, at.more.keeper)),
  ...oddNameLines(6, 'a region of a node', 'eu', (at, region) => say.node(at, { region }, at.more.keeper)),
  ...oddNameLines(16, 'an id of a removed node', 'node-1', (at, nodeId) => say.nodeRemoval(at, { nodeId })),
  ...oddNameLines(8, 'a metric of a price', say.invocations, (at, metric) =>
    say.priceList(at, [say.price({ metric })]),
  ),
  ...oddLines(13, 'a price', '1', (at, price) => say.priceList(at, [say.price({ price })])),
  ...oddLines('sdk 7', 'an address', say.address(1), (at, payoutAddress) => say.registration(at, { payoutAddress })),
  ...notUtf8Lines('a region', (at, text) => say.registration(at, { regions: [text] })),
  ...notUtf8Lines('a host', (at, hostUri) => say.registration(at, { hostUri })),
  ...notUtf8Lines('a value of an attribute', (at, value) =>
    say.registration(at, { attributes: [{ key: 'tier', value }] }),
  ),
  ...notUtf8Lines('a metric', (at, metric) => say.priceList(at, [say.price({ metric })])),
  ...notUtf8Lines('an id of a node', (at, nodeId) => say.nodeRemoval(at, { nodeId })),
];

const afterwards: readonly Line[] = [
  [4, 'an update of who is gone', (at) => say.providerUpdate(at, { regions: ['us'] }, at.who.remote)],
  [4, 'a price list of who is gone', (at) => say.priceList(at, [say.price()], at.who.remote)],
  [4, 'a node of who is gone', (at) => say.node(at, { region: 'us' }, at.who.remote)],
  [14, 'a return with one price list more', (at) => say.registration(at, { prices: [say.price()] }, at.who.remote)],
  [
    25,
    'a return with another key of the same key_id',
    (at) => say.registration(at, { encryptionKeys: [say.key(3, { publicKey: new Uint8Array(32) })] }, at.more.keeper),
  ],
  [26, 'a return without the last encryption key', (at) => say.registration(at, {}, at.more.keeper)],
  [4, 'a departure of who is gone', (at) => say.departure(at.who.remote)],
];

export const providerRows: readonly Row[] = [
  ...rows('provider', 'registered', [
    ...registrations,
    ...stated,
    ...updates,
    ...strangers,
    ...nodes,
    ...prices,
    ...parameters,
    ...odd,
  ]),
  ...rows('provider', 'gone', afterwards),
  ...rows('provider', 'ordered', [[23, 'a departure with an open bid', (at) => say.departure(at.who.dear)]]),
  ...rows('provider', 'leased', [[23, 'a departure with a live lease', (at) => say.departure(at.who.cheap)]]),
  ...rows('provider', 'leased', [
    [20, 'the removal of a node that is removed', (at) => say.nodeRemoval(at, { nodeId: 'retired' })],
    [15, 'an id of a node that is removed', (at) => say.node(at, { nodeId: 'stolen' })],
  ]),
];
