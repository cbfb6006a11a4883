/** Answers to cosmos.bank.v1beta1.Query, with the SDK's texts. */
import type { Context } from '@mu/framework/context';
import { AbciError, errInvalidRequest, errNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { type RawPage, type RawPageRequest, rawPage } from '@mu/framework/raw-page';
import { type Coin, isDenom } from '@mu/lib/amounts';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { fromUtf8 } from '@mu/lib/bytes';
import { Metadata, type SendEnabled } from 'cosmjs-types/cosmos/bank/v1beta1/bank';
import type { DenomOwner } from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { accountBalancesKey, holdersKey, metadataPrefix, sendEnabledPrefix, storeName, supplyPrefix } from './keys.ts';
import type { queryService } from './services.ts';
import { decodeFlag, getBalance, getMetadata, getParams, getSendEnabled, getSupply } from './state.ts';

export function createQueryServer(): Handlers<(typeof queryService)['methods']> {
  return {
    balance: (ctx, { address, denom }) => ({ balance: balanceOf(ctx, address, denom) }),
    allBalances(ctx, { address, pagination, resolveDenom }) {
      const { items, pagination: page } = balances(ctx, address, pagination);
      const resolved = resolveDenom ? items.map((coin) => displayed(ctx, coin)) : items;
      return { balances: resolved, pagination: page };
    },
    // No account of this chain locks coins: all it holds is spendable.
    spendableBalances(ctx, { address, pagination }) {
      const { items, pagination: page } = balances(ctx, address, pagination);
      return { balances: items, pagination: page };
    },
    spendableBalanceByDenom: (ctx, { address, denom }) => ({ balance: balanceOf(ctx, address, denom) }),
    totalSupply(ctx, { pagination }) {
      const page = rawPage(ctx, storeName, { prefix: supplyPrefix, request: pagination, load: toCoin });
      return { supply: page.items, pagination: page.pagination };
    },
    supplyOf(ctx, { denom }) {
      requireDenom(denom);
      return { amount: { denom, amount: getSupply(ctx, denom).toString() } };
    },
    params: (ctx) => ({ params: getParams(ctx) }),
    denomsMetadata(ctx, { pagination }) {
      const load = (_: Uint8Array, value: Uint8Array): Metadata => Metadata.decode(value);
      const page = rawPage(ctx, storeName, { prefix: metadataPrefix, request: pagination, load });
      return { metadatas: page.items, pagination: page.pagination };
    },
    denomMetadata: (ctx, { denom }) => ({ metadata: metadataOf(ctx, denom) }),
    denomMetadataByQueryString: (ctx, { denom }) => ({ metadata: metadataOf(ctx, denom) }),
    denomOwners: (ctx, { denom, pagination }) => owners(ctx, denom, pagination),
    denomOwnersByQuery: (ctx, { denom, pagination }) => owners(ctx, denom, pagination),
    sendEnabled(ctx, { denoms, pagination }) {
      if (denoms.length > 0) return { sendEnabled: denoms.flatMap((denom) => entryOf(ctx, denom)) };
      const load = (key: Uint8Array, value: Uint8Array): SendEnabled => ({
        denom: fromUtf8(key),
        enabled: decodeFlag(value),
      });
      const page = rawPage(ctx, storeName, { prefix: sendEnabledPrefix, request: pagination, load });
      return { sendEnabled: page.items, pagination: page.pagination };
    },
  };
}

function toCoin(denom: Uint8Array, amount: Uint8Array): Coin {
  return { denom: fromUtf8(denom), amount: fromUtf8(amount) };
}

function balances(ctx: Context, address: string, request: RawPageRequest | undefined): RawPage<Coin> {
  const prefix = accountBalancesKey(parse(ctx, address));
  try {
    return rawPage(ctx, storeName, { prefix, request, load: toCoin });
  } catch (error) {
    throw error instanceof AbciError ? error.at('paginate') : error;
  }
}

function balanceOf(ctx: Context, address: string, denom: string): Coin {
  requireDenom(denom);
  return { denom, amount: getBalance(ctx, parse(ctx, address), denom).toString() };
}

/** The coin under its display name, as the SDK does: the amount stays in the base unit. */
function displayed(ctx: Context, coin: Coin): Coin {
  const metadata = getMetadata(ctx, coin.denom);
  return metadata === undefined ? coin : { denom: metadata.display, amount: coin.amount };
}

function metadataOf(ctx: Context, denom: string): Metadata {
  requireDenom(denom);
  const metadata = getMetadata(ctx, denom);
  if (metadata === undefined) throw errNotFound.wrap(`client metadata for denom ${denom}`);
  return metadata;
}

interface Owners {
  readonly denomOwners: DenomOwner[];
  readonly pagination: RawPage<unknown>['pagination'];
}

function owners(ctx: Context, denom: string, request: RawPageRequest | undefined): Owners {
  requireDenom(denom);
  const load = (key: Uint8Array): DenomOwner => {
    const address = key.slice(1);
    const amount = getBalance(ctx, address, denom).toString();
    return { address: toBech32(ctx.chain.bech32Prefix, address), balance: { denom, amount } };
  };
  const page = rawPage(ctx, storeName, { prefix: holdersKey(denom), request, load });
  return { denomOwners: page.items, pagination: page.pagination };
}

function entryOf(ctx: Context, denom: string): SendEnabled[] {
  const enabled = getSendEnabled(ctx, denom);
  return enabled === undefined ? [] : [{ denom, enabled }];
}

function requireDenom(denom: string): void {
  if (!isDenom(denom)) throw errInvalidRequest.wrap(`invalid denom: ${denom}`);
}

function parse(ctx: Context, address: string): Uint8Array {
  try {
    return fromBech32(address, ctx.chain.bech32Prefix);
  } catch (error) {
    throw errInvalidRequest.wrap(`invalid address: ${error instanceof Error ? error.message : 'not an address'}`);
  }
}
