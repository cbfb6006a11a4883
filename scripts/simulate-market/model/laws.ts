/** What the READMEs promise of the whole, whatever a single rule does: held against the model after every block. */
import { OrderState } from '@mu/proto/market';
import { Fraction } from '../fraction.ts';
import { deploymentStates, escrowOf, escrowStates, isLive, isOf } from './lookups.ts';
import type { ModelDeployment, ModelLease, ModelOrder } from './records.ts';
import { accounts, type World } from './world.ts';

type Law = (world: World) => string | undefined;

const isOpen = ({ state }: ModelOrder): boolean => state === OrderState.ORDER_STATE_OPEN;
const nameOf = ({ id: { owner, dseq, infrastructure } }: ModelOrder): string => `${owner}/${dseq}/${infrastructure}`;

/** One list for each infrastructure. */
function byInfrastructure<T>(list: readonly T[], orderOf: (one: T) => ModelOrder): ReadonlyMap<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const one of list) groups.set(nameOf(orderOf(one)), [...(groups.get(nameOf(orderOf(one))) ?? []), one]);
  return groups;
}

/** At most one open order, or two live leases, the later of which replaces the earlier; an open order replaces the one. */
function oneReplacement(world: World): string | undefined {
  const open = byInfrastructure(world.lists.order.filter(isOpen), (order) => order);
  const live = byInfrastructure(world.lists.lease.filter(isLive), ({ order }) => order);
  for (const name of new Set([...open.keys(), ...live.keys()])) {
    const wrong = wrongAt(open.get(name) ?? [], live.get(name) ?? []);
    if (wrong !== undefined) return `${name}: ${wrong}`;
  }
  return undefined;
}

function wrongAt(orders: readonly ModelOrder[], [first, second, third]: readonly ModelLease[]): string | undefined {
  const [order] = orders;
  if (orders.length > 1) return `${orders.length} open orders`;
  if (third !== undefined) return 'three live leases';
  if (second !== undefined && second.replaces !== first?.number)
    return `lease ${second.number} replaces ${second.replaces}`;
  if (order !== undefined && second !== undefined) return 'an open order and two live leases';
  if (order !== undefined && first !== undefined && order.replaces !== first.number) {
    return `an open order beside lease ${first.number} replaces ${order.replaces}`;
  }
  return undefined;
}

/** A deployment goes on exactly while it has an open order or a live lease; what was removed has none. */
function deploymentsGoOn(world: World): string | undefined {
  for (const deployment of world.lists.deployment) {
    if (deployment.state === deploymentStates.closed) continue;
    const wrong = wrongOf(world, deployment);
    if (wrong !== undefined) return `${deployment.owner}/${deployment.dseq} ${wrong}`;
  }
  return undefined;
}

function wrongOf(world: World, deployment: ModelDeployment): string | undefined {
  const orders = world.lists.order.filter((order) => isOpen(order) && isOf(deployment)(order.id));
  const leases = world.lists.lease.filter((lease) => isLive(lease) && isOf(deployment)(lease.order.id));
  const standing = [...orders, ...leases.map(({ order }) => order)];
  if ((deployment.state === deploymentStates.active) !== standing.length > 0) return `has ${standing.length} left`;
  if (standing.some(({ id }) => deployment.removed.includes(id.infrastructure)))
    return 'has something of what was removed';
  const escrow = escrowOf(world, deployment);
  const isRight = (escrow?.state === escrowStates.open) === (deployment.state === deploymentStates.active);
  return isRight ? undefined : `has an escrow in state ${escrow?.state}`;
}

/** No coin is lost or made but by interest and burning: accounts add up to the supply, modules hold what they owe. */
function coinsAddUp(world: World): string | undefined {
  const sum = (list: readonly bigint[]): bigint => list.reduce((all, one) => all + one, 0n);
  const { account, escrow, bid, lease, provider } = world.lists;
  const held = sum(account.map(({ balance }) => balance));
  if (held !== world.single('supply')) return `accounts hold ${held} of ${world.single('supply')}`;
  const owed = {
    billing: sum(escrow.map(({ balance }) => balance)),
    market: sum([...bid.filter(({ state }) => state === 1), ...lease.filter(isLive)].map((one) => one.collateral)),
    provider: sum(provider.map(({ deposit }) => deposit)),
  };
  const wrong = (['billing', 'market', 'provider'] as const).find(
    (name) => world.balance(accounts[name]) !== owed[name],
  );
  return wrong === undefined ? undefined : `${wrong} holds ${world.balance(accounts[wrong])}, it owes ${owed[wrong]}`;
}

/** Nobody mints at a profit: interest is below the commission that the lease has paid, and below its collateral's. */
function interestIsEarned(world: World): string | undefined {
  const wrong = world.lists.lease.find(({ interest, commission }) => interest > commission);
  if (wrong !== undefined)
    return `lease ${wrong.number} bore ${wrong.interest}, its commission was ${wrong.commission}`;
  const all = world.lists.lease.reduce((sum, { interest }) => sum + interest, 0n);
  const { total } = world.single('interest');
  return all === total ? undefined : `leases bore ${all}, the ledger says ${total}`;
}

/** Of what a lease owes less than one umu is ever carried, and what is over carries nothing into another payment. */
function remaindersAreSmall(world: World): string | undefined {
  const one = Fraction.of(1n);
  const wrong = world.lists.lease.find(({ remainder }) => remainder.equals(one) || remainder.isAbove(one));
  return wrong === undefined ? undefined : `lease ${wrong.number} carries more than an umu`;
}

const laws: readonly Law[] = [oneReplacement, deploymentsGoOn, coinsAddUp, interestIsEarned, remaindersAreSmall];

/** The first law that is broken. */
export function brokenLaw(world: World): string | undefined {
  for (const law of laws) {
    const broken = law(world);
    if (broken !== undefined) return `${law.name}: ${broken}`;
  }
  return undefined;
}
