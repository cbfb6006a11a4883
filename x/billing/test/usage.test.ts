/** UpdateUsage: the whole chain of trust, and every reason to refuse a report. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { type EscrowAccount, EscrowState, type UsageItem } from '@mu/proto/billing';
import { LeaseState } from '@mu/proto/market';
import { RemovalReason } from '@mu/proto/provider';
import * as state from '../src/state.ts';
import {
  codeOf,
  dec,
  id,
  keyA,
  keyB,
  limits,
  nodeKey,
  payout,
  providerOwner,
  signed,
  stranger,
  treasury,
  usageReport,
  World,
} from './harness.ts';

let world: World;
/** A lease made at block 10, seen from block 100. */
beforeEach(() => {
  world = new World();
  world.open(1_000_000n);
  world.lease();
  world.at(100n);
});

const item = (metric: string, quantity: bigint, service = 'api'): UsageItem => ({ service, metric, quantity });
const code = (...args: Parameters<World['report']>): string => codeOf(() => world.usage(world.report(...args)));
const escrow = (): EscrowAccount => world.keeper.getEscrow(world.ctx, id) as EscrowAccount;
const node = (): World['nodes'][number] => world.nodes[0] as World['nodes'][number];

describe('a report', () => {
  it('is paid at the list’s prices, recorded and billed', () => {
    world.setParams({ commissionRate: dec('0.1'), commissionAccount: treasury });
    const items = [
      item('bytes', 12_345n),
      item('invocations', 25n),
      item('invocations', 8n, 'web'),
      item('reads', 9n, 'web'),
    ];
    const answer = world.msgs.updateUsage(world.ctx, world.report({ items }));
    // 12.345 + 12.5 + 4 = 28.845, one tenth of 28 rounded down is 2
    expect(answer).toMatchObject({ paid: '26', commission: '2' });
    expect(world.balance(payout)).toBe(26n);
    expect(world.balance(treasury)).toBe(2n);
    expect(escrow().balance).toBe('999972');
    expect(world.getLease()).toMatchObject({ paid: '26', commission: '2', remainder: dec('0.845'), billLines: 1n });
    const line = state.billLines.get(world.ctx, [1n, 1n]);
    expect(line).toMatchObject({
      nodeId: 'a',
      sequence: 1n,
      fromHeight: 11n,
      toHeight: 20n,
      height: 100n,
      amount: '28',
    });
    expect(line?.items.map(({ metric, cost }) => [metric, cost])).toEqual([
      ['bytes', dec('12.345')],
      ['invocations', dec('12.5')],
      ['invocations', dec('4')],
      ['reads', '0'],
    ]);
    expect(Array.from(state.usageTotals.iterate(world.ctx), ([, { metric, quantity }]) => [metric, quantity])).toEqual([
      ['bytes', '12345'],
      ['reads', '9'],
      ['invocations', '33'],
    ]);
    expect(state.usageRecords.get(world.ctx, [1n, 'a'])).toMatchObject({ sequence: 1n, toHeight: 20n });
    expect(world.broken()).toEqual([]);
  });

  it('tells what it paid', () => {
    world.usage(world.report({}));
    const event = world.ctx.events.events.at(-1);
    expect(event?.type).toBe('usage_paid');
    expect(Object.fromEntries(event?.attributes ?? [])).toMatchObject({
      lease: '1',
      provider: providerOwner,
      node_id: 'a',
      sequence: '1',
      cost: '1.500000000000000000',
      amount: '1',
      unpaid: '0',
      balance: '999999',
    });
  });

  it('uses the gas it always did', () => {
    world.usage(world.report({}));
    expect(world.ctx.gas.consumed).toBe(27_039n);
  });

  it('may be empty: the period was quiet', () => {
    expect(world.usage(world.report({ items: [] }))).toBe(0n);
    expect(world.getLease().billLines).toBe(1n);
    expect(world.broken()).toEqual([]);
  });

  it('is paid as far as the escrow reaches; the rest is not owed', () => {
    world.setParams({ minDeposit: '1' });
    world.lease({ number: 2n, order: { owner: stranger, dseq: 1n, infrastructure: 0, round: 1 }, createdHeight: 10n });
    world.fund(stranger, 2n);
    world.keeper.openEscrow(world.ctx, { owner: stranger, dseq: 1n }, stranger, 2n, 0n);
    expect(world.usage(world.report({ lease: 2n, items: [item('invocations', 9n)] }))).toBe(2n);
    expect(state.billLines.get(world.ctx, [2n, 1n])).toMatchObject({ amount: '2', unpaid: '2', remainderAfter: '0' });
    const next = { lease: 2n, sequence: 2n, fromHeight: 21n, toHeight: 30n, items: [item('invocations', 1n)] };
    expect(world.usage(world.report(next))).toBe(0n);
    expect(world.getLease(2n).remainder).toBe(dec('0.5'));
    expect(world.broken()).toEqual([]);
  });

  it('of quantities below a price’s base adds up to the same sum: nothing is free by being small', () => {
    for (let sequence = 1n; sequence <= 10n; sequence += 1n) {
      const height = 10n + sequence;
      world.usage(world.report({ sequence, fromHeight: height, toHeight: height, items: [item('bytes', 300n)] }));
    }
    expect(world.balance(payout)).toBe(3n);
    expect(world.getLease().remainder).toBe('0');
  });
});

describe('the sender', () => {
  it('is the owner or an operator of the lease’s provider (17)', () => {
    expect(code({}, keyA.key, providerOwner)).toBe('accepted');
    expect(code({ sequence: 2n, fromHeight: 21n, toHeight: 22n }, keyA.key, stranger)).toBe('billing/17');
  });
});

describe('the form of a report', () => {
  it('is checked before anything is looked up', () => {
    const message = world.report({});
    const run = (change: Partial<typeof message>) => codeOf(() => world.usage({ ...message, ...change }));
    expect(run({ report: undefined })).toBe('billing/18');
    expect(run({ signature: Buffer.alloc(63) })).toBe('billing/18');
    expect(code({ lease: 0n, nodeId: 'a' }, keyA.key)).toBe('billing/18');
  });

  it.each([
    ['no node', { nodeId: '' }, 18],
    ['a node that cannot be', { nodeId: 'A b' }, 18],
    ['no log root', { logRoot: Buffer.alloc(0) }, 18],
    ['a period backwards', { fromHeight: 12n, toHeight: 11n }, 18],
    ['a service without a name', { items: [item('reads', 1n, '')] }, 18],
    ['a service that is not ASCII', { items: [item('reads', 1n, 'ä')] }, 18],
    ['items out of order', { items: [item('reads', 1n), item('bytes', 1n)] }, 20],
    ['services out of order', { items: [item('bytes', 1n, 'b'), item('bytes', 1n, 'a')] }, 20],
    ['an item twice', { items: [item('reads', 1n), item('reads', 1n)] }, 20],
    ['a quantity of zero', { items: [item('reads', 0n)] }, 21],
    ['a metric that nobody knows', { items: [item('miles', 1n)] }, 22],
  ])('refuses %s', (_, parts, expected) => {
    expect(code(parts)).toBe(`billing/${expected}`);
  });

  it('refuses too many items (19)', () => {
    world.setParams({ maxItems: 2 });
    const items = [item('bytes', 1n), item('invocations', 1n), item('reads', 1n)];
    expect(code({ items })).toBe('billing/19');
    expect(code({ items: items.slice(0, 2) })).toBe('accepted');
  });
});

describe('the lease', () => {
  it('must exist (16)', () => {
    expect(code({ lease: 9n })).toBe('billing/16');
  });

  it('takes reports for the window after its end (23)', () => {
    const closed = { state: LeaseState.LEASE_STATE_CLOSED, createdHeight: 10n, closedHeight: 50n };
    world.lease(closed);
    world.at(650n);
    expect(code({})).toBe('accepted');
    world.at(651n);
    expect(code({ sequence: 2n, fromHeight: 21n, toHeight: 22n })).toBe('billing/23');
  });

  it('is billed no longer once the escrow is settled (6), and until then while it closes', () => {
    world.keeper.closeEscrow(world.ctx, id);
    expect(escrow().state).toBe(EscrowState.ESCROW_STATE_CLOSING);
    expect(code({})).toBe('accepted');
    world.module.endBlock?.(world.at(700n));
    expect(code({ sequence: 2n, fromHeight: 21n, toHeight: 22n })).toBe('billing/6');
  });
});

describe('sequence and period', () => {
  const next = { sequence: 2n, fromHeight: 21n, toHeight: 30n };

  it('begin with 1 at the first block after the match', () => {
    expect(code({ sequence: 0n })).toBe('billing/24');
    expect(code({ sequence: 2n })).toBe('billing/24');
    expect(code({ fromHeight: 10n })).toBe('billing/25');
    expect(code({ fromHeight: 12n })).toBe('billing/25');
    expect(code({})).toBe('accepted');
  });

  it('refuse a replay, a leap, a gap and an overlap, and then take the right one', () => {
    const first = world.report({});
    world.usage(first);
    const before = world.module.genesis.export(world.ctx);
    expect(codeOf(() => world.usage(first))).toBe('billing/24');
    expect(code({ ...next, sequence: 3n })).toBe('billing/24');
    expect(code({ ...next, fromHeight: 22n })).toBe('billing/25');
    expect(code({ ...next, fromHeight: 20n })).toBe('billing/25');
    expect(world.module.genesis.export(world.ctx)).toEqual(before);
    expect(code(next)).toBe('accepted');
  });

  it('end at the current block and inside the lease', () => {
    expect(code({ toHeight: 101n })).toBe('billing/27');
    world.lease({ createdHeight: 10n, closedHeight: 90n });
    expect(code({ toHeight: 91n })).toBe('billing/26');
    expect(code({ toHeight: 90n })).toBe('accepted');
  });

  it('are each node’s own, in any order among nodes', () => {
    expect(code({ toHeight: 90n })).toBe('accepted');
    expect(code({ nodeId: 'b', toHeight: 15n }, keyB.key)).toBe('accepted');
    expect(code({ nodeId: 'b', sequence: 2n, fromHeight: 16n, toHeight: 100n }, keyB.key)).toBe('accepted');
    expect(world.broken()).toEqual([]);
  });
});

describe('the node', () => {
  it('must be the provider’s (30)', () => {
    expect(code({ nodeId: 'c' })).toBe('billing/30');
  });

  it('must have signed this report, for this chain, with its own key (34)', () => {
    expect(code({}, keyB.key)).toBe('billing/34');
    const good = world.report({});
    const altered = usageReport({ items: [item('invocations', 4n)] });
    expect(codeOf(() => world.usage({ ...good, report: altered }))).toBe('billing/34');
    expect(codeOf(() => world.usage(signed(usageReport({}), keyA.key, undefined, 'mu-other')))).toBe('billing/34');
    expect(codeOf(() => world.usage({ ...good, signature: Buffer.alloc(64) }))).toBe('billing/34');
    node().publicKey = Buffer.alloc(31);
    expect(codeOf(() => world.usage(good))).toBe('billing/34');
    node().publicKey = nodeKey().publicKey;
    expect(codeOf(() => world.usage(good))).toBe('billing/34');
    node().publicKey = keyA.publicKey;
    expect(codeOf(() => world.usage(good))).toBe('accepted');
  });

  it('is judged by its validity at to_height (31)', () => {
    node().validFromHeight = 21n;
    expect(code({})).toBe('billing/31');
    node().validFromHeight = 20n;
    node().validToHeight = 20n;
    expect(code({ toHeight: 21n })).toBe('billing/31');
    expect(code({})).toBe('accepted');
  });

  it('may, retired, report what came before (32)', () => {
    Object.assign(node(), { removedHeight: 20n, removalReason: RemovalReason.REMOVAL_REASON_RETIRED });
    expect(code({})).toBe('billing/32');
    expect(code({ toHeight: 19n })).toBe('accepted');
  });

  it('proves nothing once it is compromised (33)', () => {
    Object.assign(node(), { removedHeight: 99n, removalReason: RemovalReason.REMOVAL_REASON_COMPROMISED });
    expect(code({})).toBe('billing/33');
  });
});

describe('quantities', () => {
  it('are of metrics that the chain knows (22), however long a name a report may have', () => {
    for (const name of ['', 'calls', 'm'.repeat(255), 'm'.repeat(256), 'm'.repeat(100_000)])
      expect(code({ items: [item(name, 1n)] })).toBe('billing/22');
  });

  it('stay within the physical bound of the report, over its services (28)', () => {
    expect(code({ items: [item('reads', 101n)] })).toBe('billing/28');
    expect(code({ items: [item('reads', 50n), item('reads', 51n, 'web')] })).toBe('billing/28');
    expect(code({ items: [item('reads', 50n), item('reads', 50n, 'web')] })).toBe('accepted');
  });

  it('stay within the user’s limit (29), even where the metric has no physical bound', () => {
    expect(code({ items: [item('invocations', 1001n)] })).toBe('billing/29');
    expect(code({ items: [item('bytes', 50_001n)] })).toBe('billing/29');
    expect(code({ items: [item('bytes', 50_000n), item('invocations', 1000n)] })).toBe('accepted');
  });

  it('stay within both summed over all nodes of the lease', () => {
    expect(code({ items: [item('invocations', 600n), item('reads', 60n)] })).toBe('accepted');
    const b = { nodeId: 'b' };
    expect(code({ ...b, items: [item('invocations', 401n)] }, keyB.key)).toBe('billing/29');
    expect(code({ ...b, items: [item('reads', 41n)] }, keyB.key)).toBe('billing/28');
    expect(code({ ...b, items: [item('invocations', 400n), item('reads', 40n)] }, keyB.key)).toBe('accepted');
    expect(world.broken()).toEqual([]);
  });

  it('count against the blocks that any node has reported, so the order of reports does not matter', () => {
    expect(code({ toHeight: 50n, items: [item('reads', 400n)] })).toBe('accepted');
    expect(code({ nodeId: 'b', items: [item('reads', 1n)] }, keyB.key)).toBe('billing/28');
    expect(code({ nodeId: 'b', toHeight: 51n, items: [item('reads', 10n)] }, keyB.key)).toBe('accepted');
  });

  it('without a limit are free and recorded', () => {
    expect(world.usage(world.report({ items: [item('reads', 100n)] }))).toBe(0n);
    expect(state.usageTotals.get(world.ctx, [1n, 'reads'])?.quantity).toBe('100');
  });
});

describe('prices', () => {
  it('come from the list that the lease names (35), or are 0 where it names none', () => {
    world.lease({ createdHeight: 10n, priceListVersion: 2n });
    expect(code({})).toBe('billing/35');
    world.lease({ createdHeight: 10n, priceListVersion: 0n });
    expect(world.usage(world.report({}))).toBe(0n);
  });

  it('are within the user’s limits (36)', () => {
    world.lease({
      createdHeight: 10n,
      usageLimits: limits.map((limit) => ({ ...limit, maxPrice: dec('0.499999999999999999') })),
    });
    expect(code({})).toBe('billing/36');
  });

  it('that nobody can pay refuse the report (37)', () => {
    world.prices = [{ metric: 'invocations', price: dec(`1${'0'.repeat(36)}`), per: 1n }];
    world.lease({
      createdHeight: 10n,
      usageLimits: [
        {
          ...limits[1],
          maxPrice: dec(`1${'0'.repeat(36)}`),
          maxPricePer: 1n,
          metric: 'invocations',
          maxQuantityPerBlock: 9n,
        },
      ],
    });
    expect(code({})).toBe('billing/37');
  });
});
