/** Whether a deployment stands as it was asked: pure, from its view. Nobody waits for a standby: nothing runs in it. */
import { standingOf } from '@mu/client/deployment/changes';
import { answering, type DeploymentView, isLive } from '@mu/client/deployment/follow';
import { isStandby } from '@mu/client/stack/standby';
import type { Deployment } from '@mu/proto/deployment';
import { type Order, OrderState } from '@mu/proto/market';

const isOpen = ({ state }: Order): boolean => state === OrderState.ORDER_STATE_OPEN;
const nameOf = ({ spec }: Order): string => spec?.name ?? '';

/** Whether every infrastructure that was ordered answers. */
export function allAnswer(view: DeploymentView): boolean {
  const serving = view.orders.filter((order) => !isStandby(nameOf(order)));
  const ordered = new Set(serving.map(({ id }) => id?.infrastructure));
  const answers = new Set(answering(view).map(({ order }) => order?.infrastructure));
  return ordered.size > 0 && [...ordered].every((one) => answers.has(one));
}

/** Whether every infrastructure that stands has one live lease, which runs the manifest of the deployment. */
export function isSettled(view: DeploymentView, deployment: Deployment): boolean {
  const at = (infrastructure: number | undefined): string =>
    deployment.infrastructure[infrastructure ?? -1]?.name ?? '';
  const names = new Set(
    standingOf(deployment)
      .map(({ name }) => name)
      .filter((name) => !isStandby(name)),
  );
  const running = answering(view).filter(({ manifestRevision }) => manifestRevision >= deployment.revision);
  const served = new Set(running.map(({ order }) => at(order?.infrastructure)));
  const isWaiting = view.orders.some((order) => isOpen(order) && !isStandby(at(order.id?.infrastructure)));
  const live = view.leases.filter((lease) => isLive(lease) && !isStandby(at(lease.order?.infrastructure))).length;
  return !isWaiting && live === names.size && [...names].every((name) => served.has(name));
}

/** Names of infrastructures that are ordered and never had a lease; standbys aside. */
export function neverServed(view: DeploymentView): string[] {
  return unheld(view).filter((name) => !isStandby(name));
}

/** Names of standbys that nobody has taken yet. */
export function unheldStandbys(view: DeploymentView): string[] {
  return unheld(view).filter(isStandby);
}

function unheld({ orders, leases }: DeploymentView): string[] {
  const held = new Set(leases.map(({ order }) => order?.infrastructure));
  return orders.filter((order) => isOpen(order) && !held.has(order.id?.infrastructure)).map(nameOf);
}
