/** What a deployment may ask for, guard by guard (x/deployment/README.md "Messages"). */
import type { AccessKey, DeploymentInfrastructure, Params, ResourceGroup } from '@mu/proto/deployment';
import { isAddress } from './addresses.ts';
import { need } from './refusal.ts';
import type { World } from './world.ts';

const space = 'deployment';
const isDistinct = (list: readonly string[]): boolean => new Set(list).size === list.length;

export function needInfrastructures(world: World, list: readonly DeploymentInfrastructure[]): void {
  const params = world.single('deployment');
  need(list.length > 0 && list.length <= params.maxInfrastructures, space, 7);
  need(isDistinct(list.map(({ name }) => name)), space, 7);
  for (const one of list) {
    need(/^[a-z0-9][a-z0-9_-]*$/.test(one.name) && one.name.length <= params.maxNameBytes, space, 6);
    need(world.single('provider').regions.includes(one.region), space, 8);
    needProviders(one, params);
    need(isDistinct(one.services) && one.services.every((name) => /^[a-z0-9._-]{1,64}$/.test(name)), space, 9);
    needAttributes(one, params);
    needResources(one.resources, params);
    needUsage(world, one, params);
  }
}

function needProviders({ provider, excludedProviders: excluded }: DeploymentInfrastructure, params: Params): void {
  need(provider === '' || isAddress(provider), 'sdk', 7);
  need(excluded.length <= params.maxExcludedProviders && isDistinct(excluded), space, 11);
  need(excluded.every(isAddress), 'sdk', 7);
  need(provider === '' || !excluded.includes(provider), space, 11);
}

function needAttributes({ attributes, auditedBy }: DeploymentInfrastructure, params: Params): void {
  need(attributes.length <= params.maxAttributes && auditedBy.length <= params.maxAttributes, space, 10);
  need(isDistinct(attributes.map(({ key }) => key)) && isDistinct(auditedBy), space, 10);
  need(
    attributes.every(({ key, value }) => /^[a-z0-9./-]{1,64}$/.test(key) && /^[\x20-\x7e]{1,128}$/.test(value)),
    space,
    10,
  );
  need(auditedBy.every(isAddress), 'sdk', 7);
}

function needResources(groups: readonly ResourceGroup[], params: Params): void {
  need(groups.length > 0 && groups.length <= params.maxResources, space, 12);
  for (const { compute, price, count } of groups) {
    need(count >= 1 && count <= params.maxCount, space, 12);
    need(compute !== undefined && compute.cpu >= 1 && compute.memory >= 1n, space, 12);
    need(BigInt(price) > 0n, space, 13);
  }
}

function needUsage(world: World, one: DeploymentInfrastructure, params: Params): void {
  const { usageLimits: limits, expectedUsage } = one;
  need(limits.length <= params.maxUsageLimits && isDistinct(limits.map(({ metric }) => metric)), space, 15);
  for (const { metric, maxPricePer, maxQuantityPerBlock } of limits) {
    need(
      world.single('provider').metrics.some(({ name }) => name === metric),
      space,
      15,
    );
    need(maxPricePer >= 1n && maxQuantityPerBlock >= 1n, space, 15);
  }
  need(isDistinct(expectedUsage.map(({ metric }) => metric)), space, 16);
  for (const { metric, quantityPerBlock } of expectedUsage) {
    const limit = limits.find((candidate) => candidate.metric === metric);
    need(limit !== undefined && quantityPerBlock <= limit.maxQuantityPerBlock, space, 16);
  }
}

export function needAccessKeys(keys: readonly AccessKey[], most: number): void {
  need(keys.length <= most, space, 19);
  need(isDistinct(keys.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))), space, 19);
  for (const { publicKey, scopes } of keys) {
    need(publicKey.length === 33 && (publicKey[0] === 2 || publicKey[0] === 3), space, 19);
    need(scopes.length > 0 && isDistinct(scopes), space, 19);
    need(
      scopes.every((scope) => ['exec', 'logs', 'manifest', 'read'].includes(scope)),
      space,
      19,
    );
  }
}
