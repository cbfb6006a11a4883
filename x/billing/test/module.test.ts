/** The module as the application sees it: genesis, parameters, queries, invariants that can break. */
import { readFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { verifyEd25519 } from '@mu/framework/ed25519';
import { registeredErrors } from '@mu/framework/errors';
import { MessageRegistry } from '@mu/framework/message-registry';
import { QueryRouter } from '@mu/framework/query-router';
import { extendBillHash } from '@mu/lib/bill-hash';
import { utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { usageSignBytes } from '@mu/lib/sign-bytes';
import {
  BillLine,
  BillLineKind,
  type EscrowAccount,
  EscrowState,
  type MsgUpdateParams,
  QueryBillRequest,
  QueryBillResponse,
  QueryDeploymentBillRequest,
  QueryDeploymentBillResponse,
  QueryDepositorsRequest,
  QueryDepositorsResponse,
  QueryEscrowRequest,
  QueryEscrowResponse,
  QueryParamsResponse,
  QueryRunwayRequest,
  QueryRunwayResponse,
  QueryUsageRequest,
  QueryUsageResponse,
  UsageReport,
} from '@mu/proto/billing';
import type { Lease } from '@mu/proto/market';
import { registry } from '@mu/proto/registry';
import { PageRequest } from 'cosmjs-types/cosmos/base/query/v1beta1/pagination';
import { defaultParams, validateParams } from '../src/params.ts';
import * as state from '../src/state.ts';
import { authority, chain, codeOf, dec, friend, id, keyB, owner, providerOwner, stranger, World } from './harness.ts';

let world: World;

/** Two depositors, a lease with blocks and usage of two nodes paid, and a second escrow that closes. */
beforeEach(() => {
  world = new World();
  world.open(10_000n, 1000n);
  world.deposit(friend, 5000n);
  world.lease();
  world.payBlocks(20n);
  world.at(30n);
  world.usage(world.report({}));
  world.usage(world.report({ nodeId: 'b', toHeight: 25n }, keyB.key));
  world.fund(owner, 2000n);
  world.keeper.openEscrow(world.ctx, { owner, dseq: 8n }, owner, 2000n, 0n);
  world.keeper.closeEscrow(world.ctx, { owner, dseq: 8n });
});

describe('genesis', () => {
  it('comes out as it went in, and the chain goes on with it', () => {
    const exported = world.module.genesis.export(world.ctx);
    const other = new World();
    other.module.genesis.validate(exported);
    other.module.genesis.init(other.ctx, exported);
    expect(other.module.genesis.export(other.ctx)).toEqual(exported);
    other.fund(owner, 0n);
    other.fund(other.accounts.moduleAddress(other.ctx, 'billing'), 16_994n);
    other.market.saveLease(other.ctx, world.getLease());
    expect(other.broken()).toEqual([]);
    other.module.endBlock?.(other.at(630n));
    expect(other.isMarkedClosed({ owner, dseq: 8n })).toBe(true);
    expect(other.balance(owner)).toBe(2000n);
  });

  it('of the defaults is valid and names nobody as authority', () => {
    const { genesis } = world.module;
    const defaults = genesis.defaults() as { authority: string };
    expect(() => genesis.validate(defaults)).not.toThrow();
    expect(defaults.authority).toBe('');
  });

  type Exported = { escrows: Record<string, unknown>[]; shares: Record<string, unknown>[]; bill_lines: unknown[] };
  const wrong: [string, RegExp, (state: Exported) => void][] = [
    ['shares that do not add up', /escrows\[0\]\.shares/, ({ shares }) => shares.shift()],
    ['shares of no escrow', /shares\[0\] is of no escrow/, ({ escrows }) => escrows.shift()],
    [
      'a wrong number of depositors',
      /escrows\[0\]\.depositors/,
      ({ escrows }) => Object.assign(escrows[0]!, { depositors: 1 }),
    ],
    [
      'a balance that no flow explains',
      /escrows\[0\]\.balance/,
      ({ escrows }) => Object.assign(escrows[0]!, { balance: '1' }),
    ],
    [
      'a settle_height of an open escrow',
      /settle_height/,
      ({ escrows }) => Object.assign(escrows[0]!, { settle_height: '9' }),
    ],
    ['an escrow without a state', /state is unknown/, ({ escrows }) => Object.assign(escrows[0]!, { state: 0 })],
    ['an escrow twice', /escrows has .* twice/, ({ escrows }) => escrows.push(escrows[0]!)],
    ['a line twice', /bill_lines has 1\/1 twice/, ({ bill_lines }) => bill_lines.push(bill_lines[0])],
    [
      'more umu than shares',
      /above its/,
      ({ escrows }) => Object.assign(escrows[0]!, { balance: '15001', deposited: '15001', spent: '0' }),
    ],
  ];
  it.each(wrong)('with %s is refused', (_, message, change) => {
    const exported = structuredClone(world.module.genesis.export(world.ctx)) as unknown as Exported;
    change(exported);
    expect(() => world.module.genesis.validate(exported as never)).toThrow(message);
  });
});

describe('parameters', () => {
  const update = (parts: Partial<MsgUpdateParams>) =>
    codeOf(() => world.msgs.updateParams(world.ctx, { authority, params: defaultParams(), ...parts }));

  it('are replaced by the authority alone', () => {
    expect(update({ authority: stranger })).toBe('sdk/4');
    expect(update({ params: undefined })).toBe('billing/38');
    expect(update({ params: { ...defaultParams(), commissionRate: dec('0.1'), commissionAccount: 'nobody' } })).toBe(
      'sdk/7',
    );
    expect(update({ params: { ...defaultParams(), maxItems: 7 } })).toBe('accepted');
    expect(world.keeper.params(world.ctx).maxItems).toBe(7);
    state.authority.set(world.ctx, '');
    expect(update({ authority: '' })).toBe('sdk/4');
  });

  // Every payment pays the commission: an account that takes no coins would keep leases from being confirmed and ended.
  it('name no account for the commission that takes no coins, in genesis neither', () => {
    world.blocked.add(stranger);
    expect(update({ params: { ...defaultParams(), commissionAccount: stranger } })).toBe('billing/38');
    const exported = structuredClone(world.module.genesis.export(world.ctx)) as { params: Record<string, string> };
    exported.params['commission_account'] = stranger;
    const other = new World();
    other.blocked.add(stranger);
    expect(codeOf(() => other.module.genesis.init(other.ctx, exported))).toBe('billing/38');
  });

  it.each([
    ['min_deposit', { minDeposit: '0' }],
    ['min_deposit', { minDeposit: '-1' }],
    ['min_runway_blocks', { minRunwayBlocks: -1n }],
    ['usage_window_blocks', { usageWindowBlocks: 0n }],
    ['usage_window_blocks', { usageWindowBlocks: 2n ** 62n }],
    ['commission_rate', { commissionRate: dec('1') }],
    ['commission_rate', { commissionRate: '-1' }],
    ['commission_account', { commissionRate: dec('0.1') }],
    ['max_depositors', { maxDepositors: 0 }],
    ['max_items', { maxItems: 1001 }],
    ['max_closings_per_block', { maxClosingsPerBlock: 0 }],
  ])('refuse a bad %s', (field, parts) => {
    expect(() => validateParams({ ...defaultParams(), ...parts })).toThrow(field);
    expect(codeOf(() => validateParams({ ...defaultParams(), ...parts }))).toBe('billing/38');
  });
});

describe('queries', () => {
  const router = new QueryRouter();
  const ask = <Req, Res>(
    method: string,
    request: { encode(message: Req): { finish(): Uint8Array } },
    response: { decode(bytes: Uint8Array): Res },
    message: Req,
  ): Res => {
    const fresh = new QueryRouter();
    world.module.registerQueries(fresh);
    return response.decode(fresh.answer(world.ctx, `/mu.billing.v1.Query/${method}`, request.encode(message).finish()));
  };

  it('answer the escrow, its runway and the parameters', () => {
    world.module.registerQueries(router);
    const { escrow } = ask('Escrow', QueryEscrowRequest, QueryEscrowResponse, id);
    expect(escrow).toMatchObject({ balance: '14994', spent: '6', depositors: 2 });
    const runway = ask('Runway', QueryRunwayRequest, QueryRunwayResponse, id);
    // A year of the chain has as many blocks as seconds, and the block of the answer has the time 0.
    const height = 20n + (14_994n * 10n) / 3n;
    expect(runway).toEqual({
      height,
      pricePerBlock: dec('0.3'),
      time: { seconds: height - world.ctx.height, nanos: 0 },
    });
    const { params } = QueryParamsResponse.decode(
      router.answer(world.ctx, '/mu.billing.v1.Query/Params', new Uint8Array()),
    );
    expect(params).toEqual(world.keeper.params(world.ctx));
    expect(codeOf(() => ask('Escrow', QueryEscrowRequest, QueryEscrowResponse, { owner, dseq: 99n }))).toBe('sdk/22');
    expect(codeOf(() => ask('Runway', QueryRunwayRequest, QueryRunwayResponse, { owner, dseq: 99n }))).toBe('sdk/22');
  });

  it('list depositors and bills by pages', () => {
    const page = { key: Buffer.alloc(0), offset: 0n, limit: 1n, countTotal: true, reverse: false };
    const depositors = (pagination: typeof page) =>
      ask('Depositors', QueryDepositorsRequest, QueryDepositorsResponse, { ...id, pagination });
    const first = depositors(page);
    expect(first.shares.map(({ depositor }) => depositor)).toEqual([owner]);
    expect(first.pagination?.total).toBe(2n);
    const second = depositors({ ...page, key: Buffer.from(first.pagination?.nextKey ?? []), countTotal: false });
    expect(second.shares.map(({ depositor }) => depositor)).toEqual([friend]);
    expect(second.pagination?.nextKey.length).toBe(0);
    expect(depositors({ ...page, reverse: true }).shares[0]?.depositor).toBe(friend);
    expect(depositors({ ...page, offset: 1n }).shares[0]?.depositor).toBe(friend);
    expect(codeOf(() => depositors({ ...page, limit: 1001n }))).toBe('sdk/18');
    expect(codeOf(() => depositors({ ...page, key: Buffer.from([1]) }))).toBe('sdk/18');
    expect(codeOf(() => depositors({ ...page, key: Buffer.from([1]), offset: 1n }))).toBe('sdk/18');
    const bill = ask('Bill', QueryBillRequest, QueryBillResponse, { lease: 1n, pagination: undefined });
    expect(bill.lines.map(({ line, amount }) => [line, amount])).toEqual([
      [1n, '3'],
      [2n, '1'],
      [3n, '2'],
    ]);
  });

  it('give all that is needed to check a bill against the lease’s hash', () => {
    const { lines } = ask('Bill', QueryBillRequest, QueryBillResponse, { lease: 1n, pagination: undefined });
    let hash = new Uint8Array(32);
    for (const line of lines) hash = Uint8Array.from(extendBillHash(hash, BillLine.encode(line).finish()));
    expect(Buffer.from(hash)).toEqual(world.getLease().billHash);
  });

  it('carry the evidence of each line: the transaction, and the report as its node signed it', () => {
    const { lines } = ask('Bill', QueryBillRequest, QueryBillResponse, { lease: 1n, pagination: undefined });
    const usage = lines.filter(({ kind }) => kind === BillLineKind.BILL_LINE_KIND_USAGE);
    expect(usage).toHaveLength(2);
    for (const { lease, nodeId, sequence, fromHeight, toHeight, items, logRoot, signature } of usage) {
      const report = { lease, nodeId, sequence, fromHeight, toHeight, logRoot };
      const signed = UsageReport.encode(
        UsageReport.fromPartial({
          ...report,
          items: items.map(({ service, metric, quantity }) => ({ service, metric, quantity })),
        }),
      ).finish();
      const node = world.nodes.find((one) => one.nodeId === nodeId);
      expect(verifyEd25519(node?.publicKey ?? new Uint8Array(), usageSignBytes(chain.chainId, signed), signature)).toBe(
        true,
      );
    }
    // This block ran no transaction; one that does leaves its hash.
    expect(lines.map(({ txHash }) => txHash.length)).toEqual(lines.map(() => 0));
    const ctx = world.ctx.with({ txHash: sha256(utf8('a transaction')) });
    const { lease } = world.keeper.payBlocks(ctx, world.getLease(), world.ctx.height + 1n);
    world.market.saveLease(ctx, lease);
    expect(state.billLines.get(ctx, [1n, lease.billLines])?.txHash).toEqual(Buffer.from(sha256(utf8('a transaction'))));
  });

  it('list the bill of a deployment over all its leases, in pages either way', () => {
    const { lines: all } = ask('Bill', QueryBillRequest, QueryBillResponse, { lease: 1n, pagination: undefined });
    const second = { ...(all[0] as BillLine), lease: 2n };
    world.market.saveLease(world.ctx, { ...world.getLease(), number: 2n });
    state.billLines.set(world.ctx, [2n, 1n], second);
    const expected = [...all, second];
    const page = (parts: Partial<PageRequest>) =>
      ask('DeploymentBill', QueryDeploymentBillRequest, QueryDeploymentBillResponse, {
        ...id,
        pagination: PageRequest.fromPartial(parts),
      });
    const walk = (reverse: boolean): BillLine[] => {
      const seen: BillLine[] = [];
      for (let key = new Uint8Array(); ; ) {
        const { lines, pagination } = page({ key, limit: 2n, reverse });
        seen.push(...lines);
        key = Uint8Array.from(pagination?.nextKey ?? []);
        if (key.length === 0) return seen;
      }
    };
    expect(walk(false)).toEqual(expected);
    expect(walk(true)).toEqual([...expected].reverse());
    expect(page({ countTotal: true, limit: 1n }).pagination?.total).toBe(BigInt(expected.length));
  });

  it('say how far reports have come', () => {
    const usage = ask('Usage', QueryUsageRequest, QueryUsageResponse, { lease: 1n });
    expect(usage.records.map(({ nodeId, toHeight }) => [nodeId, toHeight])).toEqual([
      ['a', 20n],
      ['b', 25n],
    ]);
    expect(usage.totals).toEqual([{ lease: 1n, metric: 'invocations', quantity: '6' }]);
  });
});

describe('errors', () => {
  it('are what the README says, both ways', () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    const said = Array.from(readme.matchAll(/^\| +(\d+) +\| (.+?) +\|$/gm), ([, code, text]) => [Number(code), text]);
    const known = registeredErrors().filter(([codespace]) => codespace === 'billing');
    expect(said).toEqual(known.map(([, code, text]) => [code, text]));
  });
});

describe('messages', () => {
  it('are signed by who acts', () => {
    const messages = new MessageRegistry(registry);
    world.module.registerMsgs(messages);
    expect(messages.typeUrls()).toEqual([
      '/mu.billing.v1.MsgDeposit',
      '/mu.billing.v1.MsgUpdateParams',
      '/mu.billing.v1.MsgUpdateUsage',
      '/mu.billing.v1.MsgWithdraw',
    ]);
  });
});

describe('invariants', () => {
  const set = (parts: Partial<EscrowAccount>) => {
    const key = state.escrows.iterate(world.ctx).next().value?.[0] as state.EscrowKey;
    state.escrows.set(world.ctx, key, { ...(state.escrows.get(world.ctx, key) as EscrowAccount), ...parts });
  };
  const changeLine = (parts: Partial<BillLine>) =>
    state.billLines.set(world.ctx, [1n, 2n], { ...(state.billLines.get(world.ctx, [1n, 2n]) as BillLine), ...parts });
  const changeLease = (parts: Partial<Lease>) => world.market.saveLease(world.ctx, { ...world.getLease(), ...parts });

  const broken: [string, RegExp, () => unknown][] = [
    ['BIL-1', /module holds/, () => world.fund(world.accounts.moduleAddress(world.ctx, 'billing'), 5n)],
    ['BIL-2', /there are/, () => set({ shares: '20000' })],
    ['BIL-2', /there are/, () => set({ depositors: 1 })],
    ['BIL-3', /holds/, () => set({ spent: '7' })],
    ['BIL-4', /the lease says/, () => changeLine({ height: 31n })],
    ['BIL-4', /amount \+ unpaid/, () => changeLine({ amount: '2' })],
    ['BIL-4', /remainder/, () => changeLine({ remainderAfter: '0' })],
    ['BIL-4', /items cost/, () => changeLine({ items: [] })],
    ['BIL-4', /stands at place/, () => state.billLines.delete(world.ctx, [1n, 1n])],
    ['BIL-4', /paid/, () => changeLease({ paid: '1' })],
    ['BIL-4', /commission/, () => changeLease({ commission: '1' })],
    ['BIL-4', /lines/, () => changeLease({ billLines: 9n })],
    ['BIL-5', /queued/, () => state.closing.delete(world.ctx, [...state.closing.iterate(world.ctx)][0]!)],
    ['BIL-5', /queued/, () => set({ state: EscrowState.ESCROW_STATE_CLOSING, settleHeight: 40n })],
    [
      'BIL-6',
      /used/,
      () => state.usageTotals.set(world.ctx, [1n, 'invocations'], { lease: 1n, metric: 'invocations', quantity: '5' }),
    ],
    ['BIL-6', /without a total/, () => state.usageTotals.delete(world.ctx, [1n, 'invocations'])],
    ['BIL-6', /without a record/, () => state.usageRecords.delete(world.ctx, [1n, 'a'])],
    [
      'BIL-6',
      /last line/,
      () => state.usageRecords.set(world.ctx, [1n, 'a'], { lease: 1n, nodeId: 'a', sequence: 2n, toHeight: 20n }),
    ],
  ];
  it.each(broken)('%s sees %s', (name, message, breakIt) => {
    expect(world.broken()).toEqual([]);
    breakIt();
    const found = world.broken().find((text) => text.startsWith(name));
    expect(found).toMatch(message);
  });

  it('see shares of no escrow', () => {
    state.escrows.delete(world.ctx, state.escrows.iterate(world.ctx).next().value?.[0] as state.EscrowKey);
    expect(world.broken().join()).toMatch(/BIL-2: 2 shares are of no escrow/);
  });

  it('are of a provider’s payment too', () => {
    expect(world.balance(world.provider_.payoutAddress)).toBe(6n);
    expect(world.balance(providerOwner)).toBe(0n);
  });
});
