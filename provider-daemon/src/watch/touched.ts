/** Which orders, leases and deployments a block touched, read off its events: the only ones that have to be asked for again. */
import type { DeploymentId } from '@mu/proto/deployment';
import { OrderId } from '@mu/proto/market';
import { orderKey } from './order-key.ts';

/** An event as the RPC shows it. */
export interface ChainEvent {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
}

export interface Touched {
  readonly orders: ReadonlyMap<string, OrderId>;
  readonly leases: ReadonlySet<bigint>;
  /** those that were updated */
  readonly deployments: readonly DeploymentId[];
  /** those of which a lease was made, has ended or was changed, whosever it is; confirmations change none */
  readonly participants: readonly DeploymentId[];
  /** those whose entry, roots or nodes were changed, by their owners */
  readonly providers: ReadonlySet<string>;
}

/** Every lease has one again and again. */
const confirmation = 'lease_confirmed';

/**
 * Every event of the market names its order by owner, dseq, infrastructure and round, and its lease by number; which
 * events there are does not matter here, so that a new one is seen without a change.
 */
export function touchedBy(events: readonly ChainEvent[]): Touched {
  const orders = new Map<string, OrderId>();
  const leases = new Set<bigint>();
  const deployments: DeploymentId[] = [];
  const participants = new Map<string, DeploymentId>();
  const providers = new Set<string>();
  for (const event of events) {
    const values = new Map(event.attributes.map(({ key, value }) => [key, value]));
    const order = readOrderId(values);
    if (order !== undefined) orders.set(orderKey(order), order);
    const lease = values.get('lease');
    const isOfLease = lease !== undefined && isNumber(lease) && lease !== '0';
    if (isOfLease) leases.add(BigInt(lease));
    const [owner, dseq, provider] = ['owner', 'dseq', 'provider'].map((key) => values.get(key));
    if (isOfLease && event.type !== confirmation && owner !== undefined && isNumber(dseq))
      participants.set(`${owner}/${dseq}`, { owner, dseq: BigInt(dseq) });
    // Events of the market and of money name a deployment beside it.
    if (provider !== undefined && dseq === undefined) providers.add(provider);
    if (event.type === 'deployment_updated' && owner !== undefined && isNumber(dseq))
      deployments.push({ owner, dseq: BigInt(dseq) });
  }
  return { orders, leases, deployments, participants: [...participants.values()], providers };
}

function readOrderId(values: ReadonlyMap<string, string>): OrderId | undefined {
  const [owner, dseq, infrastructure, round] = ['owner', 'dseq', 'infrastructure', 'round'].map((key) =>
    values.get(key),
  );
  if (owner === undefined || !isNumber(dseq) || !isNumber(infrastructure) || !isNumber(round)) return undefined;
  return OrderId.fromPartial({
    owner,
    dseq: BigInt(dseq),
    infrastructure: Number(infrastructure),
    round: Number(round),
  });
}

function isNumber(text: string | undefined): text is string {
  return text !== undefined && /^\d{1,20}$/.test(text);
}
