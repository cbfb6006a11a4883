/** Where every coin is at the end. */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { LeaseState } from '@mu/proto/market';
import { type Actor, denom } from './actors.ts';
import type { World } from './world.ts';

/** Module accounts of the market. */
const modules = ['provider', 'market', 'billing', 'fee_collector'] as const;

/** Amounts in umu, as texts: they may be above 2^53. */
export interface Outcome {
  readonly supply_before: string;
  readonly supply_after: string;
  readonly supply_unchanged: boolean;
  /** interest on collateral */
  readonly minted: string;
  /** of the collateral of broken leases */
  readonly burnt: string;
  readonly balances: Readonly<Record<string, string>>;
}

/** @throws Error where coins are lost or made, or something is left where it should not be */
export async function outcomeOf(world: World, supplyBefore: bigint): Promise<Outcome> {
  const { client } = world;
  const balances = await balancesOf(world);
  const supplyAfter = await client.supply(denom);
  const minted = await mintedOf(client);
  const burnt = supplyBefore + minted - supplyAfter;
  const sum = [...balances.values()].reduce((all, one) => all + one, 0n);
  if (sum !== supplyAfter) throw new Error(`the balances are ${sum} together, the supply is ${supplyAfter}`);
  if (burnt !== (await burntOf(client))) throw new Error(`the supply fell by ${burnt} without a reason`);
  for (const module of ['market', 'billing'] as const)
    if (balances.get(module) !== 0n)
      throw new Error(`${balances.get(module)} umu are left in the account of ${module}`);
  return {
    supply_before: `${supplyBefore}`,
    supply_after: `${supplyAfter}`,
    supply_unchanged: supplyBefore === supplyAfter,
    minted: `${minted}`,
    burnt: `${burnt}`,
    balances: Object.fromEntries([...balances].map(([name, amount]) => [name, `${amount}`])),
  };
}

async function balancesOf({ client, users, providers, community }: World): Promise<Map<string, bigint>> {
  const accounts: (readonly [string, string])[] = [
    ...[...users, ...providers].map(({ name, address }: Actor) => [name, address] as const),
    ['community', community],
    ...modules.map((module) => [module, toBech32('mu', moduleAddress(module))] as const),
  ];
  return new Map(
    await Promise.all(accounts.map(async ([name, address]) => [name, await client.balance(address, denom)] as const)),
  );
}

async function mintedOf(client: ChainClient): Promise<bigint> {
  const { ledger } = await client.market.interest({});
  return BigInt(ledger?.mintedTotal || '0');
}

/** The fifth of each broken collateral that is not the user's. */
async function burntOf(client: ChainClient): Promise<bigint> {
  const { leases } = await client.market.leases({ state: LeaseState.LEASE_STATE_BROKEN });
  return leases.reduce((sum, { collateral }) => sum + BigInt(collateral) - (BigInt(collateral) * 8n) / 10n, 0n);
}
