/** What a deployment may ask for: pure checks of its fields, in their order. */
import type { ErrorKind } from '@mu/framework/errors';
import { addressBytes } from '@mu/framework/message-registry';
import { parseAmount } from '@mu/lib/amounts';
import { toHex } from '@mu/lib/bytes';
import { Dec } from '@mu/lib/dec';
import type {
  AccessKey,
  Compute,
  DeploymentInfrastructure,
  ExpectedUsage,
  Params,
  ResourceGroup,
  UsageLimit,
} from '@mu/proto/deployment';
import type { Params as RegistryParams } from '@mu/proto/provider';
import {
  errAccessKeys,
  errAttributes,
  errCollateral,
  errExpectedUsage,
  errInfrastructure,
  errName,
  errPrice,
  errProviders,
  errRegion,
  errResources,
  errServices,
  errUsageLimits,
  errVersion,
  errWaitBlocks,
} from './errors.ts';

/** What a check needs to know of the chain. */
export interface Known {
  readonly params: Params;
  readonly registry: RegistryParams;
  readonly prefix: string;
}

const infrastructureName = /^[a-z0-9][a-z0-9_-]*$/;
const printable = /^[\x20-\x7e]+$/;
const attributeKey = /^[a-z0-9./-]{1,64}$/;
const attributeValue = /^[\x20-\x7e]{1,128}$/;
const word = /^[a-z0-9._-]{0,64}$/;
const scopes: readonly string[] = ['exec', 'logs', 'manifest', 'read'];
/** Far above any machine; keeps every sum small. */
const maxCpu = 1_000_000_000;
const maxBytes = 2n ** 60n;

export function checkName(name: string, { params }: Known): void {
  if (name.length > params.maxNameBytes || !printable.test(name)) {
    throw errName.wrap(`a name has 1 to ${params.maxNameBytes} printable ASCII characters`);
  }
}

export function checkVersion(version: Uint8Array): void {
  if (version.length !== 32) throw errVersion.wrap(`${version.length} bytes`);
}

export function checkWait(blocks: bigint, { params }: Known): void {
  if (blocks < 0n || blocks > params.maxWaitBlocks)
    throw errWaitBlocks.wrap(`${blocks}, at most ${params.maxWaitBlocks}`);
}

export function checkAccessKeys(keys: readonly AccessKey[], { params }: Known): void {
  if (keys.length > params.maxAccessKeys) throw errAccessKeys.wrap(`${keys.length}, at most ${params.maxAccessKeys}`);
  unique(
    errAccessKeys,
    'a key',
    keys.map(({ publicKey }) => toHex(publicKey)),
  );
  for (const { publicKey, scopes: asked, expiresHeight } of keys) {
    const point = publicKey.length === 33 && (publicKey[0] === 2 || publicKey[0] === 3);
    if (!point) throw errAccessKeys.wrap('a key is a compressed P-256 point of 33 bytes');
    if (asked.length === 0 || new Set(asked).size !== asked.length || !asked.every((scope) => scopes.includes(scope))) {
      throw errAccessKeys.wrap(`scopes are ${scopes.join(', ')}, each once`);
    }
    if (expiresHeight < 0n) throw errAccessKeys.wrap('expires_height is not below 0');
  }
}

export function checkInfrastructures(all: readonly DeploymentInfrastructure[], known: Known): void {
  const { maxInfrastructures } = known.params;
  if (all.length === 0) throw errInfrastructure.wrap('name at least one');
  if (all.length > maxInfrastructures) throw errInfrastructure.wrap(`${all.length}, at most ${maxInfrastructures}`);
  unique(
    errInfrastructure,
    'infrastructure',
    all.map(({ name }) => name),
  );
  for (const one of all) checkInfrastructure(one, known);
}

function checkInfrastructure(one: DeploymentInfrastructure, known: Known): void {
  const { params, registry } = known;
  if (one.name.length > params.maxNameBytes || !infrastructureName.test(one.name)) {
    throw errName.wrap(`an infrastructure’s name has 1 to ${params.maxNameBytes} of a-z, 0-9, - and _`);
  }
  if (!registry.regions.includes(one.region))
    throw errRegion.wrap(`"${one.region.slice(0, 64)}"; known are ${registry.regions.join(', ')}`);
  checkProviders(one, known);
  checkServices(one.services, registry);
  checkAttributes(one, known);
  checkResources(one.resources, params);
  checkUsageLimits(one.usageLimits, known);
  checkExpectedUsage(one.expectedUsage, one.usageLimits);
}

function checkProviders({ provider, excludedProviders }: DeploymentInfrastructure, { params, prefix }: Known): void {
  if (provider !== '') addressBytes(provider, prefix);
  if (excludedProviders.length > params.maxExcludedProviders) {
    throw errProviders.wrap(`${excludedProviders.length} are excluded, at most ${params.maxExcludedProviders}`);
  }
  unique(errProviders, 'an excluded provider', excludedProviders.map(lower));
  for (const excluded of excludedProviders) addressBytes(excluded, prefix);
  if (provider !== '' && excludedProviders.map(lower).includes(lower(provider)))
    throw errProviders.wrap('the only provider is excluded');
}

function checkServices(services: readonly string[], registry: RegistryParams): void {
  unique(errServices, 'a service', services);
  // Services that nobody may offer yet are no mistake: the order waits and nobody bids.
  const malformed = services.find((service) => service === '' || !word.test(service));
  if (malformed !== undefined || services.length > 64)
    throw errServices.wrap(`services are names like ${registry.services.join(', ')}`);
}

function checkAttributes({ attributes, auditedBy }: DeploymentInfrastructure, { params, prefix }: Known): void {
  if (attributes.length > params.maxAttributes || auditedBy.length > params.maxAttributes) {
    throw errAttributes.wrap(`at most ${params.maxAttributes}`);
  }
  unique(
    errAttributes,
    'an attribute',
    attributes.map(({ key }) => key),
  );
  unique(errAttributes, 'an auditor', auditedBy.map(lower));
  for (const { key, value } of attributes) {
    if (!attributeKey.test(key) || !attributeValue.test(value)) throw errAttributes.wrap(`"${key.slice(0, 64)}"`);
  }
  for (const auditor of auditedBy) addressBytes(auditor, prefix);
}

function checkResources(groups: readonly ResourceGroup[], params: Params): void {
  if (groups.length === 0) throw errResources.wrap('name at least one group');
  if (groups.length > params.maxResources)
    throw errResources.wrap(`${groups.length} groups, at most ${params.maxResources}`);
  for (const { compute, price, collateral, count } of groups) {
    if (count < 1 || count > params.maxCount) throw errResources.wrap(`count ${count}, from 1 to ${params.maxCount}`);
    checkCompute(compute);
    if (!decimal(errPrice, price).isPositive()) throw errPrice.wrap('a price is above 0');
    try {
      parseAmount(collateral);
    } catch {
      throw errCollateral.wrap('a collateral is an amount of at most 256 bits');
    }
  }
}

function checkCompute(compute: Compute | undefined): void {
  if (compute === undefined) throw errResources.wrap('compute is missing');
  const { cpu, memory, disk, gpu } = compute;
  if (cpu < 1 || cpu > maxCpu) throw errResources.wrap(`cpu ${cpu}, from 1 to ${maxCpu} thousandths`);
  if (memory < 1n || memory > maxBytes) throw errResources.wrap('memory is from 1 to 2^60 bytes');
  if (disk > maxBytes) throw errResources.wrap('disk is at most 2^60 bytes');
  if (gpu === undefined) return;
  if (gpu.count < 1 || gpu.count > 1_000) throw errResources.wrap('a gpu count is from 1 to 1000');
  if (!word.test(gpu.vendor) || !word.test(gpu.model))
    throw errResources.wrap('gpu vendor and model are lower-case words');
}

function checkUsageLimits(limits: readonly UsageLimit[], { params, registry }: Known): void {
  if (limits.length > params.maxUsageLimits)
    throw errUsageLimits.wrap(`${limits.length}, at most ${params.maxUsageLimits}`);
  unique(
    errUsageLimits,
    'a metric',
    limits.map(({ metric }) => metric),
  );
  for (const { metric, maxPrice, maxPricePer, maxQuantityPerBlock } of limits) {
    if (!registry.metrics.some(({ name }) => name === metric))
      throw errUsageLimits.wrap(`unknown metric "${metric.slice(0, 64)}"`);
    if (decimal(errPrice, maxPrice).isNegative()) throw errPrice.wrap(`${metric}: max_price is not below 0`);
    if (maxPricePer < 1n) throw errUsageLimits.wrap(`${metric}: max_price_per is at least 1`);
    if (maxQuantityPerBlock < 1n) throw errUsageLimits.wrap(`${metric}: max_quantity_per_block is at least 1`);
  }
}

/** What is not limited costs nothing, so only limited metrics can be expected. */
function checkExpectedUsage(expected: readonly ExpectedUsage[], limits: readonly UsageLimit[]): void {
  unique(
    errExpectedUsage,
    'a metric',
    expected.map(({ metric }) => metric),
  );
  for (const { metric, quantityPerBlock } of expected) {
    const limit = limits.find((one) => one.metric === metric);
    if (limit === undefined) throw errExpectedUsage.wrap(`"${metric.slice(0, 64)}" has no usage limit`);
    if (quantityPerBlock > limit.maxQuantityPerBlock)
      throw errExpectedUsage.wrap(`${metric}: more is expected than allowed`);
  }
}

/** bech32 may be written in upper case too: the same account all the same. */
const lower = (address: string): string => address.toLowerCase();

function unique(kind: ErrorKind, what: string, names: readonly string[]): void {
  if (new Set(names).size !== names.length) throw kind.wrap(`${what} stands twice`);
}

function decimal(kind: ErrorKind, atomics: string): Dec {
  try {
    return Dec.fromAtomics(atomics);
  } catch (error) {
    throw kind.wrap(error instanceof Error ? error.message : 'not a decimal');
  }
}
