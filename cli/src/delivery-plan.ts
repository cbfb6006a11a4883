/** Who gets what of a manifest from the user, and what comes from the other holders: pure, from how the deployment stands. */
import { type DeploymentView, isLive } from '@mu/client/deployment/follow';
import type { ManifestHead } from '@mu/client/manifest/head';
import { type Lease, OrderState } from '@mu/proto/market';

/** For so many blocks a holder is left to its peers; if it lacks the manifest then, the user delivers all of it. */
export const peerBlocks = 20n;

/** What a provider gets: keys go with the head, those that it may have. */
export type Portion = 'all' | 'keys';

/** A provider that holds leases of the deployment. */
export interface Holder {
  readonly provider: string;
  readonly leases: readonly Lease[];
  /** Names of the infrastructures of these leases. */
  readonly infrastructures: readonly string[];
}

/** What this user has handed over. */
export interface Handed {
  readonly portion: Portion;
  readonly height: bigint;
}

/** What the plan rests on beside the view. */
export interface DeliveryState {
  readonly head: ManifestHead;
  /** By the number of the lease. */
  readonly handed: ReadonlyMap<bigint, Handed>;
  /** The height at which a lease was first seen to lack the manifest while somebody else had it. */
  readonly lackingSince: ReadonlyMap<bigint, bigint>;
  /** Everything goes to everybody who lacks it, as `send-manifest` does. */
  readonly everybody: boolean;
}

/** The providers that hold leases of a deployment, in the order of their first one. */
export function holdersOf(view: DeploymentView): Holder[] {
  const live = view.leases.filter(isLive).sort((a, b) => (a.number < b.number ? -1 : 1));
  return [...new Set(live.map(({ provider }) => provider))].map((provider) => {
    const leases = live.filter((lease) => lease.provider === provider);
    return { provider, leases, infrastructures: [...new Set(leases.map((lease) => infrastructureOf(view, lease)))] };
  });
}

/** The name of a lease's infrastructure; empty where its order is not in the view. */
export function infrastructureOf(view: DeploymentView, { order }: Pick<Lease, 'order'>): string {
  const found = view.orders.find(
    ({ id }) => id?.infrastructure === order?.infrastructure && id?.round === order?.round,
  );
  const any = found ?? view.orders.find(({ id }) => id?.infrastructure === order?.infrastructure);
  return any?.spec?.name ?? '';
}

/**
 * What a holder gets now; undefined where it has everything, or gets it from the others.
 *
 * The first one that answers gets head, keys and all files, so that it can hand them on. From then on a holder of an
 * infrastructure whose key is for its holders alone gets head and keys, and any other nothing: the other holders have all
 * that it may have. Whoever lacks the manifest `peerBlocks` after that gets all of it from the user. Where there is one
 * infrastructure there is nobody to get it from but the holder that is replaced: the user delivers, as it always did.
 */
export function portionFor(holder: Holder, view: DeploymentView, state: DeliveryState): Portion | undefined {
  const { head, handed, lackingSince, everybody } = state;
  const lacking = holder.leases.filter(({ number, manifestRevision }) => {
    const isWhole = handed.get(number)?.portion === 'all';
    return manifestRevision < BigInt(head.revision) && !isWhole;
  });
  if (lacking.length === 0) return undefined;
  if (everybody || head.workloads.length === 1 || !somebodyHasIt(view, state)) return 'all';
  const waited = lacking.some(({ number }) => view.height - (lackingSince.get(number) ?? view.height) >= peerBlocks);
  if (waited) return 'all';
  const hasKeys = lacking.every(({ number }) => handed.has(number));
  const ownKeys = holder.infrastructures.some((name) => shareOf(head, name) === 'lease');
  return ownKeys && !hasKeys ? 'keys' : undefined;
}

/** Whether a live lease's provider has the whole manifest, as the chain says or since it was handed to it. */
export function somebodyHasIt(view: DeploymentView, { head, handed }: Pick<DeliveryState, 'head' | 'handed'>): boolean {
  return view.leases.some(
    (lease) => isLive(lease) && (hasRevision(lease, head) || handed.get(lease.number)?.portion === 'all'),
  );
}

const hasRevision = ({ manifestRevision }: Lease, { revision }: ManifestHead): boolean =>
  manifestRevision >= BigInt(revision);

function shareOf({ sections }: ManifestHead, infrastructure: string): 'lease' | 'all' {
  return sections.find((section) => section.infrastructure === infrastructure)?.share ?? 'lease';
}

/**
 * The infrastructures that still need the user: those whose key is for their holders alone and has not reached a holder of
 * every live lease, or that have an order open. All of them where nobody has the manifest. None: the user may leave.
 */
export function stillNeeding(view: DeploymentView, state: Pick<DeliveryState, 'head' | 'handed'>): readonly string[] {
  const { head, handed } = state;
  const names = head.workloads.map(({ infrastructure }) => infrastructure);
  if (!somebodyHasIt(view, state)) return names;
  return names.filter((name) => {
    if (names.length > 1 && shareOf(head, name) === 'all') return false;
    const leases = view.leases.filter((lease) => isLive(lease) && infrastructureOf(view, lease) === name);
    const isOrdered = view.orders.some(
      ({ state: at, spec }) => at === OrderState.ORDER_STATE_OPEN && spec?.name === name,
    );
    return isOrdered || leases.length === 0 || leases.some((one) => !hasRevision(one, head) && !handed.has(one.number));
  });
}
