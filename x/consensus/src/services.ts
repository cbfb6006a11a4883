/** The services of cosmos.consensus.v1, over the standard messages. */
import { QueryParamsRequest, QueryParamsResponse } from 'cosmjs-types/cosmos/consensus/v1/query';
import { MsgUpdateParams, MsgUpdateParamsResponse } from 'cosmjs-types/cosmos/consensus/v1/tx';

export const msgService = {
  fullName: 'cosmos.consensus.v1.Msg',
  methods: {
    updateParams: { name: 'UpdateParams', requestType: MsgUpdateParams, responseType: MsgUpdateParamsResponse },
  },
} as const;

export const queryService = {
  fullName: 'cosmos.consensus.v1.Query',
  methods: {
    params: { name: 'Params', requestType: QueryParamsRequest, responseType: QueryParamsResponse },
  },
} as const;
