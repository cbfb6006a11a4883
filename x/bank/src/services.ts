/** The services of cosmos.bank.v1beta1 that this chain offers, over the standard messages. */
import {
  QueryAllBalancesRequest,
  QueryAllBalancesResponse,
  QueryBalanceRequest,
  QueryBalanceResponse,
  QueryDenomMetadataByQueryStringRequest,
  QueryDenomMetadataByQueryStringResponse,
  QueryDenomMetadataRequest,
  QueryDenomMetadataResponse,
  QueryDenomOwnersByQueryRequest,
  QueryDenomOwnersByQueryResponse,
  QueryDenomOwnersRequest,
  QueryDenomOwnersResponse,
  QueryDenomsMetadataRequest,
  QueryDenomsMetadataResponse,
  QueryParamsRequest,
  QueryParamsResponse,
  QuerySendEnabledRequest,
  QuerySendEnabledResponse,
  QuerySpendableBalanceByDenomRequest,
  QuerySpendableBalanceByDenomResponse,
  QuerySpendableBalancesRequest,
  QuerySpendableBalancesResponse,
  QuerySupplyOfRequest,
  QuerySupplyOfResponse,
  QueryTotalSupplyRequest,
  QueryTotalSupplyResponse,
} from 'cosmjs-types/cosmos/bank/v1beta1/query';
import {
  MsgMultiSend,
  MsgMultiSendResponse,
  MsgSend,
  MsgSendResponse,
  MsgSetSendEnabled,
  MsgSetSendEnabledResponse,
  MsgUpdateParams,
  MsgUpdateParamsResponse,
} from 'cosmjs-types/cosmos/bank/v1beta1/tx';

export const msgService = {
  fullName: 'cosmos.bank.v1beta1.Msg',
  methods: {
    send: { name: 'Send', requestType: MsgSend, responseType: MsgSendResponse },
    multiSend: { name: 'MultiSend', requestType: MsgMultiSend, responseType: MsgMultiSendResponse },
    updateParams: { name: 'UpdateParams', requestType: MsgUpdateParams, responseType: MsgUpdateParamsResponse },
    setSendEnabled: { name: 'SetSendEnabled', requestType: MsgSetSendEnabled, responseType: MsgSetSendEnabledResponse },
  },
} as const;

export const queryService = {
  fullName: 'cosmos.bank.v1beta1.Query',
  methods: {
    balance: { name: 'Balance', requestType: QueryBalanceRequest, responseType: QueryBalanceResponse },
    allBalances: { name: 'AllBalances', requestType: QueryAllBalancesRequest, responseType: QueryAllBalancesResponse },
    spendableBalances: {
      name: 'SpendableBalances',
      requestType: QuerySpendableBalancesRequest,
      responseType: QuerySpendableBalancesResponse,
    },
    spendableBalanceByDenom: {
      name: 'SpendableBalanceByDenom',
      requestType: QuerySpendableBalanceByDenomRequest,
      responseType: QuerySpendableBalanceByDenomResponse,
    },
    totalSupply: { name: 'TotalSupply', requestType: QueryTotalSupplyRequest, responseType: QueryTotalSupplyResponse },
    supplyOf: { name: 'SupplyOf', requestType: QuerySupplyOfRequest, responseType: QuerySupplyOfResponse },
    params: { name: 'Params', requestType: QueryParamsRequest, responseType: QueryParamsResponse },
    denomsMetadata: {
      name: 'DenomsMetadata',
      requestType: QueryDenomsMetadataRequest,
      responseType: QueryDenomsMetadataResponse,
    },
    denomMetadata: {
      name: 'DenomMetadata',
      requestType: QueryDenomMetadataRequest,
      responseType: QueryDenomMetadataResponse,
    },
    denomMetadataByQueryString: {
      name: 'DenomMetadataByQueryString',
      requestType: QueryDenomMetadataByQueryStringRequest,
      responseType: QueryDenomMetadataByQueryStringResponse,
    },
    denomOwners: { name: 'DenomOwners', requestType: QueryDenomOwnersRequest, responseType: QueryDenomOwnersResponse },
    denomOwnersByQuery: {
      name: 'DenomOwnersByQuery',
      requestType: QueryDenomOwnersByQueryRequest,
      responseType: QueryDenomOwnersByQueryResponse,
    },
    sendEnabled: { name: 'SendEnabled', requestType: QuerySendEnabledRequest, responseType: QuerySendEnabledResponse },
  },
} as const;
