/** The infrastructures that a stack names, as they stand there, and their standbys. */
import { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import { DeriveError } from './derive-types.ts';
import { type OrderContext, serviceOfMetric } from './order-context.ts';
import { kindsOf, servicesIn } from './placements.ts';
import { checkRoom, functionCompute } from './room.ts';
import type { Stack, StackCompute, StackInfrastructure } from './schema.ts';
import { standbysOf } from './standby.ts';

/** Those that the stack names, and after them their standbys. @throws DeriveError */
export function deriveNamed(
  named: readonly StackInfrastructure[],
  stack: Stack,
  context: OrderContext,
): DeploymentInfrastructure[] {
  const own = named.map((one) => ({ one, ordered: fromStack(one, stack, context) }));
  const standbys = own.flatMap(({ one, ordered }) => standbysOf(one, ordered, context.collateral));
  for (const { name, resources } of standbys) {
    const price = Dec.fromAtomics(resources[0]?.price ?? '0').toPlain();
    context.book.note(name, `at most ${price} umu per block; holds the manifest and runs nothing`, 'standby');
  }
  return [...own.map(({ ordered }) => ordered), ...standbys];
}

/** An infrastructure that the stack names, as it stands there. What is not limited is free of charge (design §5). */
function fromStack(one: StackInfrastructure, stack: Stack, context: OrderContext): DeploymentInfrastructure {
  if (!context.market.regions.includes(one.region)) {
    throw new DeriveError(
      'region_unknown',
      `${one.name}: unknown region ${JSON.stringify(one.region)}; allowed: ${context.market.regions.join(', ')}`,
    );
  }
  for (const { metric } of [...(one.usage_limits ?? []), ...(one.expected_usage ?? [])])
    serviceOfMetric(metric, context.market);
  checkRoom(one, servicesIn(stack, one.name));
  return {
    name: one.name,
    region: one.region,
    provider: one.provider ?? '',
    excludedProviders: one.excluded_providers ?? [],
    persist: one.persist ?? false,
    services: one.services ?? kindsOf(servicesIn(stack, one.name)),
    attributes: Object.entries(one.attributes ?? {})
      .map(([key, value]) => ({ key, value }))
      .sort((a, b) => (a.key < b.key ? -1 : 1)),
    auditedBy: one.audited_by ?? [],
    resources: one.resources.map((resource) => ({
      compute: toCompute(resource.compute),
      price: resource.price.atomicsString(),
      collateral: (resource.collateral ?? context.collateral(resource.price)).toString(),
      count: resource.count ?? 1,
    })),
    usageLimits: (one.usage_limits ?? []).map((limit) => ({
      metric: limit.metric,
      maxPrice: limit.max_price.atomicsString(),
      maxPricePer: limit.per ?? 1n,
      maxQuantityPerBlock: limit.max_quantity_per_block,
    })),
    expectedUsage: (one.expected_usage ?? []).map((usage) => ({
      metric: usage.metric,
      quantityPerBlock: usage.quantity_per_block,
    })),
  };
}

function toCompute(compute: StackCompute) {
  const { gpu } = compute;
  return {
    cpu: compute.cpu,
    memory: compute.memory,
    disk: compute.disk ?? functionCompute.disk,
    gpu: gpu === undefined ? undefined : { count: gpu.count, vendor: gpu.vendor ?? '', model: gpu.model ?? '' },
  };
}
