/** UpdateParams of the four modules: the authority alone, and what their bounds allow. */
import type { Params as BillingParams } from '@mu/proto/billing';
import type { Params as DeploymentParams } from '@mu/proto/deployment';
import type { Params as MarketParams } from '@mu/proto/market';
import type { Params as ProviderParams } from '@mu/proto/provider';
import { unit } from '../fraction.ts';
import { found, need } from './refusal.ts';
import { isModule, type World } from './world.ts';

interface All {
  provider: ProviderParams;
  deployment: DeploymentParams;
  market: MarketParams;
  billing: BillingParams;
}

const rate = (text: string): bigint => BigInt(text === '' ? '0' : text);
const isPart = (text: string): boolean => rate(text) >= 0n && rate(text) <= unit;

const rules: { readonly [N in keyof All]: (params: All[N]) => boolean } = {
  provider: ({ regions, services, unbondingBlocks, maxNodes, maxPriceLists }) =>
    regions.length > 0 && services.length > 0 && unbondingBlocks >= 1n && maxNodes >= 1 && maxPriceLists >= 1n,
  deployment: ({ maxInfrastructures, maxActiveDeployments, maxWaitBlocks }) =>
    maxInfrastructures >= 1 && maxActiveDeployments >= 1 && maxWaitBlocks >= 0n,
  market: (params) =>
    params.minAuctionBlocks >= 3n &&
    params.maxBidsPerOrder >= 1 &&
    params.maxOpenBids >= 1 &&
    params.maxActiveLeases >= 1 &&
    params.maxInjectedItems >= 1 &&
    params.maxInjectedCost > params.maxBidsPerOrder &&
    [params.confirmationBlocks, params.reconfirmationBlocks, params.graceBlocks].every((blocks) => blocks >= 1n) &&
    isPart(params.collateralUserShare) &&
    isPart(params.interestRate),
  billing: (params) =>
    BigInt(params.minDeposit) >= 1n &&
    params.usageWindowBlocks >= 1n &&
    params.maxDepositors >= 1 &&
    params.maxItems >= 1 &&
    params.maxClosingsPerBlock >= 1 &&
    rate(params.commissionRate) < unit &&
    (rate(params.commissionRate) === 0n || params.commissionAccount !== '') &&
    !isModule(params.commissionAccount),
};

const codes = { provider: 22, deployment: 22, market: 37, billing: 38 } as const;

/** @returns the handler of a module's UpdateParams */
export function updateParams<N extends keyof All>(name: N) {
  return (world: World, message: { readonly authority: string; readonly params?: All[N] | undefined }): object => {
    need(message.authority === world.authority, 'sdk', 4);
    const params = found(message.params, name === 'billing' ? 'billing' : 'sdk', name === 'billing' ? 38 : 18);
    need(rules[name](params), name, codes[name]);
    world.setSingle(name, params as never);
    return {};
  };
}
