/**
 * Standbys: further leases of a deployment that hold its manifest and run nothing, so that a replacement finds it though
 * the user is away. Each is an infrastructure of its own, derived from the one that it stands by.
 */
import { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure } from '@mu/proto/deployment';
import type { DerivedDeployment, Placement } from './derive-types.ts';
import { maxStandbys } from './infrastructure-schema.ts';
import type { StackInfrastructure } from './schema.ts';

const mib = 1024n * 1024n;

/** The longest name of an infrastructure with standbys: theirs have at most 64 characters too. */
export const maxNameWithStandbys = 64 - `-standby-${maxStandbys}`.length;
/**
 * What a standby takes beside the manifest's files: CPU in thousandths of a core, memory and disk in bytes. `deriveDeployment`
 * orders this much disk, as it does not know the files yet; `withRoomForFiles` adds theirs.
 */
export const standbyCompute = { cpu: 10, memory: 16n * mib, disk: 16n * mib } as const;
/** A standby costs at most so large a part of what it stands by, where the stack does not say. */
const priceShare = 10n;

const standbyPattern = /-standby-\d+$/;

/** Whether an infrastructure of this name holds the manifest and runs nothing. */
export function isStandby(infrastructure: string): boolean {
  return standbyPattern.test(infrastructure);
}

const namesOf = ({ name, standby = 0 }: Pick<StackInfrastructure, 'name' | 'standby'>): string[] =>
  Array.from({ length: standby }, (_, at) => `${name}-standby-${at + 1}`);

/**
 * The standbys of an infrastructure. They ask for the same services, so that whoever bids could take over, and nothing is
 * used in them that could be billed.
 * @param ordered what is ordered for the infrastructure itself
 * @param collateralOf what a price asks of a provider, in umu
 */
export function standbysOf(
  one: StackInfrastructure,
  ordered: DeploymentInfrastructure,
  collateralOf: (price: Dec) => bigint,
): DeploymentInfrastructure[] {
  const price = one.standby_price ?? totalOf(ordered).quoInt(priceShare);
  return namesOf(one).map((name) => ({
    ...ordered,
    name,
    resources: [
      {
        compute: { ...standbyCompute, gpu: undefined },
        price: price.atomicsString(),
        collateral: collateralOf(price).toString(),
        count: 1,
      },
    ],
    usageLimits: [],
    expectedUsage: [],
  }));
}

/** Nothing runs in them, so there is nothing secret to them. */
export function standbyPlacements(one: Pick<StackInfrastructure, 'name' | 'standby'>): Placement[] {
  return namesOf(one).map((infrastructure) => ({ infrastructure, share: 'all', services: [] }));
}

/** The order with room in each standby for the manifest's files, in whole MiB. @param bytes of all files */
export function withRoomForFiles(derived: DerivedDeployment, bytes: number): DerivedDeployment {
  const disk = ((BigInt(bytes) + mib - 1n) / mib) * mib + standbyCompute.disk;
  const infrastructure = derived.infrastructure.map((one) =>
    isStandby(one.name)
      ? {
          ...one,
          resources: one.resources.map((group) =>
            group.compute === undefined ? group : { ...group, compute: { ...group.compute, disk } },
          ),
        }
      : one,
  );
  return { ...derived, infrastructure };
}

function totalOf({ resources }: DeploymentInfrastructure): Dec {
  return resources.reduce(
    (sum, { price, count }) => sum.add(Dec.fromAtomics(price).mulInt(BigInt(count))),
    Dec.fromInt(0n),
  );
}
