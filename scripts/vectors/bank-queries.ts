/** What is asked of auth and bank at the end of the bank vector. */
import {
  AddressStringToBytesRequest,
  Bech32PrefixRequest,
  QueryAccountAddressByIDRequest,
  QueryAccountInfoRequest,
  QueryAccountRequest,
  QueryAccountsRequest,
  QueryModuleAccountByNameRequest,
  QueryParamsRequest,
} from 'cosmjs-types/cosmos/auth/v1beta1/query';
import {
  QueryAllBalancesRequest,
  QueryBalanceRequest,
  QueryDenomMetadataRequest,
  QueryDenomOwnersRequest,
  QueryDenomsMetadataRequest,
  QuerySendEnabledRequest,
  QuerySpendableBalancesRequest,
  QuerySupplyOfRequest,
  QueryTotalSupplyRequest,
} from 'cosmjs-types/cosmos/bank/v1beta1/query';
import type { Cast } from './bank-cases.ts';

export interface Question {
  readonly name: string;
  readonly path: string;
  readonly data: Uint8Array;
}

export function bankQueries({ rich, stranger, prefix }: Cast): Question[] {
  const auth = (name: string, method: string, data: Uint8Array): Question => ({
    name,
    path: `/cosmos.auth.v1beta1.Query/${method}`,
    data,
  });
  const account = (address: string): Uint8Array => QueryAccountRequest.encode({ address }).finish();
  return [
    auth('account', 'Account', account(rich.address)),
    auth('account that does not exist', 'Account', account(stranger.address)),
    auth('account without an address', 'Account', account('')),
    auth('account info', 'AccountInfo', QueryAccountInfoRequest.encode({ address: rich.address }).finish()),
    auth('accounts', 'Accounts', QueryAccountsRequest.encode({}).finish()),
    auth(
      'address of a number',
      'AccountAddressByID',
      QueryAccountAddressByIDRequest.encode({ id: 0n, accountId: 1n }).finish(),
    ),
    auth(
      'address of a number that nobody has',
      'AccountAddressByID',
      QueryAccountAddressByIDRequest.encode({ id: 0n, accountId: 999n }).finish(),
    ),
    auth('module account', 'ModuleAccountByName', QueryModuleAccountByNameRequest.encode({ name: 'mint' }).finish()),
    auth(
      'module account that does not exist',
      'ModuleAccountByName',
      QueryModuleAccountByNameRequest.encode({ name: 'nobody' }).finish(),
    ),
    auth('module accounts', 'ModuleAccounts', new Uint8Array()),
    auth('auth params', 'Params', QueryParamsRequest.encode({}).finish()),
    auth('prefix', 'Bech32Prefix', Bech32PrefixRequest.encode({}).finish()),
    auth(
      'bytes of an address',
      'AddressStringToBytes',
      AddressStringToBytesRequest.encode({ addressString: rich.address }).finish(),
    ),
    ...bank({ rich, stranger }, `${prefix}1nobody`),
  ];
}

function bank({ rich, stranger }: Pick<Cast, 'rich' | 'stranger'>, noAddress: string): Question[] {
  const ask = (name: string, method: string, data: Uint8Array): Question => ({
    name,
    path: `/cosmos.bank.v1beta1.Query/${method}`,
    data,
  });
  const balance = (address: string, denom: string): Uint8Array =>
    QueryBalanceRequest.encode({ address, denom }).finish();
  const page = (fields: object): Uint8Array =>
    QueryAllBalancesRequest.encode(QueryAllBalancesRequest.fromPartial({ address: rich.address, ...fields })).finish();
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  return [
    ask('balance', 'Balance', balance(rich.address, 'stake')),
    ask('balance of nothing', 'Balance', balance(stranger.address, 'stake')),
    ask('balance of a denomination that is none', 'Balance', balance(rich.address, 'x')),
    ask('balance of no address', 'Balance', balance(noAddress, 'stake')),
    ask('balances', 'AllBalances', page({})),
    ask('balances by their display names', 'AllBalances', page({ resolveDenom: true })),
    ask('the first balance', 'AllBalances', page({ pagination: { limit: 1n, countTotal: true } })),
    ask('balances from a key', 'AllBalances', page({ pagination: { key: text('btoken'), limit: 1n } })),
    ask('balances behind an offset', 'AllBalances', page({ pagination: { offset: 1n, limit: 2n, countTotal: true } })),
    ask('balances in reverse', 'AllBalances', page({ pagination: { limit: 2n, reverse: true } })),
    ask(
      'balances in reverse from a key',
      'AllBalances',
      page({ pagination: { key: text('frozen'), limit: 5n, reverse: true } }),
    ),
    ask('key and offset', 'AllBalances', page({ pagination: { key: text('frozen'), offset: 1n } })),
    ask(
      'spendable balances',
      'SpendableBalances',
      QuerySpendableBalancesRequest.encode({ address: rich.address }).finish(),
    ),
    ask(
      'spendable balances of no address',
      'SpendableBalances',
      QuerySpendableBalancesRequest.encode({ address: 'test' }).finish(),
    ),
    ask('supply', 'SupplyOf', QuerySupplyOfRequest.encode({ denom: 'stake' }).finish()),
    ask('supply of nothing', 'SupplyOf', QuerySupplyOfRequest.encode({ denom: 'nothing' }).finish()),
    ask('total supply', 'TotalSupply', QueryTotalSupplyRequest.encode({}).finish()),
    ask('bank params', 'Params', new Uint8Array()),
    ask('metadata', 'DenomMetadata', QueryDenomMetadataRequest.encode({ denom: 'atoken' }).finish()),
    ask('metadata that does not exist', 'DenomMetadata', QueryDenomMetadataRequest.encode({ denom: 'stake' }).finish()),
    ask('all metadata', 'DenomsMetadata', QueryDenomsMetadataRequest.encode({}).finish()),
    ask('owners', 'DenomOwners', QueryDenomOwnersRequest.encode({ denom: 'atoken' }).finish()),
    ask(
      'owners, a page',
      'DenomOwners',
      QueryDenomOwnersRequest.encode(
        QueryDenomOwnersRequest.fromPartial({ denom: 'stake', pagination: { limit: 3n } }),
      ).finish(),
    ),
    ask('send enabled', 'SendEnabled', QuerySendEnabledRequest.encode({ denoms: [] }).finish()),
    ask(
      'send enabled of some',
      'SendEnabled',
      QuerySendEnabledRequest.encode({ denoms: ['stake', 'frozen'] }).finish(),
    ),
  ];
}
