/** Deployments (x/deployment/README.md). */
import type {
  DeploymentInfrastructure,
  MsgCancelDeployment,
  MsgSubmitDeployment,
  MsgUpdateDeployment,
  SealedManifest,
} from '@mu/proto/deployment';
import { CloseReason } from '@mu/proto/market';
import { closeWhenOver, endLease } from './ends.ts';
import { closeEscrow, openEscrow, reserveFor } from './escrow.ts';
import { deploymentOf, deploymentStates, escrowOf, leasesOf, type Of, openOrdersOf } from './lookups.ts';
import { closeOrder } from './orders.ts';
import { providerOf } from './providers.ts';
import type { ModelDeployment, ModelOwner } from './records.ts';
import { found, need } from './refusal.ts';
import { removeOrder, unlessStale, updateOrder } from './replacement.ts';
import { needAccessKeys, needInfrastructures } from './specs.ts';
import { accounts, denom, type World } from './world.ts';

const space = 'deployment';

const ownerOf = (world: World, owner: string): ModelOwner | undefined =>
  world.lists.owner.find((one) => one.owner === owner);

export function submitDeployment(world: World, message: MsgSubmitDeployment): object {
  const { owner, dseq, infrastructure, deposit } = message;
  const last = ownerOf(world, owner);
  need(dseq > (last?.lastDseq ?? 0n), space, 4);
  const params = world.single('deployment');
  const active = world.lists.deployment.filter((one) => one.owner === owner && one.state === deploymentStates.active);
  need(active.length < params.maxActiveDeployments, space, 5);
  need(/^[\x20-\x7e]+$/.test(message.name) && message.name.length <= params.maxNameBytes, space, 6);
  needInfrastructures(world, infrastructure);
  need(message.version.length === 32, space, 17);
  need(message.waitBlocks >= 0n && message.waitBlocks <= params.maxWaitBlocks, space, 18);
  needAccessKeys(message.accessKeys, params.maxAccessKeys);
  needSeal(world, message.sealedManifest, infrastructure);
  need(deposit?.denom === denom, space, 21);
  if (last === undefined) world.add({ kind: 'owner', owner, lastDseq: dseq });
  else world.change(last, { lastDseq: dseq });
  const deployment = world.add(newDeployment(world, message));
  openEscrow(world, { owner, dseq }, BigInt(deposit.amount), reserveFor(world, infrastructure));
  paySeal(world, owner, message.sealedManifest);
  for (const index of infrastructure.keys()) updateOrder(world, deployment, index, undefined);
  return { id: { owner, dseq } };
}

function newDeployment(world: World, message: MsgSubmitDeployment): ModelDeployment {
  const { owner, dseq, name, infrastructure, version, waitBlocks: wait, accessKeys, sealedManifest: sealed } = message;
  const stated = { owner, dseq, name, infrastructure, version, wait, accessKeys, sealed };
  const state = deploymentStates.active;
  return { kind: 'deployment', ...stated, revision: 1n, state, created: world.height, closed: 0n, removed: [] };
}

/** A sealed manifest is for a provider that an infrastructure names, to a key of its that holds now. */
function needSeal(
  world: World,
  sealed: SealedManifest | undefined,
  infrastructures: readonly DeploymentInfrastructure[],
): void {
  if (sealed === undefined) return;
  const most = world.single('deployment').maxSealedManifestBytes;
  need(most > 0, space, 20);
  const provider = found(providerOf(world, sealed.provider), space, 20);
  need(
    infrastructures.some((one) => one.provider === provider.owner),
    space,
    20,
  );
  const key = provider.stated.encryptionKeys.find(({ keyId }) => keyId === sealed.keyId);
  need(key !== undefined && key.validFromHeight <= world.height, space, 20);
  need(key.validToHeight === 0n || key.validToHeight >= world.height, space, 20);
  need(sealed.encapsulatedKey.length === 32, space, 20);
  need(sealed.ciphertext.length >= 17 && sealed.ciphertext.length <= most, space, 20);
}

function paySeal(world: World, owner: string, sealed: SealedManifest | undefined): void {
  if (sealed === undefined) return;
  const bytes = sealed.encapsulatedKey.length + sealed.ciphertext.length;
  const fee = BigInt(world.single('deployment').sealedManifestFeePerByte || '0');
  world.move(owner, accounts.fee_collector, fee * BigInt(bytes));
}

function needActive(world: World, id: Of): ModelDeployment {
  const deployment = found(deploymentOf(world, id), space, 2);
  need(deployment.state === deploymentStates.active, space, 3);
  return deployment;
}

export function cancelDeployment(world: World, { owner, dseq }: MsgCancelDeployment): object {
  const deployment = needActive(world, { owner, dseq });
  const canceled = CloseReason.CLOSE_REASON_DEPLOYMENT_CANCELED;
  world.change(deployment, { state: deploymentStates.closing, closed: world.height, sealed: undefined });
  for (const order of openOrdersOf(world, deployment)) closeOrder(world, order, canceled);
  for (const lease of leasesOf(world, deployment)) endLease(world, lease, unlessStale(world, lease, canceled), true);
  closeEscrow(world, deployment);
  return {};
}

export function updateDeployment(world: World, message: MsgUpdateDeployment): object {
  const { owner, dseq, infrastructure, version, accessKeys, sealedManifest: sealed } = message;
  const deployment = needActive(world, { owner, dseq });
  if (infrastructure.length > 0) needInfrastructures(world, infrastructure);
  need(version.length === 0 || version.length === 32, space, 17);
  needAccessKeys(accessKeys, world.single('deployment').maxAccessKeys);
  const isNext = version.length > 0 && !Buffer.from(version).equals(Buffer.from(deployment.version));
  const placed = infrastructure.length > 0 ? place(deployment, infrastructure) : undefined;
  const after = placed ?? { infrastructure: deployment.infrastructure, removed: deployment.removed };
  const stand = after.infrastructure.filter((_, at) => !after.removed.includes(at));
  needSeal(world, sealed, stand);
  const { infrastructure: asks, removed } = after;
  world.change(deployment, { infrastructure: asks, removed, accessKeys });
  if (isNext) world.change(deployment, { version, revision: deployment.revision + 1n, sealed: undefined });
  if (sealed !== undefined) world.change(deployment, { sealed });
  for (const index of placed?.dropped ?? []) removeOrder(world, deployment, index);
  let orders = false;
  for (const { index, before } of placed?.stated ?? []) {
    if (updateOrder(world, deployment, index, before)) orders = true;
  }
  updateReserve(world, deployment, reserveFor(world, stand), orders);
  closeWhenOver(world, deployment);
  paySeal(world, owner, sealed);
  return { revision: deployment.revision };
}

function updateReserve(world: World, id: Of, reserve: bigint, orders: boolean): void {
  const escrow = found(escrowOf(world, id), 'billing', 2);
  const isHeld = escrow.balance >= reserve;
  need(isHeld || (!orders && reserve <= escrow.reserve), 'billing', 10);
  world.change(escrow, { reserve });
}

interface Placed {
  readonly infrastructure: readonly DeploymentInfrastructure[];
  readonly removed: readonly number[];
  readonly dropped: readonly number[];
  readonly stated: readonly { readonly index: number; readonly before: DeploymentInfrastructure | undefined }[];
}

/** Infrastructures are known by name: one that stands keeps its index, a new one takes the first free one. */
function place({ infrastructure, removed }: ModelDeployment, stated: readonly DeploymentInfrastructure[]): Placed {
  const after = [...infrastructure];
  const free = [...removed];
  const places = stated.map((one) => {
    const at = infrastructure.findIndex(({ name }, index) => name === one.name && !removed.includes(index));
    const index = at >= 0 ? at : (free.shift() ?? after.length);
    after[index] = one;
    return { index, before: at >= 0 ? infrastructure[at] : undefined };
  });
  const isStated = (index: number): boolean => places.some((one) => one.index === index);
  const gone = [...after.keys()].filter((index) => !isStated(index));
  return {
    infrastructure: after,
    removed: gone,
    dropped: gone.filter((index) => !removed.includes(index)),
    stated: places,
  };
}
