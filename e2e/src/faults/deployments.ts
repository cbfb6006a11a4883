/** What a tenant does with a deployment, by `mucli`. */
import { Dec } from '@mu/lib/dec';
import { LeaseState } from '@mu/proto/market';
import { eventually } from '../process.ts';
import { Visitor } from './shop.ts';
import type { World } from './world.ts';

/** For a daemon that dies and comes back meanwhile. */
const patience = ['--timeout', '400'];

export interface Deployed {
  readonly dseq: bigint;
  readonly lease: bigint;
  readonly visitor: Visitor;
}

interface Created {
  readonly dseq: string;
  readonly endpoints: readonly { readonly lease: string; readonly endpoint: string; readonly provider: string }[];
}

/** Deploys, and waits for the address. @param flags further ones of `create` */
export async function create(world: World, stack: string, ...flags: string[]): Promise<Deployed> {
  const args = ['tx', 'deployment', 'create', stack, '--yes', ...patience, ...flags];
  const { dseq, endpoints } = await world.mucli<Created>(...args);
  const [served] = endpoints;
  if (served === undefined) throw new Error(`deployment ${dseq} has no address`);
  return { dseq: BigInt(dseq), lease: BigInt(served.lease), visitor: new Visitor(served.endpoint) };
}

/** The same deployment by another stack. */
export async function update(world: World, { dseq }: Deployed, stack: string): Promise<void> {
  await world.mucli('tx', 'deployment', 'update', stack, '--dseq', String(dseq), '--yes', ...patience);
}

export async function deposit(world: World, { dseq }: Deployed, umu: number): Promise<void> {
  await world.mucli('tx', 'deployment', 'deposit', String(dseq), `${umu}umu`);
}

/** Of blocks: a machine that takes longer over a withdrawal is too busy for any test. */
const mostLeft = 400n;

/**
 * Leaves the escrow its reserve and what so many blocks cost; more where the machine is so busy that they are spent before the
 * withdrawal comes to the chain, which refuses it then.
 */
export async function withdrawAllBut(world: World, { dseq }: Pick<Deployed, 'dseq'>, blocks: bigint): Promise<void> {
  const { billing } = world.client;
  const [{ escrow }, { pricePerBlock }] = await Promise.all([
    billing.escrow({ owner: world.user, dseq }),
    billing.runway({ owner: world.user, dseq }),
  ]);
  if (escrow === undefined) throw new Error(`deployment ${dseq} has no escrow`);
  const cost = Dec.fromAtomics(pricePerBlock).mulInt(blocks).ceilInt();
  const amount = BigInt(escrow.balance) - BigInt(escrow.reserve) - cost;
  const { code, stderr } = await world.network.mucli(['tx', 'deployment', 'withdraw', String(dseq), `${amount}umu`]);
  if (code === 0) return;
  if (blocks > mostLeft) throw new Error(`all but ${blocks} blocks could not be withdrawn:\n${stderr}`);
  await withdrawAllBut(world, { dseq }, 2n * blocks);
}

export async function cancel(world: World, { dseq }: Deployed): Promise<void> {
  await world.mucli('tx', 'deployment', 'cancel', String(dseq));
}

/** For people: `LEASE_STATE_ACTIVE`. */
export function stateName(state: LeaseState): string {
  return Object.entries(LeaseState).find(([, value]) => value === state)?.[0] ?? String(state);
}

/** Waits until the chain has the lease so. */
export function untilState(world: World, { lease }: Deployed, state: LeaseState): Promise<true> {
  return eventually(`lease ${lease} as ${stateName(state)}`, async () =>
    (await world.lease(lease)).state === state ? true : undefined,
  );
}
