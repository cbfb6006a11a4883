/** mucli tx deployment update: a changed stack file, while its leases live. */
import type { CommittedTx } from '@mu/client/chain/chain-client';
import { changesOf, type InfrastructureChange } from '@mu/client/deployment/changes';
import { type DeploymentView, isLive, viewDeployment } from '@mu/client/deployment/follow';
import type { RotateMark } from '@mu/client/deployment/rotate';
import type { BuiltManifest } from '@mu/client/manifest/build';
import { type Deployment, DeploymentState } from '@mu/proto/deployment';
import { OrderState } from '@mu/proto/market';
import { wholeNumber } from '../arguments.ts';
import { Delivery } from '../delivery.ts';
import { CliError, usageError } from '../errors.ts';
import { DeploymentFollower } from '../follower.ts';
import { type Handover, handOver, handoverText, requireWhole } from '../handover.ts';
import { choicesOf, confirm, showPlan } from '../plan-choices.ts';
import { manifestFolder, type PreparedUpdate, prepareUpdate } from '../prepare.ts';
import { ProviderWatch, type Setback } from '../provider-watch.ts';
import { marksOf, rotateText } from '../rotate.ts';
import type { Session } from '../session.ts';
import { isSettled } from '../standing.ts';

/** How an update is sent and followed. */
export interface UpdateFlags {
  /** blocks to wait until providers run what is asked now */
  readonly timeout: string;
  /** ends when the manifest is handed over */
  readonly detach?: boolean;
  readonly yes?: boolean;
}

export interface UpdateOptions extends UpdateFlags {
  readonly region?: string;
  readonly maxPrice?: string;
  readonly dseq?: string;
  /** a new manifest goes to the chain, sealed, and is not delivered */
  readonly seal?: boolean;
}

/** An update as it was shown to the user. */
interface Plan {
  readonly owner: string;
  readonly dseq: bigint;
  readonly prepared: PreparedUpdate;
  /** the deployment as it stood */
  readonly before: DeploymentView;
  readonly changes: readonly InfrastructureChange[];
}

/** Shows what an update does, signs it, delivers the manifest, and ends when everything runs as it is asked now. */
export async function updateDeployment(session: Session, stackFile: string, options: UpdateOptions): Promise<void> {
  wholeNumber(options.timeout, '--timeout');
  const owner = await session.address();
  const wanted = { stackFile, owner, seals: options.seal === true, choices: await choicesOf(session, options) };
  const prepared = await prepareUpdate(session, wanted, (name) => findDeployment(session, owner, name, options.dseq));
  await applyUpdate(session, prepared, options);
}

/** @throws CliError also where a provider could not bring the new revision up: what ran runs on then */
export async function applyUpdate(
  session: Session,
  prepared: PreparedUpdate,
  options: UpdateFlags & Pick<UpdateOptions, 'seal'>,
): Promise<void> {
  const { output } = session;
  const timeoutBlocks = wholeNumber(options.timeout, '--timeout');
  const plan = await planUpdate(session, prepared);
  const { owner, dseq, changes } = plan;
  if (!prepared.manifestChanges && changes.every(({ kind }) => kind === 'stays')) {
    output.result({ owner, dseq, done: true, changes }, () => 'the deployment is as it is asked: nothing was sent');
    return;
  }
  if (options.yes !== true && process.stdin.isTTY && !output.json) await confirm();
  const { tx, built } = await sendUpdate(session, plan);
  const { hash, height } = tx;
  // A sealed manifest is on the chain, where its provider finds it; one that stays may still be lacking somewhere.
  const delivers = options.seal !== true || !prepared.manifestChanges;
  const sent: SentUpdate = { ...plan, built, limit: { timeoutBlocks, since: BigInt(height), delivers } };
  if (options.detach === true) return leave(session, sent, { hash, height });
  const { done, endpoints, revision, setbacks, rotate } = await followUpdate(session, sent);
  const facts = { owner, dseq, hash, height, revision, done, changes, endpoints, setbacks, rotate };
  const rest = done || setbacks.length > 0 ? [] : [unfinished(dseq, timeoutBlocks)];
  output.result(facts, () => [...endpoints.map(answers), ...rest, ...rotateText(rotate)].join('\n'));
  if (setbacks.length > 0) throw new CliError(setbacks.map((one) => setbackText(one, dseq)).join('\n'));
}

/** @throws CliError with all that is wrong, before anything is signed */
async function planUpdate(session: Session, prepared: PreparedUpdate): Promise<Plan> {
  const { deployment, derived } = prepared;
  const { owner = '', dseq = 0n } = deployment.id ?? {};
  const before = await viewDeployment(await session.client(), owner, dseq);
  const waiting = waitingOf(deployment, before);
  const changes = changesOf(deployment, derived.infrastructure, holdersOf(deployment, before), waiting);
  await checkReserve(session, prepared, changes);
  // No deposit is asked for: what the escrow lacks was said above.
  const choices = derived.choices.filter(({ what }) => what !== 'deposit');
  showPlan(session, { ...derived, choices }, prepared.built.head);
  showChanges(session, changes, prepared);
  return { owner, dseq, prepared, before, changes };
}

/** @returns its block, and the manifest with the files that are kept */
async function sendUpdate(
  session: Session,
  { owner, dseq, prepared }: Plan,
): Promise<{ readonly tx: CommittedTx; readonly built: BuiltManifest }> {
  const sender = await session.sender();
  // Kept before anything is sent: a manifest that is lost, or a file of it that has changed, cannot be delivered any more.
  const built = await prepared.keep();
  const sent = await sender.send([prepared.message]);
  session.output.step(`sent the update of deployment ${dseq} in transaction ${sent.hash}`);
  const tx = await sent.committed();
  session.output.step(`block ${tx.height}: the deployment is updated`);
  const key = { chainId: (await session.client()).chainId, owner, dseq };
  if (prepared.manifestChanges) await manifestFolder(session).committed(key, BigInt(built.head.revision), tx.height);
  return { tx, built };
}

/** An update that is on the chain. */
interface SentUpdate extends Plan {
  readonly built: BuiltManifest;
  readonly limit: { readonly timeoutBlocks: bigint; readonly since: bigint; readonly delivers: boolean };
}

/** Ends once the providers can go on without the user. */
async function leave(
  session: Session,
  { owner, dseq, before, built, changes, limit }: SentUpdate,
  tx: { readonly hash: string; readonly height: number },
): Promise<void> {
  const follower = new DeploymentFollower(session, { owner, dseq }, before);
  const delivery = new Delivery(session, { owner, dseq, wallet: await session.tenantWallet(), built });
  const nothing: Handover = { view: before, deliveredTo: [], missing: [] };
  const handover = limit.delivers ? await handOver(follower, delivery, limit) : nothing;
  const { view, deliveredTo, missing } = handover ?? {
    view: before,
    deliveredTo: [],
    missing: built.head.workloads.map(({ infrastructure }) => infrastructure),
  };
  const revision = BigInt(built.head.revision);
  const rotate = await marksOf(session, { id: { owner, dseq }, revision }, view);
  const facts = { owner, dseq, ...tx, revision, changes, delivered_to: deliveredTo, missing, rotate };
  session.output.result(facts, () => [handoverText({ deliveredTo, missing }, dseq), ...rotateText(rotate)].join('\n'));
  requireWhole({ missing }, dseq, limit.timeoutBlocks);
}

interface Outcome {
  readonly done: boolean;
  readonly endpoints: ReturnType<Delivery['endpoints']>;
  readonly revision: bigint;
  /** What did not come up. */
  readonly setbacks: readonly Setback[];
  /** Secrets that are to be changed. */
  readonly rotate: readonly RotateMark[];
}

/**
 * Delivers the manifest to whoever lacks it and tells what the providers say, until all runs as it is asked now, a
 * provider could not bring it up, or the time is over.
 */
async function followUpdate(session: Session, { owner, dseq, built, before, limit }: SentUpdate): Promise<Outcome> {
  const client = await session.client();
  const { deployment } = await client.deployment.deployment({ owner, dseq });
  if (deployment === undefined) throw new CliError(`deployment ${owner}/${dseq} is gone`);
  const { revision } = deployment;
  const delivery = new Delivery(session, { owner, dseq, wallet: await session.tenantWallet(), built });
  const watch = new ProviderWatch(session, revision);
  let setbacks: readonly Setback[] = [];
  const view = await new DeploymentFollower(session, { owner, dseq }, before).until(async (now) => {
    if (limit.delivers) await delivery.deliver(now);
    setbacks = await watch.look(now);
    return setbacks.length > 0 || isSettled(now, deployment) || now.height - limit.since >= limit.timeoutBlocks;
  }, limit);
  const rotate = await marksOf(session, deployment, view ?? before);
  if (view === undefined) return { done: false, endpoints: [], revision, setbacks, rotate };
  const done = setbacks.length === 0 && isSettled(view, deployment);
  return { done, endpoints: delivery.endpoints(view), revision, setbacks, rotate };
}

function setbackText({ lease, provider, revision, reason, isRolledBack }: Setback, dseq: bigint): string {
  const what = isRolledBack
    ? `revision ${revision} did not come up and was rolled back, the one before runs on`
    : `revision ${revision} cannot be started, the provider tries again`;
  return `lease ${lease} at ${provider}: ${what}: ${reason}; mend it and update again, \`mucli deployment logs ${dseq}\` shows more`;
}

const answers = ({ infrastructure, endpoint }: { infrastructure: string; endpoint: string }): string =>
  `${infrastructure} answers at ${endpoint}`;

const unfinished = (dseq: bigint, blocks: bigint): string =>
  `not everything runs as it is asked now after ${blocks} blocks: \`mucli market\` shows the orders, \`mucli deployment send-manifest ${dseq}\` delivers to whoever wins them`;

/** The one of the number; else the only active one of the stack's name. @throws CliError */
async function findDeployment(
  session: Session,
  owner: string,
  name: string,
  flag: string | undefined,
): Promise<Deployment> {
  const client = await session.client();
  if (flag !== undefined) {
    const { deployment } = await client.deployment.deployment({ owner, dseq: wholeNumber(flag, '--dseq') });
    if (deployment?.state !== DeploymentState.DEPLOYMENT_STATE_ACTIVE)
      throw new CliError(`deployment ${flag} is over: create a new one with \`mucli tx deployment create\``);
    return deployment;
  }
  const { deployments } = await client.deployment.deployments({
    owner,
    state: DeploymentState.DEPLOYMENT_STATE_ACTIVE,
  });
  const named = deployments.filter((deployment) => deployment.name === name);
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  const numbers = named.map(({ id }) => id?.dseq).join(', ');
  throw usageError(
    only === undefined
      ? `no active deployment is named "${name}": name one with --dseq, or create it with \`mucli tx deployment create\``
      : `deployments ${numbers} are named "${name}": say which one with --dseq`,
  );
}

/** Who holds a live lease, by the name of the infrastructure. */
function holdersOf({ infrastructure }: Deployment, { leases }: DeploymentView): Map<string, string> {
  return new Map(
    leases
      .filter(isLive)
      .map(({ order, provider }) => [infrastructure[order?.infrastructure ?? -1]?.name ?? '', provider]),
  );
}

/** Names of infrastructures whose order is open. */
function waitingOf({ infrastructure }: Deployment, { orders }: DeploymentView): Set<string> {
  const open = orders.filter(({ state }) => state === OrderState.ORDER_STATE_OPEN);
  return new Set(open.map(({ id }) => infrastructure[id?.infrastructure ?? -1]?.name ?? ''));
}

/** Something new is only ordered from an escrow that holds the new reserve. @throws CliError before anything is signed */
async function checkReserve(
  session: Session,
  { deployment, derived }: PreparedUpdate,
  changes: readonly InfrastructureChange[],
): Promise<void> {
  if (!changes.some(({ kind }) => kind === 'new' || kind === 'ordered')) return;
  const { owner, dseq } = deployment.id ?? { owner: '', dseq: 0n };
  const { escrow } = await (await session.client()).billing.escrow({ owner, dseq });
  const missing = derived.reserve - BigInt(escrow?.balance ?? '0');
  if (missing <= 0n) return;
  const { denom } = session.config;
  throw new CliError(
    `the escrow lacks ${missing} ${denom} of the new reserve ${derived.reserve}: \`mucli tx deployment deposit ${dseq} ${missing}${denom}\``,
  );
}

const inWords: Readonly<Record<InfrastructureChange['kind'], string>> = {
  stays: 'stays as it is',
  kept: 'keeps its lease; changes',
  ordered: 'is ordered anew, its lease serves until the new one runs; changes',
  new: 'is ordered',
  removed: 'is removed: its order and its lease end',
};

function showChanges(session: Session, changes: readonly InfrastructureChange[], prepared: PreparedUpdate): void {
  session.output.step('What the update does:');
  for (const { name, kind, fields } of changes)
    session.output.step(`  ${name} ${inWords[kind]}${fields.length === 0 ? '' : ` ${fields.join(', ')}`}`);
  session.output.step(
    prepared.manifestChanges
      ? `  the manifest changes: revision ${prepared.deployment.revision + 1n} goes to every holder of a lease`
      : '  the manifest stays',
  );
}
