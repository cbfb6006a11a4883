/** mucli tx deployment create: from a stack file to an address that answers. */
import type { CommittedTx } from '@mu/client/chain/chain-client';
import type { DeploymentView } from '@mu/client/deployment/follow';
import type { BuiltManifest } from '@mu/client/manifest/build';
import type { DerivedDeployment } from '@mu/client/stack/derive-types';
import { wholeNumber } from '../arguments.ts';
import { Delivery } from '../delivery.ts';
import { CliError, exitCodes, usageError } from '../errors.ts';
import { DeploymentFollower } from '../follower.ts';
import { handOver, handoverText, requireWhole } from '../handover.ts';
import { type NoBid, noBidText } from '../no-bid.ts';
import { type ChoiceFlags, choicesOf, confirm, showPlan } from '../plan-choices.ts';
import type { Prepared } from '../prepare.ts';
import { ProviderWatch } from '../provider-watch.ts';
import type { Session } from '../session.ts';
import { allAnswer, neverServed, unheldStandbys } from '../standing.ts';

export interface CreateOptions extends ChoiceFlags {
  readonly dseq?: string;
  /** blocks to wait for a bid */
  readonly timeout: string;
  /** the manifest goes to the chain, sealed, and is not delivered */
  readonly seal?: boolean;
  readonly watch?: boolean;
  /** ends when the manifest is handed over */
  readonly detach?: boolean;
  readonly yes?: boolean;
}

/** Submits a stack, follows it to its address, and hands the manifest to whoever holds a lease. */
export async function createDeployment(session: Session, stackFile: string, options: CreateOptions): Promise<void> {
  const timeoutBlocks = wholeNumber(options.timeout, '--timeout');
  if (options.detach === true && options.watch === true)
    throw usageError('--detach leaves and --watch stays: take one of them');
  const { output } = session;
  const client = await session.client();
  const { prepareDeployment } = await import('../prepare.ts');
  const owner = await session.address();
  const dseq = options.dseq === undefined ? undefined : wholeNumber(options.dseq, '--dseq');
  const prepared = await prepareDeployment(session, {
    stackFile,
    owner,
    dseq,
    seals: options.seal === true,
    choices: await choicesOf(session, options),
  });
  showPlan(session, prepared.derived, prepared.built.head);
  if (options.yes !== true && process.stdin.isTTY && !output.json) await confirm();
  const startedAtMs = performance.now();
  const { built, tx } = await submit(session, prepared, owner);
  const wallet = await session.tenantWallet();
  const delivery = new Delivery(session, { owner, dseq: prepared.dseq, wallet, built });
  const created = { prepared, owner, tx, delivery, timeoutBlocks, startedAtMs };
  await (options.detach === true ? leave(session, created, options) : stay(session, created, options));
  client.disconnect();
}

/** Keeps the manifest, and sends what is ordered. @returns its block, and the manifest with the files that are kept */
async function submit(
  session: Session,
  { dseq, derived, message, keep }: Prepared,
  owner: string,
): Promise<{ readonly built: BuiltManifest; readonly tx: CommittedTx }> {
  const { output, config } = session;
  const sender = await session.sender();
  // Kept before anything is sent: a manifest that is lost, or a file of it that has changed, cannot be delivered any more.
  const built = await keep();
  const sent = await sender.send([message]);
  output.step(`submitted deployment ${dseq} in transaction ${sent.hash}`);
  const tx = await sent.committed();
  output.step(
    `block ${tx.height}: the deployment is on the chain, ${derived.deposit} ${config.denom} are in its escrow`,
  );
  const { manifestFolder } = await import('../prepare.ts');
  const { chainId } = await session.client();
  await manifestFolder(session).committed({ chainId, owner, dseq }, 1n, tx.height);
  return { built, tx };
}

/** A deployment that is on the chain. */
interface Created {
  readonly prepared: Prepared;
  readonly owner: string;
  readonly tx: CommittedTx;
  readonly delivery: Delivery;
  readonly timeoutBlocks: bigint;
  readonly startedAtMs: number;
}

/** Follows it to its address, and on where the user watches. */
async function stay(
  session: Session,
  { prepared, owner, tx, delivery, timeoutBlocks, startedAtMs }: Created,
  options: CreateOptions,
): Promise<void> {
  const { output } = session;
  const { dseq } = prepared;
  const follower = new DeploymentFollower(session, { owner, dseq });
  const watch = new ProviderWatch(session, 1n);
  const told = new Set<string>();
  const reached = async (now: DeploymentView): Promise<boolean> => {
    if (options.seal !== true) await delivery.deliver(now);
    // A provider that cannot start it tries again: its reason is told, and it may still come up.
    for (const { lease, reason } of await watch.look(now)) {
      if (!told.has(reason)) output.step(`lease ${lease} cannot be started: ${reason}`);
      told.add(reason);
    }
    return allAnswer(now);
  };
  const since = BigInt(tx.height);
  const limit = { timeoutBlocks, since };
  const view = await follower.until(async (now) => {
    const isLate = options.watch !== true && now.height - since >= timeoutBlocks && neverServed(now).length > 0;
    return isLate || reached(now);
  }, limit);
  if (view === undefined || !allAnswer(view)) {
    const missing = view === undefined ? undefined : neverServed(view);
    throw await noBid(session, prepared.derived, { dseq, timeoutBlocks, missing });
  }
  for (const name of unheldStandbys(view)) output.step(`nobody has taken ${name} yet: its order stays open`);
  const endpoints = delivery.endpoints(view);
  const facts = {
    dseq,
    owner,
    hash: tx.hash,
    height: view.height,
    endpoints,
    first_address_ms: Math.round(performance.now() - startedAtMs),
  };
  output.result(facts, () =>
    endpoints.map(({ infrastructure, endpoint }) => `${infrastructure} answers at ${endpoint}`).join('\n'),
  );
  if (options.watch === true) await follower.forever(async (now) => reached(now));
}

/** Ends once its providers can go on without the user. */
async function leave(
  session: Session,
  { prepared, owner, tx, delivery, timeoutBlocks }: Created,
  options: CreateOptions,
): Promise<void> {
  const { dseq, derived } = prepared;
  const facts = { dseq, owner, hash: tx.hash };
  // A sealed manifest is on the chain, where its provider finds it.
  const follower = new DeploymentFollower(session, { owner, dseq });
  const limit = { timeoutBlocks, since: BigInt(tx.height) };
  const handover = options.seal === true ? { deliveredTo: [], missing: [] } : await handOver(follower, delivery, limit);
  if (handover === undefined) throw await noBid(session, derived, { dseq, timeoutBlocks });
  const { deliveredTo, missing } = handover;
  session.output.result({ ...facts, height: tx.height, delivered_to: deliveredTo, missing }, () =>
    handoverText(handover, dseq),
  );
  requireWhole(handover, dseq, timeoutBlocks);
}

/** The time is over. */
async function noBid(session: Session, derived: DerivedDeployment, at: NoBid): Promise<CliError> {
  const client = await session.client();
  const { ProviderState } = await import('@mu/proto/provider');
  const { providers } = await client.provider.providers({ state: ProviderState.PROVIDER_STATE_ACTIVE });
  return new CliError(noBidText(derived, providers, at), exitCodes.noBid);
}
