/** Searches that several rules need. */
import { LeaseState, OrderState } from '@mu/proto/market';
import type { ModelDeployment, ModelEscrow, ModelLease, ModelOrder } from './records.ts';
import type { World } from './world.ts';

export const deploymentStates = { active: 1, closing: 2, closed: 3 } as const;
export const escrowStates = { open: 1, closing: 2, closed: 3 } as const;

/** Whose deployment something is of. */
export interface Of {
  readonly owner: string;
  readonly dseq: bigint;
}

export const isOf =
  ({ owner, dseq }: Of) =>
  (one: Of): boolean =>
    one.dseq === dseq && one.owner === owner;

export const idOf = ({ id: { owner, dseq } }: ModelOrder): Of => ({ owner, dseq });

export const escrowOf = (world: World, id: Of): ModelEscrow | undefined => world.lists.escrow.find(isOf(id));

export const deploymentOf = (world: World, id: Of): ModelDeployment | undefined =>
  world.lists.deployment.find(isOf(id));

export const isLive = ({ state }: ModelLease): boolean =>
  state === LeaseState.LEASE_STATE_ACTIVE || state === LeaseState.LEASE_STATE_OUT_OF_FUNDS;

export const leaseOf = (world: World, number: bigint): ModelLease | undefined =>
  world.lists.lease.find((one) => one.number === number);

/** Live leases of a deployment by number. */
export const leasesOf = (world: World, id: Of): ModelLease[] =>
  world.lists.lease.filter((one) => isLive(one) && isOf(id)(one.order.id));

/** Open orders of a deployment. */
export const openOrdersOf = (world: World, id: Of): ModelOrder[] =>
  world.lists.order.filter((one) => one.state === OrderState.ORDER_STATE_OPEN && isOf(id)(one.id));

/** An infrastructure of a deployment. */
export interface Place extends Of {
  readonly infrastructure: number;
}

/** All orders of an infrastructure, the first round first. */
export const roundsOf = (world: World, place: Place): ModelOrder[] =>
  world.lists.order.filter(({ id }) => isOf(place)(id) && id.infrastructure === place.infrastructure);
