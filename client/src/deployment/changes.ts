/** What an update of a deployment will do, said before it is signed. The rules are those of x/market's "Replacement". */
import { type Deployment, DeploymentInfrastructure } from '@mu/proto/deployment';

/** What becomes of an infrastructure. */
export type ChangeKind =
  /** nothing of it changes */
  | 'stays'
  /** its lease goes on; what changes counts from the next order on */
  | 'kept'
  /** it is ordered anew; its lease serves until the new one runs */
  | 'ordered'
  | 'new'
  /** its order is closed, its lease ends */
  | 'removed';

export interface InfrastructureChange {
  readonly name: string;
  readonly kind: ChangeKind;
  /** fields that change, as the .proto names them */
  readonly fields: readonly string[];
}

/** Fields whose change leaves a live lease alone. */
const harmless = ['persist', 'expected_usage', 'excluded_providers'];

/**
 * What stands against what is to stand, the stated ones first.
 * @param holders providers of live leases by the name of their infrastructure
 * @param waiting names of infrastructures whose order is open
 */
export function changesOf(
  before: Deployment,
  stated: readonly DeploymentInfrastructure[],
  holders: ReadonlyMap<string, string>,
  waiting: ReadonlySet<string>,
): InfrastructureChange[] {
  const standing = standingOf(before);
  const changes = stated.map((next): InfrastructureChange => {
    const old = standing.find(({ name }) => name === next.name);
    if (old === undefined) return { name: next.name, kind: 'new', fields: [] };
    return changeOf(old, next, { holder: holders.get(next.name), isWaiting: waiting.has(next.name) });
  });
  const removed = standing
    .filter(({ name }) => !stated.some((next) => next.name === name))
    .map(({ name }): InfrastructureChange => ({ name, kind: 'removed', fields: [] }));
  return [...changes, ...removed];
}

/** Infrastructures that were not removed. */
export function standingOf({ infrastructure, removed }: Deployment): DeploymentInfrastructure[] {
  return infrastructure.filter((_one, index) => !removed.includes(index));
}

function changeOf(
  old: DeploymentInfrastructure,
  next: DeploymentInfrastructure,
  { holder, isWaiting }: { readonly holder: string | undefined; readonly isWaiting: boolean },
): InfrastructureChange {
  const fields = fieldsThatDiffer(old, next);
  const { name } = next;
  if (fields.length === 0) return { name, kind: holder === undefined && !isWaiting ? 'ordered' : 'stays', fields };
  const isHarmless = fields.every((field) => harmless.includes(field));
  const keeps = isHarmless && !isWaiting && holder !== undefined && !next.excludedProviders.includes(holder);
  return { name, kind: keeps ? 'kept' : 'ordered', fields };
}

function fieldsThatDiffer(a: DeploymentInfrastructure, b: DeploymentInfrastructure): string[] {
  const [left, right] = [a, b].map((one) => DeploymentInfrastructure.fromPartial(one)) as [typeof a, typeof b];
  return (Object.keys(left) as (keyof typeof a)[])
    .filter((field) => textOf(left[field]) !== textOf(right[field]))
    .map((field) => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));
}
