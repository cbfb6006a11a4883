/** Rules of the four modules, each with the text that breaks it. */

export interface Mutant {
  /** the rule that is broken, in words */
  readonly rule: string;
  /** below x/ */
  readonly file: string;
  /** stands in the file exactly once */
  readonly from: string;
  readonly to: string;
}

const market = (file: string, rule: string, from: string, to: string): Mutant => ({
  rule,
  file: `market/src/${file}.ts`,
  from,
  to,
});
const billing = (file: string, rule: string, from: string, to: string): Mutant => ({
  rule,
  file: `billing/src/${file}.ts`,
  from,
  to,
});
const deployment = (file: string, rule: string, from: string, to: string): Mutant => ({
  rule,
  file: `deployment/src/${file}.ts`,
  from,
  to,
});
const provider = (file: string, rule: string, from: string, to: string): Mutant => ({
  rule,
  file: `provider/src/${file}.ts`,
  from,
  to,
});

export const mutants: readonly Mutant[] = [
  market(
    'market-book',
    'a bid as dear as the worst of a full book is refused',
    'BigInt(bid.total) >= BigInt(worst.total)',
    'BigInt(bid.total) > BigInt(worst.total)',
  ),
  market(
    'market-book',
    'the lowest total wins',
    'const [winner, ...losers] = this.#openBids(ctx, order);',
    'const [winner, ...losers] = this.#openBids(ctx, order).reverse();',
  ),
  market(
    'market-book',
    'open bids and live leases together stay below their bound',
    'if (open + live >= BigInt(params.maxActiveLeases))',
    'if (live >= BigInt(params.maxActiveLeases))',
  ),
  market(
    'orders',
    'only the first bid says when an order is due',
    'order.openBids > 0 ? order.dueHeight : larger(order.readyHeight, afterAuction)',
    'larger(order.readyHeight, afterAuction)',
  ),
  market(
    'orders',
    'an order without a bid is not due',
    'dueHeight: openBids === 0 ? 0n : order.dueHeight',
    'dueHeight: order.dueHeight',
  ),
  market(
    'fulfillments',
    'expected usage is rounded up',
    'Dec.fromAtomics(price).atomics * quantity + per - 1n) / per',
    'Dec.fromAtomics(price).atomics * quantity) / per',
  ),
  market(
    'leases',
    'a lease may be confirmed in the block of its deadline',
    'lease.confirmBy < height',
    'lease.confirmBy <= height',
  ),
  market(
    'leases',
    'a young lease pays the user no more than its price',
    'if (most < toUser) toUser = most;',
    'if (most < 0n) toUser = most;',
  ),
  market(
    'leases',
    'the last block of the young ones counts',
    'height - lease.createdHeight <= params.youngLeaseBlocks',
    'height - lease.createdHeight < params.youngLeaseBlocks',
  ),
  market('leases', 'the remainder of an ended lease is dropped', "    remainder: '0',\n  };", '  };'),
  market(
    'leases',
    'a stale lease that is replaced is broken',
    'return unlessStale(lease, height, reason);',
    'return reason;',
  ),
  market(
    'leases',
    'a lease out of funds is not called not serving',
    'isAtOnce || reason === CloseReason.CLOSE_REASON_NOT_SERVING',
    'isAtOnce',
  ),
  market(
    'interest',
    'interest is at most the commission paid',
    'return borne < commission ? borne : commission;',
    'return borne;',
  ),
  market(
    'interest',
    'a window of interest ends after blocks_per_year',
    'height >= ledger.windowStart + params.blocksPerYear',
    'height > ledger.windowStart + params.blocksPerYear',
  ),
  market(
    'lease-ends',
    'interest is borne by confirmed blocks',
    'confirmedBlocks: lease.confirmedBlocks + blocks',
    'confirmedBlocks: lease.confirmedBlocks',
  ),
  market(
    'lease-ends',
    'a later order that is not over keeps another round from opening',
    'last === undefined || isLaterAndStands(last, lease)',
    'last === undefined',
  ),
  market(
    'replacement',
    'the old lease ends only when the new one runs',
    'if (lease.replaces === 0n || !runs ||',
    'if (lease.replaces === 0n ||',
  ),
  market(
    'replacement',
    'a removed infrastructure keeps no open order',
    'if (last?.state === OrderState.ORDER_STATE_OPEN) this.#book.close(ctx, last, updated);',
    '',
  ),
  market(
    'replacement',
    'a lease takes over whether it persists',
    'if (lease.persist !== spec.persist) putLease',
    'if (lease.persist === spec.persist) putLease',
  ),
  market(
    'keeper',
    'blocks without funds are not billed when a deposit comes',
    'paidThrough: ctx.height,\n        confirmBy',
    'confirmBy',
  ),
  market('keeper', 'a grace ends in its last block', 'before: [ctx.height + 1n, 0n]', 'before: [ctx.height, 0n]'),
  market(
    'keeper',
    'who cancels gets the collateral of a stale lease',
    'unlessStale(lease, ctx.height, reason as Reason)',
    'reason as Reason',
  ),
  market(
    'system-tx',
    'the first item of a block is never cut',
    '(messages.length > 0 && cost > maxInjectedCost)',
    'cost > maxInjectedCost',
  ),
  market(
    'collateral',
    'collateral returns to the payout address first',
    "return payout === '' ? [provider] : [payout, provider];",
    'return [provider, payout];',
  ),
  billing(
    'shares',
    'a withdrawal burns shares rounded up',
    '(amount * pool.shares + pool.balance - 1n) / pool.balance',
    '(amount * pool.shares) / pool.balance',
  ),
  billing(
    'shares',
    'taking all that shares are worth burns them all',
    'if (amount === worthOf(held, pool)) return held;',
    '',
  ),
  billing(
    'keeper',
    'shares of nothing are retired by the next deposit',
    'const escrow = isSpent ? retireShares(ctx, found) : found;',
    'const escrow = isSpent ? { ...found, balance: found.shares } : found;',
  ),
  billing(
    'keeper',
    'a withdrawal may leave exactly the reserve',
    'if (pool.balance - amount < locked)',
    'if (pool.balance - amount <= locked)',
  ),
  billing(
    'keeper',
    'an escrow is settled at its settle_height',
    'const before: state.ClosingKey = [ctx.height + 1n,',
    'const before: state.ClosingKey = [ctx.height,',
  ),
  billing(
    'keeper',
    'anything ordered needs the whole reserve',
    'if ((orders || reserve > intFromWire(escrow.reserve)) && balance < reserve)',
    'if (reserve > intFromWire(escrow.reserve) && balance < reserve)',
  ),
  billing(
    'settle',
    'where something is unpaid the remainder is dropped',
    'remainder: unpaid === 0n ? total % umuAtomics : 0n',
    'remainder: total % umuAtomics',
  ),
  billing(
    'settle',
    'the commission is rounded down',
    '(amount * due.commissionRate) / umuAtomics',
    '(amount * due.commissionRate + umuAtomics - 1n) / umuAtomics',
  ),
  billing('cost', 'usage is cut after the division', '(quantity * price) / per', '(quantity * price + per - 1n) / per'),
  billing(
    'reserve',
    'the reserve is rounded up',
    'const reserve = ceilDivide(atomics, umuAtomics);',
    'const reserve = atomics / umuAtomics;',
  ),
  billing(
    'usage',
    'totals stand for the blocks that any node has reported',
    'if (toHeight > through) through = toHeight;',
    'if (toHeight < 0n) through = toHeight;',
  ),
  billing(
    'usage-rules',
    'the last block of the window takes reports',
    'if (height > last) throw',
    'if (height >= last) throw',
  ),
  billing(
    'usage-rules',
    'a retired node reports what came before its end',
    'if (toHeight >= node.removedHeight)',
    'if (toHeight > node.removedHeight)',
  ),
  billing(
    'usage-rules',
    'the first report begins after the match',
    '(record?.toHeight ?? lease.createdHeight) + 1n',
    'record === undefined ? lease.createdHeight : record.toHeight + 1n',
  ),
  billing('bill', 'a line names the transaction that caused it', '    txHash,\n', ''),
  deployment(
    'keeper',
    'the end is the block in which it stopped',
    'isActive(deployment) ? ctx.height : deployment.closedHeight',
    'ctx.height',
  ),
  deployment('msg-server', 'a dseq is never used twice', 'if (dseq <= last)', 'if (dseq < last)'),
  deployment(
    'update',
    'a new infrastructure takes the first free index',
    'free.shift() ?? infrastructure.length',
    'infrastructure.length',
  ),
  deployment(
    'keeper',
    'a sealed manifest goes when the revision is held',
    'deployment.revision !== revision',
    'deployment.revision <= revision',
  ),
  provider(
    'keeper',
    'a deposit returns at its unbonding_height',
    'if (height > ctx.height ||',
    'if (height >= ctx.height ||',
  ),
  provider(
    'keeper',
    'one auditor that is named is enough',
    'return auditedBy.some((auditor) => {',
    'return auditedBy.every((auditor) => {',
  ),
  provider(
    'msg-server',
    'who returns goes on with the versions of the price lists',
    'priceListVersion: before?.priceListVersion ?? 0n',
    'priceListVersion: 0n',
  ),
  provider(
    'msg-server',
    'nobody leaves with open work',
    'if (keeper.deps.market.hasOpenWork(ctx, provider.owner)) throw errBusy.wrap(provider.owner);',
    '',
  ),
  provider(
    'rules',
    'an id of an encryption key is for one key',
    'if (standing === undefined && keyId <= last)',
    'if (standing === undefined && keyId < 0)',
  ),
];
