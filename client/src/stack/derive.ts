/**
 * From a stack to what is ordered on the chain (design §8, last paragraph): a pure function of the stack, the user's
 * choices and what the market looks like. Where the stack has no infrastructure, one named `main` is derived.
 */
import { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure, ResourceGroup, UsageLimit } from '@mu/proto/deployment';
import {
  type Choices,
  type DerivedChoice,
  type DerivedDeployment,
  DeriveError,
  type MarketFacts,
  type Placement,
} from './derive-types.ts';
import {
  defaultFunctionMemory,
  diskOf,
  type Service,
  type Stack,
  type StackCompute,
  type StackInfrastructure,
  serviceKinds,
} from './schema.ts';
import { standbyPlacements, standbysOf } from './standby.ts';
import { greaterOf } from './units.ts';
import { limitPerBlock, medianUsageLimits } from './usage-limits.ts';

const mib = 1024n * 1024n;
/** What a function gets where nothing else is said. */
export const functionCompute = { cpu: 100, memory: defaultFunctionMemory, disk: 256n * mib } as const;
/** The blocks that a deposit lasts beyond the reserve. */
export const depositBlocks = 10_000n;
/** A broken lease costs its provider what it would have earned in so many blocks. */
export const defaultCollateralBlocks = 100n;

/**
 * The order for a stack.
 * @throws DeriveError
 */
export function deriveDeployment(
  stack: Stack,
  chosen: { flags: Choices; config: Choices },
  market: MarketFacts,
): DerivedDeployment {
  const choices: DerivedChoice[] = [];
  const note = (what: string, value: string, from: string): void => void choices.push({ what, value, from });
  const collateralBlocks = chosen.flags.collateralBlocks ?? chosen.config.collateralBlocks ?? defaultCollateralBlocks;
  const collateral = (price: Dec): bigint => {
    const amount = price.mulInt(collateralBlocks).ceilInt();
    return market.maxCollateral > 0n && amount > market.maxCollateral ? market.maxCollateral : amount;
  };
  let infrastructure: DeploymentInfrastructure[];
  if (stack.infrastructure === undefined) {
    infrastructure = [deriveMain(stack, chosen, { market, collateral, note })];
  } else {
    if (chosen.flags.maxPrice !== undefined) {
      throw new DeriveError(
        'price_twice',
        'the stack names its prices in `infrastructure`: leave --max-price out, or change them there',
      );
    }
    infrastructure = fromStackWithStandbys(stack.infrastructure, stack, { market, collateral, note });
  }
  const pricePerBlock = infrastructure.reduce((sum, one) => sum.add(priceOf(one)), Dec.fromInt(0n));
  const reserve = reserveOf(infrastructure, market);
  const deposit = depositOf(chosen, { pricePerBlock, reserve, minDeposit: market.minDeposit, note });
  return { infrastructure, placements: placementsOf(stack, chosen), pricePerBlock, reserve, deposit, choices };
}

interface Context {
  readonly market: MarketFacts;
  readonly collateral: (price: Dec) => bigint;
}
type Note = (what: string, value: string, from: string) => void;

/** The infrastructure of a stack that names none: one group that holds all its functions. */
function deriveMain(
  stack: Stack,
  chosen: { flags: Choices; config: Choices },
  context: Context & { note: Note },
): DeploymentInfrastructure {
  const { market, note } = context;
  const region = regionOf(chosen, market, note);
  const price = maxPriceOf(chosen, region, market, note);
  const compute = computeOf(stack.services);
  const services = kindsOf(stack.services);
  note('services', services.join(', '), 'the types of the services');
  note(
    'compute',
    `${compute.cpu} thousandths of a CPU, ${compute.memory / mib} MiB of memory, ${compute.disk / mib} MiB of disk`,
    'the number of functions',
  );
  const group: ResourceGroup = {
    compute,
    price: price.atomicsString(),
    collateral: context.collateral(price).toString(),
    count: 1,
  };
  note('collateral', `${group.collateral} umu`, 'the price of some blocks');
  const usageLimits = usageLimitsOf(chosen, { region, services, market, note });
  return {
    name: 'main',
    region,
    provider: '',
    excludedProviders: [],
    persist: false,
    services,
    attributes: [],
    auditedBy: [],
    resources: [group],
    usageLimits,
    expectedUsage: [],
  };
}

function regionOf(chosen: { flags: Choices; config: Choices }, market: MarketFacts, note: Note): string {
  const region =
    chosen.flags.region ?? chosen.config.region ?? (market.regions.length === 1 ? market.regions[0] : undefined);
  if (region === undefined) {
    throw new DeriveError(
      'region_missing',
      `there are several regions: choose one with --region or in the config; allowed: ${market.regions.join(', ')}`,
    );
  }
  if (!market.regions.includes(region)) {
    throw new DeriveError(
      'region_unknown',
      `unknown region ${JSON.stringify(region)}; allowed: ${market.regions.join(', ')}`,
    );
  }
  note('region', region, sourceOf('--region', chosen, 'region') ?? 'the only region');
  return region;
}

function maxPriceOf(chosen: { flags: Choices; config: Choices }, region: string, market: MarketFacts, note: Note): Dec {
  const price = chosen.flags.maxPrice ?? chosen.config.maxPrice;
  if (price === undefined) {
    const asks = market.asks.filter((ask) => ask.region === region).sort((a, b) => a.total.cmp(b.total));
    const asked = asks.map((ask) => `  ${ask.provider} asked ${ask.total.toPlain()} umu per block`).join('\n');
    throw new DeriveError(
      'price_missing',
      `no price: say with --max-price or in the config what the deployment may cost, in umu per block.\n${
        asks.length > 0 ? `Last asked in ${region}:\n${asked}` : `Nobody has asked a price in ${region} yet.`
      }`,
      asks,
    );
  }
  if (!price.isPositive())
    throw new DeriveError('price_zero', 'a price of zero buys nothing; allowed: umu per block, above 0');
  note('price', `at most ${price.toPlain()} umu per block`, sourceOf('--max-price', chosen, 'maxPrice') ?? '');
  return price;
}

/** Limits of the config that concern the stack's services, else twice the median of the region's lists. */
function usageLimitsOf(
  chosen: { flags: Choices; config: Choices },
  at: { region: string; services: readonly string[]; market: MarketFacts; note: Note },
): UsageLimit[] {
  const { market, services } = at;
  const given = chosen.flags.usageLimits ?? chosen.config.usageLimits;
  const lists = market.priceLists.filter(({ regions }) => regions.includes(at.region));
  const limits =
    given?.filter((limit) => services.includes(serviceOfMetric(limit.metric, market))) ??
    medianUsageLimits(lists, market.metrics, services);
  const from =
    given === undefined
      ? 'twice the median of the region’s price lists'
      : (sourceOf('options', chosen, 'usageLimits') ?? '');
  for (const limit of limits) {
    const price = Dec.fromAtomics(limit.maxPrice).toPlain();
    at.note(
      `limit of ${limit.metric}`,
      `${price} umu for ${limit.maxPricePer}, at most ${limit.maxQuantityPerBlock} per block`,
      from,
    );
  }
  return [...limits];
}

function serviceOfMetric(metric: string, market: MarketFacts): string {
  const known = market.metrics.find(({ name }) => name === metric);
  if (known !== undefined) return known.service;
  throw new DeriveError(
    'metric_unknown',
    `unknown metric ${JSON.stringify(metric)} in the usage limits; allowed: ${market.metrics.map(({ name }) => name).join(', ')}`,
  );
}

/** What all functions and workloads take together; never nothing, as a gateway or a database needs a place too. */
function computeOf(services: readonly Service[]) {
  const sum = { cpu: 0, memory: 0n, disk: 0n };
  const add = (compute: { cpu: number; memory: bigint; disk: bigint }, times: number): void => {
    sum.cpu += compute.cpu * times;
    sum.memory += compute.memory * BigInt(times);
    sum.disk += compute.disk * BigInt(times);
  };
  for (const service of services) {
    if (service.type === 'MuFunction') add({ ...functionCompute, memory: service.memory ?? functionCompute.memory }, 1);
    if (service.type !== 'Workload') continue;
    if (service.compute.gpu !== undefined) {
      throw new DeriveError(
        'gpu',
        `${service.name} asks for a gpu: name an \`infrastructure\` with such a resource in the stack file`,
      );
    }
    add({ ...service.compute, disk: diskOf(service) }, service.count ?? 1);
  }
  return sum.cpu === 0 ? { ...functionCompute, gpu: undefined } : { ...sum, gpu: undefined };
}

/** The types of services under the names that providers use, each once, sorted. */
function kindsOf(services: readonly Service[]): string[] {
  return [...new Set(services.map(({ type }): string => serviceKinds[type]))].sort((a, b) => (a < b ? -1 : 1));
}

/** The infrastructures that the stack names, and after them their standbys. */
function fromStackWithStandbys(
  named: readonly StackInfrastructure[],
  stack: Stack,
  context: Context & { note: Note },
): DeploymentInfrastructure[] {
  const own = named.map((one) => ({ one, ordered: fromStack(one, stack, context) }));
  const standbys = own.flatMap(({ one, ordered }) => standbysOf(one, ordered, context.collateral));
  for (const { name, resources } of standbys) {
    const price = Dec.fromAtomics(resources[0]?.price ?? '0').toPlain();
    context.note(name, `at most ${price} umu per block; holds the manifest and runs nothing`, 'standby');
  }
  return [...own.map(({ ordered }) => ordered), ...standbys];
}

/** An infrastructure that the stack names, as it stands there. What is not limited is free of charge (design §5). */
function fromStack(one: StackInfrastructure, stack: Stack, context: Context): DeploymentInfrastructure {
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

/** A provider runs no container beyond what was bought: better to hear it before paying. */
function checkRoom(one: StackInfrastructure, services: readonly Service[]): void {
  const sum = (of: readonly { compute: StackCompute; count: number }[], kind: 'cpu' | 'memory' | 'disk'): bigint =>
    of.reduce((total, { compute, count }) => total + BigInt(compute[kind] ?? 0) * BigInt(count), 0n);
  const needed = services.flatMap((service) =>
    service.type === 'Workload'
      ? [{ compute: { ...service.compute, disk: diskOf(service) }, count: service.count ?? 1 }]
      : [],
  );
  const bought = one.resources.map(({ compute, count }) => ({
    compute: { ...compute, disk: compute.disk ?? functionCompute.disk },
    count: count ?? 1,
  }));
  for (const kind of ['cpu', 'memory', 'disk'] as const) {
    const [wants, has] = [sum(needed, kind), sum(bought, kind)];
    if (wants <= has) continue;
    const unit = kind === 'cpu' ? 'thousandths of a core' : 'bytes';
    throw new DeriveError(
      'too_small',
      `${one.name}: its Workloads take ${wants} ${unit} of ${kind}, its resources have ${has}: raise the resources or lower the Workloads`,
    );
  }
  checkGpus(one, services);
}

/** A gpu counts by the vendor and model that both sides name; an instance has no more than one replica. */
function checkGpus(one: StackInfrastructure, services: readonly Service[]): void {
  const workloads = services.flatMap((service) => (service.type === 'Workload' ? [service] : []));
  for (const { name, compute } of workloads) {
    if (compute.gpu === undefined) continue;
    const kind = gpuKind(compute);
    const bought = one.resources.filter((resource) => gpuKind(resource.compute) === kind);
    const has = gpusIn(bought);
    const wants = gpusIn(workloads.filter((workload) => gpuKind(workload.compute) === kind));
    const largest = Math.max(0, ...bought.map((resource) => resource.compute.gpu?.count ?? 0));
    if (wants <= has && compute.gpu.count <= largest) continue;
    const fault =
      wants > has
        ? `its Workloads take ${wants} gpu (${kind}), its resources have ${has}`
        : `an instance of ${name} takes ${compute.gpu.count} gpu (${kind}), one of its resources has ${largest}`;
    throw new DeriveError(
      'too_small',
      `${one.name}: ${fault}: name the same vendor and model in both, and raise the resources or lower the Workloads`,
    );
  }
}

const gpuKind = ({ gpu }: StackCompute): string | undefined =>
  gpu && `${gpu.vendor ?? 'any vendor'}/${gpu.model ?? 'any model'}`;

const gpusIn = (of: readonly { readonly compute: StackCompute; readonly count?: number | undefined }[]): number =>
  of.reduce((sum, { compute, count }) => sum + (compute.gpu?.count ?? 0) * (count ?? 1), 0);

function toCompute(compute: StackCompute) {
  const { gpu } = compute;
  return {
    cpu: compute.cpu,
    memory: compute.memory,
    disk: compute.disk ?? functionCompute.disk,
    gpu: gpu === undefined ? undefined : { count: gpu.count, vendor: gpu.vendor ?? '', model: gpu.model ?? '' },
  };
}

/** The services that run in an infrastructure: those that name it, and those that name none. */
export function servicesIn(stack: Stack, infrastructure: string): readonly Service[] {
  return stack.services.filter((service) => service.infrastructure?.includes(infrastructure) ?? true);
}

function placementsOf(stack: Stack, chosen: { flags: Choices; config: Choices }): Placement[] {
  const share = chosen.flags.share ?? chosen.config.share ?? 'lease';
  const homes = stack.infrastructure?.map((one) => ({ name: one.name, share: one.share ?? share })) ?? [
    { name: 'main', share },
  ];
  const own = homes.map((home) => ({
    infrastructure: home.name,
    share: home.share,
    services: servicesIn(stack, home.name).map(({ name }) => name),
  }));
  return [...own, ...(stack.infrastructure ?? []).flatMap(standbyPlacements)];
}

function priceOf(one: DeploymentInfrastructure): Dec {
  return one.resources.reduce(
    (sum, group) => sum.add(Dec.fromAtomics(group.price).mulInt(BigInt(group.count))),
    Dec.fromInt(0n),
  );
}

/** min_runway_blocks × Σ price × count + Σ max_price × max_quantity_per_block × usage_window_blocks (design §5), rounded up. */
export function reserveOf(
  infrastructure: readonly DeploymentInfrastructure[],
  params: { readonly minRunwayBlocks: bigint; readonly usageWindowBlocks: bigint },
): bigint {
  let sum = Dec.fromInt(0n);
  for (const one of infrastructure) {
    sum = sum.add(priceOf(one).mulInt(params.minRunwayBlocks));
    for (const limit of one.usageLimits) sum = sum.add(limitPerBlock(limit).mulInt(params.usageWindowBlocks));
  }
  return sum.ceilInt();
}

function depositOf(
  chosen: { flags: Choices; config: Choices },
  of: { pricePerBlock: Dec; reserve: bigint; minDeposit: bigint; note: Note },
): bigint {
  const least = greaterOf(of.reserve, of.minDeposit);
  const derived = of.reserve + of.pricePerBlock.mulInt(depositBlocks).ceilInt();
  const deposit = chosen.flags.deposit ?? chosen.config.deposit ?? greaterOf(derived, least);
  if (deposit < least) {
    throw new DeriveError(
      'deposit_too_small',
      `a deposit of ${deposit} umu is too small; allowed: at least ${least} umu, the reserve of this deployment`,
    );
  }
  of.note(
    'deposit',
    `${deposit} umu`,
    sourceOf('--deposit', chosen, 'deposit') ?? `the reserve of ${of.reserve} umu and ${depositBlocks} blocks`,
  );
  return deposit;
}

function sourceOf(flag: string, chosen: { flags: Choices; config: Choices }, key: keyof Choices): string | undefined {
  if (chosen.flags[key] !== undefined) return flag;
  return chosen.config[key] === undefined ? undefined : 'config';
}
