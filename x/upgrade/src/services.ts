/** The services of cosmos.upgrade.v1beta1, over the standard messages. */
import {
  QueryAppliedPlanRequest,
  QueryAppliedPlanResponse,
  QueryAuthorityRequest,
  QueryAuthorityResponse,
  QueryCurrentPlanRequest,
  QueryCurrentPlanResponse,
  QueryModuleVersionsRequest,
  QueryModuleVersionsResponse,
  QueryUpgradedConsensusStateRequest,
  QueryUpgradedConsensusStateResponse,
} from 'cosmjs-types/cosmos/upgrade/v1beta1/query';
import {
  MsgCancelUpgrade,
  MsgCancelUpgradeResponse,
  MsgSoftwareUpgrade,
  MsgSoftwareUpgradeResponse,
} from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';

export const msgService = {
  fullName: 'cosmos.upgrade.v1beta1.Msg',
  methods: {
    softwareUpgrade: {
      name: 'SoftwareUpgrade',
      requestType: MsgSoftwareUpgrade,
      responseType: MsgSoftwareUpgradeResponse,
    },
    cancelUpgrade: { name: 'CancelUpgrade', requestType: MsgCancelUpgrade, responseType: MsgCancelUpgradeResponse },
  },
} as const;

export const queryService = {
  fullName: 'cosmos.upgrade.v1beta1.Query',
  methods: {
    currentPlan: { name: 'CurrentPlan', requestType: QueryCurrentPlanRequest, responseType: QueryCurrentPlanResponse },
    appliedPlan: { name: 'AppliedPlan', requestType: QueryAppliedPlanRequest, responseType: QueryAppliedPlanResponse },
    upgradedConsensusState: {
      name: 'UpgradedConsensusState',
      requestType: QueryUpgradedConsensusStateRequest,
      responseType: QueryUpgradedConsensusStateResponse,
    },
    moduleVersions: {
      name: 'ModuleVersions',
      requestType: QueryModuleVersionsRequest,
      responseType: QueryModuleVersionsResponse,
    },
    authority: { name: 'Authority', requestType: QueryAuthorityRequest, responseType: QueryAuthorityResponse },
  },
} as const;
