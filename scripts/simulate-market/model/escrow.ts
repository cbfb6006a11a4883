/** Escrows and their shares (x/billing/README.md "Shares", "Reserve", "Closing"). */
import type { MsgDeposit, MsgWithdraw } from '@mu/proto/billing';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { Fraction, sumOf } from '../fraction.ts';
import { orderOfAddresses } from './addresses.ts';
import { resumeLeases } from './funds.ts';
import { deploymentStates, escrowOf, escrowStates, isOf, type Of } from './lookups.ts';
import type { ModelEscrow, ModelShare } from './records.ts';
import { found, need } from './refusal.ts';
import { accounts, denom, type World } from './world.ts';

const space = 'billing';

export const sharesOf = (world: World, id: Of): ModelShare[] => world.lists.share.filter(isOf(id));
const allShares = (world: World, id: Of): bigint => sharesOf(world, id).reduce((sum, { shares }) => sum + shares, 0n);

/** What an escrow holds at its start and what withdrawals leave, in whole umu. */
export function reserveFor(world: World, infrastructures: readonly DeploymentInfrastructure[]): bigint {
  const { minRunwayBlocks, usageWindowBlocks } = world.single('billing');
  const parts = infrastructures.flatMap(({ resources, usageLimits }) => [
    ...resources.map(({ price, count }) => Fraction.ofAtomics(price).times(BigInt(count) * minRunwayBlocks)),
    ...usageLimits.map(({ maxPrice, maxPricePer, maxQuantityPerBlock }) =>
      Fraction.ofAtomics(maxPrice)
        .times(maxQuantityPerBlock * usageWindowBlocks)
        .over(maxPricePer)
        .raised(),
    ),
  ]);
  return sumOf(parts).ceil();
}

/** @throws Refusal reserve (10), minimum (9), funds */
export function openEscrow(world: World, id: Of, amount: bigint, reserve: bigint): void {
  need(amount >= reserve, space, 10);
  const none = { balance: 0n, deposited: 0n, withdrawn: 0n, spent: 0n, settle: 0n };
  const fresh: ModelEscrow = { kind: 'escrow', ...id, ...none, reserve, state: escrowStates.open };
  addDeposit(world, world.add(fresh), id.owner, amount);
}

function addDeposit(world: World, escrow: ModelEscrow, depositor: string, amount: bigint): bigint {
  const { minDeposit, maxDepositors } = world.single('billing');
  need(amount >= BigInt(minDeposit), space, 9);
  // Shares of nothing are retired, or they would own a part of what comes now.
  if (escrow.balance === 0n) for (const share of sharesOf(world, escrow)) world.remove(share);
  const before = sharesOf(world, escrow);
  const own = before.find((share) => share.depositor === depositor);
  need(own !== undefined || before.length < maxDepositors, space, 11);
  const minted = before.length === 0 ? amount : Fraction.of(amount * allShares(world, escrow), escrow.balance).floor();
  world.change(escrow, { balance: escrow.balance + amount, deposited: escrow.deposited + amount });
  if (own !== undefined) world.change(own, { shares: own.shares + minted });
  else if (minted > 0n) {
    world.add({ kind: 'share', owner: escrow.owner, dseq: escrow.dseq, depositor, shares: minted });
  }
  world.move(depositor, accounts.billing, amount);
  return minted;
}

export function deposit(world: World, { depositor, owner, dseq, amount }: MsgDeposit): object {
  need(amount?.denom === denom, space, 7);
  const escrow = found(escrowOf(world, { owner, dseq }), space, 2);
  need(escrow.state === escrowStates.open, space, 4);
  const shares = addDeposit(world, escrow, depositor, BigInt(amount.amount));
  resumeLeases(world, escrow);
  return { shares: `${shares}` };
}

const worthOf = (held: bigint, escrow: ModelEscrow, shares: bigint): bigint =>
  shares === 0n ? 0n : Fraction.of(held * escrow.balance, shares).floor();

export function withdraw(world: World, { depositor, owner, dseq, amount: coin }: MsgWithdraw): object {
  need(coin?.denom === denom, space, 7);
  const amount = BigInt(coin.amount);
  need(amount > 0n, space, 8);
  const escrow = found(escrowOf(world, { owner, dseq }), space, 2);
  need(escrow.state !== escrowStates.closing, space, 5);
  const own = found(
    sharesOf(world, escrow).find((share) => share.depositor === depositor),
    space,
    13,
  );
  need(amount <= worthOf(own.shares, escrow, allShares(world, escrow)), space, 14);
  const locked = escrow.state === escrowStates.open ? escrow.reserve : 0n;
  need(escrow.balance - amount >= locked, space, 15);
  return { shares: `${payDepositor(world, escrow, own, amount)}` };
}

/** @returns shares burnt: all of them where all that they are worth is taken */
function payDepositor(world: World, escrow: ModelEscrow, own: ModelShare, amount: bigint): bigint {
  const shares = allShares(world, escrow);
  const isAll = amount === worthOf(own.shares, escrow, shares);
  const burnt = isAll ? own.shares : Fraction.of(amount * shares, escrow.balance).ceil();
  if (burnt === own.shares) world.remove(own);
  else world.change(own, { shares: own.shares - burnt });
  world.change(escrow, { balance: escrow.balance - amount, withdrawn: escrow.withdrawn + amount });
  world.move(accounts.billing, own.depositor, amount);
  return burnt;
}

/** From here on only late reports are paid, until the window is over. */
export function closeEscrow(world: World, id: Of): void {
  const escrow = escrowOf(world, id);
  if (escrow?.state !== escrowStates.open) return;
  const settle = world.height + world.single('billing').usageWindowBlocks;
  world.change(escrow, { state: escrowStates.closing, settle });
}

/** Settles at the end of a block: the owner is paid, the deployment is closed; the others claim. */
export function settleEscrows(world: World): void {
  const due = world.lists.escrow
    .filter(({ state, settle }) => state === escrowStates.closing && settle <= world.height)
    .sort((a, b) => Number(a.settle - b.settle) || orderOfAddresses(a.owner, b.owner) || Number(a.dseq - b.dseq));
  for (const escrow of due.slice(0, world.single('billing').maxClosingsPerBlock)) settleOne(world, escrow);
}

function settleOne(world: World, escrow: ModelEscrow): void {
  const own = sharesOf(world, escrow).find(({ depositor }) => depositor === escrow.owner);
  const worth = own === undefined ? 0n : worthOf(own.shares, escrow, allShares(world, escrow));
  if (own !== undefined && worth > 0n) payDepositor(world, escrow, own, worth);
  if (escrow.balance === 0n) for (const share of sharesOf(world, escrow)) world.remove(share);
  world.change(escrow, { state: escrowStates.closed, reserve: 0n, settle: 0n });
  const deployment = world.lists.deployment.find(isOf(escrow));
  if (deployment?.state === deploymentStates.closing) world.change(deployment, { state: deploymentStates.closed });
}
