/** What x/market refuses. */
import {
  type Confirmation,
  ManifestState,
  MsgSubmitFulfillment,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmations,
  MsgUpdateParams,
  type Params,
  CloseReason as Reason,
} from '@mu/proto/market';
import { defaultParams } from '@mu/x-market/params';
import { umu } from '../market.ts';
import type { Wish } from '../mu-chain.ts';
import * as say from './messages.ts';
import { notUtf8Lines, oddLines } from './odd-texts.ts';
import { type Line, type Make, type Row, rows } from './row.ts';
import type { Stage } from './stages.ts';

function params(at: Stage, changes: Partial<Params> = {}, from = at.more.authority): Wish {
  const message = { authority: from.address, params: { ...defaultParams(), ...changes } };
  return say.send(from, MsgUpdateParams, MsgUpdateParams.fromPartial(message));
}

/** A bid of the cheap one for order 1. */
const bidding =
  (changes: Parameters<typeof say.bid>[2]): Make =>
  (at) =>
    say.bid(at, 1n, changes);
const offering = (changes: object): Make => bidding({ resources: [say.group({ price: umu('9.25'), ...changes })] });

const bids: readonly Line[] = [
  [
    'sdk 18',
    'a bid for no order',
    ({ who: { cheap } }) =>
      say.send(
        cheap,
        MsgSubmitFulfillment,
        MsgSubmitFulfillment.fromPartial({ sender: cheap.address, provider: cheap.address }),
      ),
  ],
  [2, 'an order that there is not', (at) => say.bid(at, 99n)],
  [
    2,
    'an order of another infrastructure',
    (at) => say.bid(at, 1n, { order: say.orderOf(at, 1n, { infrastructure: 1 }) }),
  ],
  [2, 'an order of a round to come', (at) => say.bid(at, 1n, { order: say.orderOf(at, 1n, { round: 2 }) })],
  [
    2,
    'an order of the greatest numbers',
    (at) =>
      say.bid(at, 2n ** 64n - 1n, {
        order: say.orderOf(at, 2n ** 64n - 1n, { infrastructure: 2 ** 32 - 1, round: 2 ** 32 - 1 }),
      }),
  ],
  [
    2,
    'an order of another owner',
    (at) => say.bid(at, 1n, { order: say.orderOf(at, 1n, { owner: at.who.stranger.address }) }),
  ],
  [
    'sdk 7',
    'an order of an owner of another chain',
    (at) => say.bid(at, 1n, { order: say.orderOf(at, 1n, { owner: say.cosmos }) }),
  ],
  ['sdk 7', 'an order of nobody', (at) => say.bid(at, 1n, { order: say.orderOf(at, 1n, { owner: '' }) })],
  [5, 'a bid of who is no provider', (at) => say.bid(at, 1n, {}, at.who.stranger)],
  [5, 'a bid for who is no provider', bidding({ provider: say.address(1) })],
  ['sdk 7', 'a bid for a provider of another chain', bidding({ provider: say.cosmos })],
  ['sdk 7', 'a bid for nobody', bidding({ provider: '' })],
  [
    'sdk 7',
    'a bid for a provider in capitals and small letters',
    (at) => say.bid(at, 1n, { provider: say.mixed(at.who.cheap.address) }),
  ],
  ['sdk 4', 'a bid for another’s provider', (at) => say.bid(at, 1n, { provider: at.who.dear.address })],
  [
    'sdk 4',
    'a bid of somebody for a provider',
    (at) => say.bid(at, 1n, { provider: at.who.cheap.address }, at.who.stranger),
  ],
  [
    'sdk 4',
    'a bid of an operator for another provider',
    (at) => say.bid(at, 1n, { provider: at.who.cheap.address }, at.more.operator),
  ],
  ['sdk 8', 'a bid in the name of a provider', (at) => say.signedBy(at.who.dear, say.bid(at, 1n))],
  [6, 'a bid of who leaves', (at) => say.bid(at, 1n, {}, at.more.leaver)],
  [7, 'a bid from another region', (at) => say.bid(at, 1n, {}, at.who.remote)],
  [8, 'a bid where another one is chosen', (at) => say.bid(at, 2n)],
  [9, 'a bid of an excluded one', (at) => say.bid(at, 3n)],
  [10, 'a bid without the service', (at) => say.bid(at, 4n)],
  [11, 'a bid without the audited attribute', (at) => say.bid(at, 5n)],
  [11, 'a bid with the attribute by its own word alone', (at) => say.bid(at, 5n, {}, at.more.keeper)],
  [12, 'no group', bidding({ resources: [] })],
  [12, 'a group more', bidding({ resources: [say.group(), say.group()] })],
  [12, 'a hundred groups', bidding({ resources: say.many(100, () => say.group()) })],
  [12, 'a replica less', offering({ count: 1 })],
  [12, 'another machine', offering({ compute: { cpu: 101, memory: 134_217_728n, disk: 0n } })],
  [12, 'no machine', offering({ compute: undefined })],
  [12, 'another collateral', offering({ collateral: '499' })],
  [12, 'no collateral', offering({ collateral: '' })],
  [12, 'a collateral below 0', offering({ collateral: '-500' })],
  ['sdk 2', 'a collateral with a leading zero', offering({ collateral: '0500' })],
  ['sdk 2', 'a collateral of 2²⁵⁶', offering({ collateral: `${2n ** 256n}` })],
  [13, 'a price of 0', offering({ price: '0' })],
  [13, 'a price below 0', offering({ price: '-1' })],
  [13, 'no price', offering({ price: '' })],
  [13, 'a price with a leading zero', offering({ price: '01' })],
  [13, 'a price with a point', offering({ price: '9.25' })],
  [13, 'a price above the order’s', offering({ price: `${BigInt(umu('10.5')) + 1n}` })],
  [13, 'a price above 10³⁶', offering({ price: `${BigInt(say.maxDec) + 1n}` })],
  [13, 'a price of 2²⁵⁶', offering({ price: `${2n ** 256n}` })],
  ...oddLines(13, 'a price', '1', (at, price) => offering({ price })(at)),
  [14, 'no price list', bidding({ priceListVersion: 0n })],
  [14, 'a price list to come', bidding({ priceListVersion: 2n })],
  [14, 'the greatest version of a price list', bidding({ priceListVersion: 2n ** 64n - 1n })],
  [15, 'usage above the limit', (at) => say.bid(at, 6n)],
  [16, 'a second bid', (at) => say.bid(at, 7n, {}, at.who.dear)],
  [17, 'an open bid more', (at) => say.bid(at, 1n, {}, at.who.dear)],
  [19, 'a bid as dear as the dearest of a full book', (at) => say.bid(at, 7n)],
  [
    38,
    'a total above 10³⁶',
    (at) =>
      say.bid(at, 9n, {
        order: { ...say.orderOf(at, 9n), owner: at.more.rich.address },
        resources: [say.group({ price: say.maxDec })],
      }),
  ],
  [
    'sdk 5',
    'a collateral that the sender does not have',
    (at) => say.bid(at, 8n, { resources: [say.group({ price: umu('1'), collateral: '1000000000000' })] }),
  ],
];

const bookOf: readonly Line[] = [
  [20, 'the withdrawal of bid 0', (at) => say.bidWithdrawal(at.who.cheap, 0n)],
  [20, 'the withdrawal of an unknown bid', (at) => say.bidWithdrawal(at.who.cheap, 2n ** 64n - 1n)],
  ['sdk 4', 'the withdrawal of another’s bid', (at) => say.bidWithdrawal(at.who.cheap, 2n)],
  ['sdk 4', 'the withdrawal of a bid by the user', (at) => say.bidWithdrawal(at.who.user, 2n)],
  [21, 'a second withdrawal', (at) => say.bidWithdrawal(at.who.cheap, 1n)],
  ['sdk 18', 'a match of no order', (at) => say.match(at.who.stranger, undefined)],
  [2, 'a match of an order that there is not', (at) => say.match(at.who.stranger, say.orderOf(at, 99n))],
  [22, 'a match without a bid', (at) => say.match(at.who.stranger, say.orderOf(at, 1n))],
  [22, 'a match before the auction is over', (at) => say.match(at.who.stranger, say.orderOf(at, 7n))],
  [
    'sdk 4',
    'a match in the name of the market',
    (at) =>
      say.signedBy(at.who.stranger, say.match({ ...at.who.stranger, address: say.marketAccount }, say.orderOf(at, 7n))),
  ],
];

const confirming =
  (changes: Partial<Confirmation>): Make =>
  (at) =>
    say.confirmation(at.who.cheap, changes);
const endpoint = (one: string): Make => confirming({ endpoints: [one] });

const confirmations: readonly Line[] = [
  [
    'sdk 18',
    'no confirmation',
    ({ who: { cheap } }) =>
      say.send(cheap, MsgSubmitLeaseConfirmation, MsgSubmitLeaseConfirmation.fromPartial({ sender: cheap.address })),
  ],
  [23, 'a confirmation of lease 0', confirming({ lease: 0n })],
  [23, 'a confirmation of a lease to come', confirming({ lease: 4n })],
  [23, 'a confirmation of the greatest lease', confirming({ lease: 2n ** 64n - 1n })],
  ['sdk 4', 'a confirmation of another’s lease', (at) => say.confirmation(at.who.dear)],
  ['sdk 4', 'a confirmation by the user', (at) => say.confirmation(at.who.user)],
  [
    'sdk 8',
    'a confirmation in the name of the provider',
    (at) => say.signedBy(at.who.dear, say.confirmation(at.who.cheap)),
  ],
  [24, 'a confirmation of a lease that is over', confirming({ lease: 1n })],
  [27, 'an endpoint without a scheme', endpoint('one.example')],
  [27, 'an endpoint of nothing', endpoint('https://')],
  [27, 'an empty endpoint', endpoint('')],
  [27, 'an endpoint with a space', endpoint('https://one .example')],
  [27, 'an endpoint twice', confirming({ endpoints: ['https://one.example', 'https://one.example'] })],
  ...oddLines(27, 'an endpoint', 'https://one.example', (at, one) => endpoint(one)(at)),
  ...notUtf8Lines('an endpoint', (at, one) => endpoint(`https://${one}`)(at)),
  [28, 'no state of the manifest', confirming({ manifestState: ManifestState.MANIFEST_STATE_UNSPECIFIED })],
  [28, 'a state of the manifest that there is not', confirming({ manifestState: 99 as ManifestState })],
  [28, 'a state of the manifest below 0', confirming({ manifestState: -5 as ManifestState })],
  [29, 'no confirmations', batch(0, 2n)],
  [29, 'more confirmations than a message may have', batch(501, 2n)],
  ['sdk 11', 'more confirmations than there is gas for', batch(500, 2n)],
];

function batch(count: number, lease: bigint): Make {
  const one = { lease, endpoints: [], manifestState: ManifestState.MANIFEST_STATE_RUNNING, manifestRevision: 1n };
  return ({ who: { cheap } }) => {
    const message = { sender: cheap.address, confirmations: say.many(count, () => one) };
    return say.send(cheap, MsgSubmitLeaseConfirmations, MsgSubmitLeaseConfirmations.fromPartial(message));
  };
}

const orders: readonly Line[] = [
  [3, 'a bid after the match', (at) => say.bid(at, 2n)],
  [3, 'a second match', (at) => say.match(at.who.stranger, say.orderOf(at, 2n))],
  [4, 'a bid for a closed order', (at) => say.bid(at, 1n)],
  [4, 'a match of a closed order', (at) => say.match(at.who.stranger, say.orderOf(at, 1n))],
  [18, 'a bid beside as many leases as there may be', (at) => say.bid(at, 4n)],
  [21, 'the withdrawal of a bid that won', (at) => say.bidWithdrawal(at.who.cheap, 2n)],
];

const userEnd =
  (reason: Reason, lease = 2n): Make =>
  (at) =>
    say.end(at.who.user, lease, reason);
const providerEnd =
  (reason: Reason, lease = 2n): Make =>
  (at) =>
    say.end(at.who.cheap, lease, reason);

const ends: readonly Line[] = [
  [23, 'the end of a lease that there is not', userEnd(Reason.CLOSE_REASON_BY_USER, 99n)],
  ['sdk 4', 'the end of another’s lease', (at) => say.end(at.who.stranger, 2n, Reason.CLOSE_REASON_BY_USER)],
  [
    'sdk 4',
    'the end of another provider’s lease',
    (at) => say.end(at.who.dear, 2n, Reason.CLOSE_REASON_PROVIDER_AT_ONCE),
  ],
  [
    'sdk 8',
    'the end in the name of the user',
    (at) => say.signedBy(at.who.stranger, userEnd(Reason.CLOSE_REASON_BY_USER)(at)),
  ],
  [24, 'the end of a lease that is over', userEnd(Reason.CLOSE_REASON_BY_USER, 1n)],
  [30, 'the end without a reason', userEnd(Reason.CLOSE_REASON_UNSPECIFIED)],
  [30, 'the end for a reason that there is not', userEnd(99 as Reason)],
  [30, 'the end for a reason below 0', userEnd(-5 as Reason)],
  [30, 'the provider’s notice by the user', userEnd(Reason.CLOSE_REASON_PROVIDER_NOTICE)],
  [30, 'a reason of the block by the user', userEnd(Reason.CLOSE_REASON_NOT_CONFIRMED)],
  [30, 'the lack of funds by the user', userEnd(Reason.CLOSE_REASON_OUT_OF_FUNDS)],
  [30, 'the user’s wish by the provider', providerEnd(Reason.CLOSE_REASON_BY_USER)],
  [30, 'the lack of service by the provider', providerEnd(Reason.CLOSE_REASON_NOT_SERVING)],
  [30, 'a reason of the deployment by the provider', providerEnd(Reason.CLOSE_REASON_DEPLOYMENT_CANCELED)],
  [30, 'a failed match by the provider', providerEnd(Reason.CLOSE_REASON_MATCH_FAILED)],
  [31, 'a notice that was not given', providerEnd(Reason.CLOSE_REASON_PROVIDER_NOTICE)],
  [31, 'a notice that is not over', (at) => say.end(at.who.dear, 3n, Reason.CLOSE_REASON_PROVIDER_NOTICE)],
  [32, 'a manifest that may still come', providerEnd(Reason.CLOSE_REASON_MANIFEST_MISSING)],
  [32, 'an image before its time', providerEnd(Reason.CLOSE_REASON_IMAGE_UNAVAILABLE)],
  [23, 'a notice of a lease that there is not', (at) => say.notice(at.who.cheap, 99n)],
  ['sdk 4', 'a notice of another’s lease', (at) => say.notice(at.who.dear, 2n)],
  ['sdk 4', 'a notice by the user', (at) => say.notice(at.who.user, 2n)],
  [24, 'a notice of a lease that is over', (at) => say.notice(at.who.cheap, 1n)],
  [35, 'a second notice', (at) => say.notice(at.who.dear, 3n)],
  [23, 'a breakage of a lease that there is not', (at) => say.breakage(at.who.stranger, 99n)],
  [24, 'a breakage of a lease that is over', (at) => say.breakage(at.who.stranger, 1n)],
  [25, 'a breakage of a lease that is not stale', (at) => say.breakage(at.who.stranger, 2n)],
];

const unfunded: readonly Line[] = [
  [34, 'a breakage without funds', (at) => say.breakage(at.who.stranger, 1n)],
  [34, 'a lack of service without funds', userEnd(Reason.CLOSE_REASON_NOT_SERVING, 1n)],
  [34, 'an end at once without funds', providerEnd(Reason.CLOSE_REASON_PROVIDER_AT_ONCE, 1n)],
  [33, 'the lack of a manifest that runs', providerEnd(Reason.CLOSE_REASON_MANIFEST_MISSING, 1n)],
  [33, 'a policy against a manifest that runs', providerEnd(Reason.CLOSE_REASON_POLICY, 1n)],
  [30, 'the lack of funds by the provider', providerEnd(Reason.CLOSE_REASON_OUT_OF_FUNDS, 1n)],
];

const stale: readonly Line[] = [
  [26, 'a confirmation of a stale lease', confirming({ lease: 6n })],
  [26, 'the end of a stale lease by the user', userEnd(Reason.CLOSE_REASON_BY_USER, 6n)],
  [26, 'the end of a stale lease by the provider', providerEnd(Reason.CLOSE_REASON_PROVIDER_AT_ONCE, 6n)],
  [26, 'a notice of a stale lease', (at) => say.notice(at.who.cheap, 6n)],
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
  [37, 'auctions of two blocks', (at) => params(at, { minAuctionBlocks: 2n })],
  [37, 'auctions of less than no blocks', (at) => params(at, { minAuctionBlocks: say.minInt64 })],
  [37, 'a grace of more than 100 years', (at) => params(at, { graceBlocks: say.maxInt64 })],
  [37, 'no confirmations', (at) => params(at, { maxConfirmations: 0 })],
  [37, 'a book that no block can match', (at) => params(at, { maxInjectedCost: 32 })],
  [37, 'a share above 1', (at) => params(at, { collateralUserShare: `${10n ** 18n + 1n}` })],
  [37, 'a share below 0', (at) => params(at, { collateralUserShare: '-1' })],
  [37, 'no share', (at) => params(at, { collateralUserShare: '' })],
  [37, 'interest above 1', (at) => params(at, { interestRate: umu('2') })],
  [37, 'no bound of interest', (at) => params(at, { maxInterestPerYear: '' })],
  [37, 'a bound of collaterals below 0', (at) => params(at, { maxCollateral: '-1' })],
  ['sdk 2', 'a bound of collaterals of 2²⁵⁶', (at) => params(at, { maxCollateral: `${2n ** 256n}` })],
];

export const marketRows: readonly Row[] = [
  ...rows('market', 'ordered', [...bids, ...bookOf, ...parameters]),
  ...rows('market', 'leased', [...confirmations, ...orders, ...ends]),
  ...rows('market', 'unfunded', unfunded),
  ...rows('market', 'stale', stale),
  ...rows('market', 'closed', [
    [4, 'a bid for an order of what is over', (at) => say.bid(at, 1n)],
    [24, 'a confirmation of what is over', confirming({ lease: 1n })],
  ]),
];
