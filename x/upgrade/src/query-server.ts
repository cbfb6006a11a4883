/** Answers to cosmos.upgrade.v1beta1.Query, with the SDK's texts. */
import { authorityOf } from '@mu/framework/chain-constants';
import { errUnknownRequest } from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { QueryUpgradedConsensusStateResponse } from 'cosmjs-types/cosmos/upgrade/v1beta1/query';
import { errNoModuleVersion } from './errors.ts';
import { storeName, upgradedConsensusStateKey } from './keys.ts';
import { planMessage } from './plan.ts';
import type { queryService } from './services.ts';
import { getDoneHeight, getPlan, getVersions } from './state.ts';

export function createQueryServer(): Handlers<(typeof queryService)['methods']> {
  return {
    currentPlan(ctx) {
      const plan = getPlan(ctx);
      return plan === undefined ? {} : { plan: planMessage(plan) };
    },
    appliedPlan: (ctx, { name }) => ({ height: getDoneHeight(ctx, name) }),
    // Kept for old clients: IBC has its own query since ibc-go 2.
    upgradedConsensusState(ctx, { lastHeight }) {
      const upgradedConsensusState = ctx.store(storeName).get(upgradedConsensusStateKey(lastHeight));
      return QueryUpgradedConsensusStateResponse.fromPartial(
        upgradedConsensusState === undefined ? {} : { upgradedConsensusState },
      );
    },
    moduleVersions(ctx, { moduleName }) {
      const all = [...getVersions(ctx)].map(([name, version]) => ({ name, version }));
      if (moduleName === '') return { moduleVersions: all };
      const asked = all.filter(({ name }) => name === moduleName);
      if (asked.length > 0) return { moduleVersions: asked };
      // Over gRPC an error of a module's own has no status but Unknown, which is code 6.
      const what = `x/upgrade: QueryModuleVersions module ${moduleName} not found`;
      throw errUnknownRequest.wrap(`${what}: ${errNoModuleVersion.description}`);
    },
    authority: (ctx) => ({ address: authorityOf(ctx.chain) }),
  };
}
