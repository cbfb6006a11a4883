/** Answers to cosmos.auth.v1beta1.Query, with the SDK's texts: clients match on them. */
import type { Context } from '@mu/framework/context';
import { errInvalidRequest, errNotFound } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { rawPage } from '@mu/framework/raw-page';
import { fromBech32, toBech32 } from '@mu/lib/bech32';
import { Any } from 'cosmjs-types/google/protobuf/any';
import { type Account, toAny } from './account.ts';
import type { AccountKeeper } from './keeper.ts';
import { accountPrefix, storeName } from './keys.ts';
import type { queryService } from './services.ts';

export function createQueryServer(keeper: AccountKeeper): Handlers<(typeof queryService)['methods']> {
  return {
    accounts(ctx, { pagination }) {
      const page = rawPage(ctx, storeName, {
        prefix: accountPrefix,
        request: pagination,
        load: (_, v) => Any.decode(v),
      });
      return { accounts: page.items, pagination: page.pagination };
    },
    account: (ctx, { address }) => ({ account: toAny(find(ctx, keeper, address)) }),
    accountAddressByID(ctx, { id, accountId }) {
      if (id !== 0n)
        throw errInvalidRequest.wrap("requesting with id isn't supported, try to request using account-id");
      const address = keeper.addressByNumber(ctx, accountId);
      if (address === undefined) {
        throw errNotFound.wrap(`account address not found with account number ${accountId}`);
      }
      return { accountAddress: toBech32(ctx.chain.bech32Prefix, address) };
    },
    params: (ctx) => ({ params: keeper.params(ctx) }),
    moduleAccounts: (ctx) => ({
      accounts: keeper.moduleNames().map((name) => toAny(keeper.getModuleAccount(ctx, name))),
    }),
    moduleAccountByName(ctx, { name }) {
      if (name === '') throw errInvalidRequest.wrap('module name is empty');
      if (!keeper.moduleNames().includes(name)) throw errNotFound.wrap(`account ${name} not found`);
      return { account: toAny(keeper.getModuleAccount(ctx, name)) };
    },
    bech32Prefix: (ctx) => ({ bech32Prefix: ctx.chain.bech32Prefix }),
    addressBytesToString(ctx, { addressBytes }) {
      if (addressBytes.length === 0) throw errInvalidRequest.wrap('empty address bytes is not allowed');
      return { addressString: toBech32(ctx.chain.bech32Prefix, addressBytes) };
    },
    addressStringToBytes: (ctx, { addressString }) => ({ addressBytes: parse(ctx, addressString) }),
    accountInfo(ctx, { address }) {
      const { pubKey, accountNumber, sequence } = find(ctx, keeper, address);
      const info = { address, accountNumber, sequence };
      return { info: pubKey === undefined ? info : { ...info, pubKey } };
    },
  };
}

/** @throws AbciError not found (38) with the SDK's text */
function find(ctx: Context, keeper: AccountKeeper, address: string): Account {
  if (address === '') throw errInvalidRequest.wrap('Address cannot be empty');
  const account = keeper.getAccount(ctx, parse(ctx, address));
  if (account === undefined) throw errNotFound.wrap(`account ${address} not found`);
  return account;
}

function parse(ctx: Context, address: string): Uint8Array {
  try {
    return fromBech32(address, ctx.chain.bech32Prefix);
  } catch (error) {
    throw errInvalidRequest.wrap(error instanceof Error ? error.message : 'not an address');
  }
}
