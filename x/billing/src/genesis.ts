/** Genesis of x/billing: everything there is of it, so that an exported chain goes on with the same money. */
import type { Context } from '@mu/framework/context';
import { type ModuleGenesis, protoGenesis } from '@mu/framework/module';
import { type EscrowAccount, EscrowState, GenesisState } from '@mu/proto/billing';
import { registry } from '@mu/proto/registry';
import { canonicalAddress, escrowKey, saveEscrow, setShares } from './escrows.ts';
import type { BillingDeps } from './expected-keepers.ts';
import { checkCommissionAccount, defaultParams, validateParams } from './params.ts';
import * as state from './state.ts';
import { atomicsFromWire, intFromWire } from './wire.ts';

/** @param deps may be filled later, it is read when a genesis is taken up */
export const createGenesis = (deps: BillingDeps): ModuleGenesis =>
  protoGenesis<GenesisState>({
    descriptors: registry,
    codec: GenesisState,
    defaults: () => GenesisState.create({ params: defaultParams() }),
    validate: validateGenesis,
    init: (ctx, genesisState) => initGenesis(ctx, deps, genesisState),
    export: exportGenesis,
  });

function initGenesis(ctx: Context, { bank }: BillingDeps, genesisState: GenesisState): void {
  const params = genesisState.params ?? defaultParams();
  checkCommissionAccount(ctx, bank, params.commissionAccount);
  if (genesisState.authority !== '') canonicalAddress(ctx, genesisState.authority);
  state.params.set(ctx, params);
  state.authority.set(ctx, genesisState.authority);
  for (const escrow of genesisState.escrows) {
    saveEscrow(ctx, escrow);
    if (escrow.state === EscrowState.ESCROW_STATE_CLOSING) {
      state.closing.add(ctx, [escrow.settleHeight, ...escrowKey(ctx, escrow)]);
    }
  }
  for (const share of genesisState.shares) setShares(ctx, share, share.depositor, intFromWire(share.shares));
  for (const record of genesisState.usageRecords) state.usageRecords.set(ctx, [record.lease, record.nodeId], record);
  for (const total of genesisState.usageTotals) state.usageTotals.set(ctx, [total.lease, total.metric], total);
  for (const line of genesisState.billLines) state.billLines.set(ctx, [line.lease, line.line], line);
}

function exportGenesis(ctx: Context): GenesisState {
  return {
    params: state.params.get(ctx),
    authority: state.authority.get(ctx),
    escrows: Array.from(state.escrows.iterate(ctx), ([, escrow]) => escrow),
    shares: Array.from(state.shares.iterate(ctx), ([, share]) => share),
    usageRecords: Array.from(state.usageRecords.iterate(ctx), ([, record]) => record),
    usageTotals: Array.from(state.usageTotals.iterate(ctx), ([, total]) => total),
    billLines: Array.from(state.billLines.iterate(ctx), ([, line]) => line),
  };
}

/** @throws Error with the path of what is wrong */
export function validateGenesis(genesisState: GenesisState): void {
  if (genesisState.params === undefined) throw new Error('billing.params is missing');
  validateParams(genesisState.params);
  checkUnique('escrows', genesisState.escrows, ({ owner, dseq }) => `${owner}/${dseq}`);
  checkUnique('shares', genesisState.shares, ({ owner, dseq, depositor }) => `${owner}/${dseq}/${depositor}`);
  checkUnique('usage_records', genesisState.usageRecords, ({ lease, nodeId }) => `${lease}/${nodeId}`);
  checkUnique('usage_totals', genesisState.usageTotals, ({ lease, metric }) => `${lease}/${metric}`);
  checkUnique('bill_lines', genesisState.billLines, ({ lease, line }) => `${lease}/${line}`);
  const held = new Map<string, bigint[]>(genesisState.escrows.map(({ owner, dseq }) => [`${owner}/${dseq}`, []]));
  genesisState.shares.forEach(({ owner, dseq, shares }, at) => {
    const holders = held.get(`${owner}/${dseq}`);
    if (holders === undefined) throw new Error(`billing.shares[${at}] is of no escrow`);
    holders.push(intFromWire(shares));
  });
  genesisState.escrows.forEach((escrow, at) => {
    checkEscrow(`billing.escrows[${at}]`, escrow, held.get(`${escrow.owner}/${escrow.dseq}`) ?? []);
  });
  genesisState.usageTotals.forEach(({ quantity }) => {
    intFromWire(quantity);
  });
  genesisState.billLines.forEach(({ amount, cost }) => {
    intFromWire(amount);
    atomicsFromWire(cost);
  });
}

function checkUnique<T>(name: string, records: readonly T[], keyOf: (record: T) => string): void {
  const seen = new Set<string>();
  for (const record of records) {
    const key = keyOf(record);
    if (seen.has(key)) throw new Error(`billing.${name} has ${key} twice`);
    seen.add(key);
  }
}

const states: readonly EscrowState[] = [
  EscrowState.ESCROW_STATE_OPEN,
  EscrowState.ESCROW_STATE_CLOSING,
  EscrowState.ESCROW_STATE_CLOSED,
];

/** @param held shares of each holder */
function checkEscrow(path: string, escrow: EscrowAccount, held: readonly bigint[]): void {
  const sum = held.reduce((total, shares) => total + shares, 0n);
  if (sum !== intFromWire(escrow.shares))
    throw new Error(`${path}.shares is ${escrow.shares}, its holders have ${sum}`);
  if (held.includes(0n)) throw new Error(`${path} has a holder of 0 shares`);
  if (held.length !== escrow.depositors) {
    throw new Error(`${path}.depositors is ${escrow.depositors}, there are ${held.length}`);
  }
  const balance = intFromWire(escrow.deposited) - intFromWire(escrow.withdrawn) - intFromWire(escrow.spent);
  if (intFromWire(escrow.balance) !== balance) {
    throw new Error(`${path}.balance is ${escrow.balance}, deposited - withdrawn - spent is ${balance}`);
  }
  if (balance > sum) throw new Error(`${path}.balance is ${balance}, above its ${sum} shares`);
  intFromWire(escrow.reserve);
  if (!states.includes(escrow.state)) throw new Error(`${path}.state is unknown, allowed are open, closing and closed`);
  if ((escrow.state === EscrowState.ESCROW_STATE_CLOSING) !== escrow.settleHeight > 0n) {
    throw new Error(`${path}.settle_height is ${escrow.settleHeight}, it stands exactly where the escrow is closing`);
  }
}
