/** Genesis beside the market's records: who has coins, what modules hold, and parameters with room for the largest size. */
import { defaultAppState } from '@mu/app/mu-app';
import { genesisAccount } from '@mu/app/node/genesis';
import type { Json } from '@mu/framework/module';
import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { utf8 } from '@mu/lib/bytes';
import { RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { chainId } from '../in-process.ts';
import type { Wallet } from '../sends.ts';
import { type Cast, everybody } from './cast.ts';
import { recordsOf } from './records.ts';
import {
  collateral,
  farHeight,
  firstHeight,
  firstNumber,
  firstSequence,
  funds,
  marketParams,
  providerDeposit,
} from './terms.ts';

type JsonObject = { [key: string]: Json };

/** Of the first account; numbers of one length for all. */
export const firstAccount = 1_000n;

/** @param size of the market that stands in the store */
export function marketGenesis(cast: Cast, size: number): RequestInitChain {
  const state = defaultAppState({ bech32Prefix: 'mu', denom: 'umu' }) as { [module: string]: JsonObject };
  const wallets = everybody(cast);
  setParams(state);
  const last = `${firstNumber + 10_000_000n}`;
  Object.assign(state['market'] as JsonObject, { last_fulfillment: `${3n * firstNumber}`, last_lease: last });
  Object.assign(state['auth'] as JsonObject, { accounts: wallets.map(accountOf) });
  const held = Object.entries(heldByModules(cast, size)).map(([name, amount]) => balance(moduleText(name), amount));
  Object.assign(state['bank'] as JsonObject, {
    balances: [...wallets.map(({ address }) => balance(address, funds)), ...held],
  });
  const appStateBytes = utf8(JSON.stringify(state));
  return RequestInitChain.fromPartial({ chainId, initialHeight: firstHeight, appStateBytes });
}

function setParams(state: { [module: string]: JsonObject }): void {
  const { confirmationBlocks, reconfirmationBlocks, maxOpenBids, maxActiveLeases } = marketParams;
  Object.assign(state['market']?.['params'] as JsonObject, {
    confirmation_blocks: `${confirmationBlocks}`,
    reconfirmation_blocks: `${reconfirmationBlocks}`,
    max_open_bids: maxOpenBids,
    max_active_leases: maxActiveLeases,
  });
  Object.assign(state['deployment']?.['params'] as JsonObject, { max_active_deployments: 1_000_000 });
}

/** What the invariants say that modules hold. */
function heldByModules(cast: Cast, size: number): Record<string, bigint> {
  const [one, rich] = [false, true].map((is) => recordsOf(cast, 0, { due: farHeight, rich: is }));
  const count = BigInt(size);
  return {
    billing: BigInt(one?.escrow.balance as string) * count + BigInt(rich?.escrow.balance as string),
    // Of each deployment a lease and a bid.
    market: 2n * collateral * count + BigInt(rich?.lease.collateral as string) + collateral,
    provider: providerDeposit * BigInt(cast.providers.length),
  };
}

function accountOf({ address, publicKey }: Wallet, at: number): JsonObject {
  const key = Buffer.from(publicKey).toString('base64');
  return {
    ...genesisAccount(address),
    pub_key: { '@type': '/cosmos.crypto.secp256k1.PubKey', key },
    account_number: `${firstAccount + BigInt(at)}`,
    sequence: `${firstSequence}`,
  };
}

function moduleText(name: string): string {
  return toBech32('mu', moduleAddress(name));
}

function balance(address: string, amount: bigint): JsonObject {
  return { address, coins: [{ denom: 'umu', amount: `${amount}` }] };
}
