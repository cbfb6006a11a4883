/** `--detach`: the user hands the manifest over and leaves; its holders give it to one another. */
import type { DeploymentView } from '@mu/client/deployment/follow';
import type { Delivery } from './delivery.ts';
import { CliError } from './errors.ts';
import type { DeploymentFollower } from './follower.ts';

export interface Handover {
  /** When everything was handed over, or the time was over. */
  readonly view: DeploymentView;
  /** The providers that were given something. */
  readonly deliveredTo: readonly string[];
  /** Infrastructures that would still need the user. */
  readonly missing: readonly string[];
}

/**
 * Follows until the user is not needed any more: somebody has the whole manifest, and the keys that are not shared with all
 * have reached their holders.
 * @returns undefined when no lease was made within the time
 */
export async function handOver(
  follower: DeploymentFollower,
  delivery: Delivery,
  limit: { readonly timeoutBlocks: bigint; readonly since: bigint },
): Promise<Handover | undefined> {
  let missing: readonly string[] = [];
  const view = await follower.until(async (now) => {
    await delivery.deliver(now);
    missing = delivery.needing(now);
    const isLate = now.leases.length > 0 && now.height - limit.since >= limit.timeoutBlocks;
    return missing.length === 0 || isLate;
  }, limit);
  return view === undefined ? undefined : { view, deliveredTo: delivery.deliveredTo(view), missing };
}

/** How it goes on without the user. */
export function handoverText(
  { deliveredTo, missing }: Pick<Handover, 'deliveredTo' | 'missing'>,
  dseq: bigint,
): string {
  const nobody = missing.length === 0 ? 'its manifest needs nobody to bring it' : 'nobody has taken the manifest yet';
  const whom = deliveredTo.length === 0 ? nobody : `handed over to ${deliveredTo.join(', ')}`;
  return `deployment ${dseq}: ${whom}; follow it with \`mucli deployment status ${dseq}\``;
}

/** @throws CliError where the user is still needed when the time is over */
export function requireWhole({ missing }: Pick<Handover, 'missing'>, dseq: bigint, blocks: bigint): void {
  if (missing.length === 0) return;
  throw new CliError(
    `after ${blocks} blocks ${missing.join(', ')} cannot start without you: nobody holds a lease that could be given the keys; \`mucli market\` shows the orders, \`mucli deployment send-manifest ${dseq}\` delivers to whoever wins them`,
  );
}
