/** The services of cosmos.auth.v1beta1 that this chain offers, over the standard messages. */
import {
  AddressBytesToStringRequest,
  AddressBytesToStringResponse,
  AddressStringToBytesRequest,
  AddressStringToBytesResponse,
  Bech32PrefixRequest,
  Bech32PrefixResponse,
  QueryAccountAddressByIDRequest,
  QueryAccountAddressByIDResponse,
  QueryAccountInfoRequest,
  QueryAccountInfoResponse,
  QueryAccountRequest,
  QueryAccountResponse,
  QueryAccountsRequest,
  QueryAccountsResponse,
  QueryModuleAccountByNameRequest,
  QueryModuleAccountByNameResponse,
  QueryModuleAccountsRequest,
  QueryModuleAccountsResponse,
  QueryParamsRequest,
  QueryParamsResponse,
} from 'cosmjs-types/cosmos/auth/v1beta1/query';
import { MsgUpdateParams, MsgUpdateParamsResponse } from 'cosmjs-types/cosmos/auth/v1beta1/tx';

export const msgService = {
  fullName: 'cosmos.auth.v1beta1.Msg',
  methods: {
    updateParams: { name: 'UpdateParams', requestType: MsgUpdateParams, responseType: MsgUpdateParamsResponse },
  },
} as const;

export const queryService = {
  fullName: 'cosmos.auth.v1beta1.Query',
  methods: {
    accounts: { name: 'Accounts', requestType: QueryAccountsRequest, responseType: QueryAccountsResponse },
    account: { name: 'Account', requestType: QueryAccountRequest, responseType: QueryAccountResponse },
    accountAddressByID: {
      name: 'AccountAddressByID',
      requestType: QueryAccountAddressByIDRequest,
      responseType: QueryAccountAddressByIDResponse,
    },
    params: { name: 'Params', requestType: QueryParamsRequest, responseType: QueryParamsResponse },
    moduleAccounts: {
      name: 'ModuleAccounts',
      requestType: QueryModuleAccountsRequest,
      responseType: QueryModuleAccountsResponse,
    },
    moduleAccountByName: {
      name: 'ModuleAccountByName',
      requestType: QueryModuleAccountByNameRequest,
      responseType: QueryModuleAccountByNameResponse,
    },
    bech32Prefix: { name: 'Bech32Prefix', requestType: Bech32PrefixRequest, responseType: Bech32PrefixResponse },
    addressBytesToString: {
      name: 'AddressBytesToString',
      requestType: AddressBytesToStringRequest,
      responseType: AddressBytesToStringResponse,
    },
    addressStringToBytes: {
      name: 'AddressStringToBytes',
      requestType: AddressStringToBytesRequest,
      responseType: AddressStringToBytesResponse,
    },
    accountInfo: { name: 'AccountInfo', requestType: QueryAccountInfoRequest, responseType: QueryAccountInfoResponse },
  },
} as const;
