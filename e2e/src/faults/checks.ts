/** What must hold whenever a provider has come back. Each check throws an Error that says what is wrong. */
import { allItems } from '@mu/client/chain/pages';
import { BillLineKind } from '@mu/proto/billing';
import { LeaseState } from '@mu/proto/market';
import { eventually } from '../process.ts';
import { type Deployed, stateName } from './deployments.ts';
import type { SeenContainer } from './engine-view.ts';
import type { Visitor } from './shop.ts';
import type { World } from './world.ts';

/** The promise of a restart: an address that answered before answers again so soon after the daemon is up. */
export const promisedMs = 2_000;

/** Asks until there is an answer. @returns milliseconds that it took */
export async function untilAnswered(visitor: Visitor, ask: () => Promise<unknown>, limitMs = 60_000): Promise<number> {
  const begun = performance.now();
  let why = '';
  await eventually(
    `an answer of ${visitor.endpoint}`,
    () =>
      ask().then(
        () => true as const,
        (error: Error) => {
          why = error.message;
          return undefined;
        },
      ),
    limitMs,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; the last one was: ${why}`);
  });
  return performance.now() - begun;
}

/** The deployment has one lease only, and it lives. */
export async function checkLease(world: World, { dseq, lease }: Deployed): Promise<void> {
  const leases = await world.leasesOf(dseq);
  const stand = leases.map(({ number, state }) => `lease ${number} is ${stateName(state)}`).join(', ');
  const isWell = leases.length === 1 && leases[0]?.number === lease;
  if (!isWell || leases[0]?.state !== LeaseState.LEASE_STATE_ACTIVE) throw new Error(`a lease was lost: ${stand}`);
}

/** Names of the containers that a shop has: `web-0`. */
export function shopContainers(webInstances = 1): string[] {
  return ['counter-0', ...Array.from({ length: webInstances }, (_, i) => `web-${i}`)];
}

/** Every container of the lease exactly once, each running; others of the provider there are none. */
export async function checkContainers(world: World, { lease }: Deployed, wanted: readonly string[]): Promise<void> {
  let stand = '';
  await eventually(
    `exactly the containers ${wanted.join(', ')} of lease ${lease}`,
    async () => {
      const found = await world.engine.containers(world.provider.owner);
      stand = found.map(describe).join('; ');
      const names = found.map((one) => (one.lease === String(lease) ? nameOf(one) : describe(one)));
      const isWhole = names.join() === [...wanted].join() && found.every(({ state }) => state === 'running');
      return isWhole ? true : undefined;
    },
    20_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; there are: ${stand}`);
  });
}

/** What ran before and had no reason to go runs on, never having been started again. */
export function checkUntouched(
  before: readonly SeenContainer[],
  after: readonly SeenContainer[],
  names: readonly string[],
): void {
  for (const name of names) {
    const [was, is] = [before, after].map((seen) => seen.find((one) => nameOf(one) === name));
    if (was?.id === is?.id && was?.startedAt === is?.startedAt) continue;
    throw new Error(`${name} was started again: ${JSON.stringify(was)} became ${JSON.stringify(is)}`);
  }
}

/** Usage as it was billed. */
export interface Billed {
  readonly requests: number;
  readonly invocations: number;
}

/** Reports follow each other without a gap or an overlap, and carry no more than what was sent. */
export async function checkBill(world: World, { lease, visitor }: Deployed): Promise<Billed> {
  const { billing } = world.client;
  // All pages: after a long outage a bill has hundreds of lines.
  const lines = await allItems(
    (pagination) => billing.bill({ lease, pagination }),
    (answer) => answer.lines,
  );
  const reports = lines.filter(({ kind }) => kind === BillLineKind.BILL_LINE_KIND_USAGE);
  for (const [at, report] of reports.entries()) {
    if (report.sequence !== BigInt(at + 1)) throw new Error(`report ${at + 1} has the sequence ${report.sequence}`);
    const before = at === 0 ? undefined : reports[at - 1];
    if (before !== undefined && report.fromHeight !== before.toHeight + 1n)
      throw new Error(`report ${at + 1} begins at ${report.fromHeight}, the one before ended at ${before.toHeight}`);
  }
  const items = reports.flatMap((report) => report.items);
  const sum = (metric: string): number =>
    Number(items.filter((item) => item.metric === metric).reduce((all, { quantity }) => all + quantity, 0n));
  const billed = { requests: sum('gateway-requests'), invocations: sum('function-invocations') };
  const { requests, logins } = visitor.sent;
  if (billed.requests > requests || billed.invocations > logins)
    throw new Error(`${JSON.stringify(billed)} were billed, only ${requests} requests and ${logins} logins were sent`);
  return billed;
}

/** All that was answered is billed in the end. @param lost at most so many requests may be missing */
export async function checkWholeBill(world: World, deployed: Deployed, lost = 0): Promise<Billed> {
  const { requests, logins } = deployed.visitor.answered;
  let billed: Billed = { requests: 0, invocations: 0 };
  await eventually(
    `a bill of ${requests} requests and ${logins} logins`,
    async () => {
      billed = await checkBill(world, deployed);
      return billed.requests >= requests - lost && billed.invocations >= logins - lost ? true : undefined;
    },
    20_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; billed were ${JSON.stringify(billed)}`);
  });
  return billed;
}

/** A lease that is over leaves no container, network or mounted volume. */
export async function checkNothingLeft(world: World): Promise<void> {
  let left: string[] = [];
  await eventually(
    'an empty machine',
    async () => {
      left = await world.leftovers();
      return left.length === 0 ? true : undefined;
    },
    40_000,
  ).catch((error: Error) => {
    throw new Error(`${error.message}; left are: ${left.join(', ')}`);
  });
}

const nameOf = ({ service, instance }: SeenContainer): string => `${service}-${instance}`;

const describe = (one: SeenContainer): string => `${nameOf(one)} of lease ${one.lease} (${one.state})`;
