/** What x/billing refuses. */
import { MsgUpdateParams, MsgUpdateUsage, type Params, type UsageReport } from '@mu/proto/billing';
import { defaultParams } from '@mu/x-billing/params';
import { umu } from '../market.ts';
import type { Wish } from '../mu-chain.ts';
import * as say from './messages.ts';
import { notUtf8Lines, oddLines, oddNameLines } from './odd-texts.ts';
import { type Line, type Make, type Row, rows } from './row.ts';
import type { Stage } from './stages.ts';

function params(at: Stage, changes: Partial<Params> = {}, from = at.more.authority): Wish {
  const message = { authority: from.address, params: { ...defaultParams(), ...changes } };
  return say.send(from, MsgUpdateParams, MsgUpdateParams.fromPartial(message));
}

type Money = Parameters<typeof say.payment>[2];
const paying =
  (changes: Money): Make =>
  (at) =>
    say.payment(at, 1n, changes);
const taking =
  (changes: Money): Make =>
  (at) =>
    say.withdrawal(at, 1n, changes);

/** What a deposit and a withdrawal are refused for alike. */
function amounts(what: string, say1: (changes: Money) => Make): readonly Line[] {
  return [
    [8, `${what} of nothing that is said`, say1({ amount: undefined as never })],
    [7, `${what} in another coin`, say1({ amount: { denom: 'uatom', amount: '1000' } })],
    [7, `${what} in the same coin, in capitals`, say1({ amount: { denom: 'UMU', amount: '1000' } })],
    [7, `${what} in a coin without a name`, say1({ amount: { denom: '', amount: '1000' } })],
    [8, `${what} below 0`, say1({ amount: say.coin('-1000') })],
    ['sdk 2', `${what} with a leading zero`, say1({ amount: say.coin('01000') })],
    ['sdk 2', `${what} with a point`, say1({ amount: say.coin('1000.5') })],
    ['sdk 2', `${what} of 2²⁵⁶`, say1({ amount: say.coin(2n ** 256n) })],
    [2, `${what} of an escrow that there is not`, say1({ dseq: 99n })],
    [2, `${what} of the escrow of another owner`, (at) => say1({ owner: at.who.stranger.address })(at)],
    ['sdk 7', `${what} of an owner of another chain`, say1({ owner: say.cosmos })],
    ['sdk 7', `${what} of no owner`, say1({ owner: '' })],
    [
      'sdk 7',
      `${what} of an owner in capitals and small letters`,
      (at) => say1({ owner: say.mixed(at.who.user.address) })(at),
    ],
    ['sdk 8', `${what} in the name of another`, (at) => say.signedBy(at.who.stranger, say1({})(at))],
    ...oddLines(7, `${what}: a denomination`, 'umu', (at, denom) => say1({ amount: { denom, amount: '1000' } })(at)),
    ...oddLines('sdk 2', `${what}: an amount`, '1000', (at, amount) => say1({ amount: say.coin(amount) })(at)),
    ...notUtf8Lines(`${what}: a denomination`, (at, denom) => say1({ amount: { denom, amount: '1000' } })(at)),
  ];
}

const money: readonly Line[] = [
  ...amounts('a deposit', paying),
  ...amounts('a withdrawal', taking),
  [9, 'a deposit below the least one', paying({ amount: say.coin(999n) })],
  [9, 'an empty deposit', paying({ amount: say.coin('') })],
  [11, 'one depositor more', (at) => say.payment(at, 1n, {}, at.who.stranger)],
  [12, 'a deposit of 2²⁵⁶ − 1 to an escrow that has some', paying({ amount: say.coin(say.maxAmount) })],
  ['sdk 5', 'a deposit that the depositor does not have', paying({ amount: say.coin(10n ** 30n) })],
  [8, 'a withdrawal of 0', taking({ amount: say.coin(0n) })],
  [8, 'an empty withdrawal', taking({ amount: say.coin('') })],
  [13, 'a withdrawal of another’s deposit', (at) => say.withdrawal(at, 1n, {}, at.who.stranger)],
  [14, 'a withdrawal of more than was deposited', taking({ amount: say.coin(50_001n) })],
  [14, 'a withdrawal of 2²⁵⁶ − 1', taking({ amount: say.coin(say.maxAmount) })],
  [15, 'a withdrawal of the reserve', taking({ amount: say.coin(50_000n) })],
];

const reporting =
  (changes: Partial<UsageReport>): Make =>
  (at) =>
    say.usage(at, 2n, changes);
const items = (...some: ReturnType<typeof say.item>[]): Make => reporting({ items: some });

const long = 'm'.repeat(100_000);

const reports: readonly Line[] = [
  [
    18,
    'no report',
    ({ who: { cheap } }) =>
      say.send(
        cheap,
        MsgUpdateUsage,
        MsgUpdateUsage.fromPartial({ sender: cheap.address, signature: new Uint8Array(64) }),
      ),
  ],
  [18, 'a report of lease 0', reporting({ lease: 0n })],
  [18, 'a root of 31 bytes', reporting({ logRoot: new Uint8Array(31) })],
  [18, 'a report without a signature', (at) => say.usage(at, 2n, {}, { signature: new Uint8Array() })],
  [18, 'a signature of 65 bytes', (at) => say.usage(at, 2n, {}, { signature: new Uint8Array(65) })],
  [18, 'a report that ends before it begins', (at) => say.usage(at, 2n, { toHeight: at.createdAt(2n) })],
  [18, 'a report to below height 0', reporting({ toHeight: -1n })],
  [19, 'an item more', items(say.item({ service: 'a' }), say.item({ service: 'b' }), say.item({ service: 'c' }))],
  [20, 'an item twice', items(say.item(), say.item())],
  [20, 'items that descend by service', items(say.item({ service: 'b' }), say.item({ service: 'a' }))],
  [20, 'items that descend by metric', items(say.item({ metric: 'tunnel-bytes' }), say.item())],
  [21, 'a quantity of 0', items(say.item({ quantity: 0n }))],
  [
    20,
    'items that descend by metrics of a hundred thousand letters',
    items(say.item({ metric: 'tunnel-bytes' }), say.item({ metric: long })),
  ],
  [21, 'a quantity of 0 of a metric of a hundred thousand letters', items(say.item({ metric: long, quantity: 0n }))],
  [16, 'a lease that there is not', reporting({ lease: 99n })],
  [16, 'the greatest lease', reporting({ lease: 2n ** 64n - 1n })],
  [17, 'a report of another’s lease', (at) => say.usage(at, 2n, {}, { from: at.who.dear })],
  [17, 'a report by the user', (at) => say.usage(at, 2n, {}, { from: at.who.user })],
  ['sdk 8', 'a report in the name of the provider', (at) => say.signedBy(at.who.dear, say.usage(at, 2n))],
  [24, 'a report of sequence 0', reporting({ sequence: 0n })],
  [24, 'a report that leaves a sequence out', reporting({ sequence: 2n })],
  [24, 'the greatest sequence', reporting({ sequence: 2n ** 64n - 1n })],
  [25, 'a report from the block of the match', (at) => say.usage(at, 2n, { fromHeight: at.createdAt(2n) })],
  [25, 'a report that leaves a block out', (at) => say.usage(at, 2n, { fromHeight: at.createdAt(2n) + 2n })],
  [25, 'a report from below height 0', reporting({ fromHeight: say.minInt64 })],
  [27, 'a report of the next block', (at) => say.usage(at, 2n, { toHeight: at.market.chain.height + 2n })],
  [27, 'a report up to the greatest height', reporting({ toHeight: say.maxInt64 })],
  [26, 'a report beyond the end of its lease', (at) => say.usage(at, 1n)],
  [30, 'an unknown node', reporting({ nodeId: 'node-2' })],
  [30, 'a node of another provider', (at) => say.usage(at, 2n, { nodeId: 'other' }, { signedBy: at.who.dear.node })],
  [31, 'a node that is to come', reporting({ nodeId: 'later' })],
  [31, 'a node that is over', reporting({ nodeId: 'over' })],
  [32, 'a node that is retired', reporting({ nodeId: 'retired' })],
  [33, 'a node whose key is stolen', reporting({ nodeId: 'stolen' })],
  [34, 'a report that another node signed', (at) => say.usage(at, 2n, {}, { signedBy: at.who.dear.node })],
  [34, 'a report that the authority signed', (at) => say.usage(at, 2n, {}, { signedBy: at.who.cheap.authority })],
  [34, 'a signature of zeros', (at) => say.usage(at, 2n, {}, { signature: new Uint8Array(64) })],
  [22, 'a metric that the chain does not know', items(say.item({ metric: 'calls' }))],
  [22, 'a metric of 255 bytes', items(say.item({ metric: 'm'.repeat(255) }))],
  [22, 'a metric that is too long for a key', items(say.item({ metric: 'm'.repeat(256) }))],
  [22, 'a metric of a hundred thousand letters', items(say.item({ metric: long }))],
  [28, 'more than a machine can do', items(say.item({ quantity: 2n ** 64n - 1n }))],
  [
    28,
    'more than a machine can do of what is free',
    items(say.item({ metric: 'tunnel-bytes', quantity: 2n ** 64n - 1n })),
  ],
  [
    29,
    'more than the user allows',
    (at) =>
      say.usage(at, 2n, {
        items: [say.item({ quantity: (at.market.chain.height + 1n - at.createdAt(2n)) * 100n + 1n })],
      }),
  ],
  [
    29,
    'more than the user allows of two services',
    (at) =>
      say.usage(at, 2n, {
        items: ['a', 'b'].map((service) =>
          say.item({ service, quantity: (at.market.chain.height + 1n - at.createdAt(2n)) * 60n }),
        ),
      }),
  ],
  ...oddNameLines(22, 'a metric', say.invocations, (at, metric) => items(say.item({ metric }))(at)),
  ...oddLines(18, 'a service', 'login', (at, service) => items(say.item({ service }))(at)),
  ...oddNameLines(18, 'an id of a node', 'node-1', (at, nodeId) => reporting({ nodeId })(at)),
  ...notUtf8Lines('a metric', (at, metric) => items(say.item({ metric }))(at)),
];

const closing: readonly Line[] = [
  [4, 'a deposit to an escrow that closes', paying({})],
  [5, 'a withdrawal from an escrow that closes', taking({})],
];

const closed: readonly Line[] = [
  [4, 'a deposit to an escrow that is closed', paying({})],
  [13, 'a withdrawal of who has no shares of it', (at) => say.withdrawal(at, 1n, {}, at.who.dear)],
  [13, 'a second withdrawal of the owner', taking({})],
  [
    14,
    'a withdrawal of more than the shares are worth',
    (at) => say.withdrawal(at, 1n, { amount: say.coin(1_001n) }, at.who.stranger),
  ],
  [23, 'a report after its time', (at) => say.usage(at, 1n, { toHeight: at.market.lease(1n).closedHeight })],
];

const settled: readonly Line[] = [
  [
    6,
    'a report in its time, but after the settlement',
    (at) => say.usage(at, 1n, { toHeight: at.market.lease(1n).closedHeight }),
  ],
];

const precious: readonly Line[] = [
  [37, 'usage for more than 10³⁶ in one item', (at) => say.usage(at, 1n, { items: [say.item({ quantity: 2n })] })],
  [
    37,
    'usage for more than 10³⁶ in two items',
    (at) => say.usage(at, 1n, { items: ['a', 'b'].map((service) => say.item({ service })) }),
  ],
];

const parameters: readonly Line[] = [
  ['sdk 4', 'parameters by somebody', (at) => params(at, {}, at.who.stranger)],
  ['sdk 8', 'parameters in the name of the authority', (at) => say.signedBy(at.who.stranger, params(at))],
  [
    38,
    'no parameters',
    ({ more: { authority } }) =>
      say.send(authority, MsgUpdateParams, MsgUpdateParams.fromPartial({ authority: authority.address })),
  ],
  [38, 'a least deposit of 0', (at) => params(at, { minDeposit: '0' })],
  [38, 'a least deposit below 0', (at) => params(at, { minDeposit: '-1' })],
  [38, 'no window', (at) => params(at, { usageWindowBlocks: 0n })],
  [38, 'a window below 0', (at) => params(at, { usageWindowBlocks: say.minInt64 })],
  [38, 'the greatest window', (at) => params(at, { usageWindowBlocks: say.maxInt64 })],
  [38, 'a runway below 0', (at) => params(at, { minRunwayBlocks: -1n })],
  [
    38,
    'a commission of all',
    (at) => params(at, { commissionRate: umu('1'), commissionAccount: at.who.treasury.address }),
  ],
  [
    38,
    'a commission below 0',
    (at) => params(at, { commissionRate: '-1', commissionAccount: at.who.treasury.address }),
  ],
  [38, 'a commission for nobody', (at) => params(at, { commissionRate: '1' })],
  ['sdk 7', 'a commission for an account of another chain', (at) => params(at, { commissionAccount: say.cosmos })],
  [38, 'a commission for an account that takes no coins', (at) => params(at, { commissionAccount: say.marketAccount })],
  [38, 'no items', (at) => params(at, { maxItems: 0 })],
];

export const billingRows: readonly Row[] = [
  ...rows('billing', 'ordered', [...money, ...parameters]),
  ...rows('billing', 'leased', [...reports, ...closing]),
  ...rows('billing', 'closed', closed),
  ...rows('billing', 'settled', settled),
  ...rows('billing', 'precious', precious),
];
