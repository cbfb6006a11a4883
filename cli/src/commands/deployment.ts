/** mucli tx deployment …: from a stack file to an address that answers. */
import type { CommittedTx } from '@mu/client/chain/chain-client';
import type { DeploymentView } from '@mu/client/deployment/follow';
import type { BuiltManifest } from '@mu/client/manifest/build';
import type { ManifestHead } from '@mu/client/manifest/head';
import type { Choices, DerivedDeployment } from '@mu/client/stack/derive-types';
import { Delivery } from '../delivery.ts';
import { CliError, exitCodes, usageError } from '../errors.ts';
import { DeploymentFollower } from '../follower.ts';
import { handOver, handoverText, requireWhole } from '../handover.ts';
import { replacementWords } from '../plan-words.ts';
import type { Prepared } from '../prepare.ts';
import { ProviderWatch } from '../provider-watch.ts';
import { marksOf, rotateText } from '../rotate.ts';
import type { Session } from '../session.ts';
import { allAnswer, neverServed, unheldStandbys } from '../standing.ts';
import { reportTx } from './tx.ts';

export interface CreateOptions {
  readonly region?: string;
  readonly maxPrice?: string;
  readonly deposit?: string;
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

export async function cancelDeployment(session: Session, dseqText: string): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const [{ MsgCancelDeployment }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/deployment'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  reportTx(session, await sender.sendAndWait([toEncodeObject(MsgCancelDeployment, { owner: sender.address, dseq })]), {
    dseq,
  });
}

/** Moves coins into the escrow of a deployment, one's own or another's, or out of it: the sender's share, above the reserve. */
export async function moveEscrow(
  session: Session,
  way: 'deposit' | 'withdraw',
  what: { readonly dseq: string; readonly amount: string; readonly owner: string | undefined },
): Promise<void> {
  const dseq = wholeNumber(what.dseq, 'DSEQ');
  const amount = await readCoin(what.amount);
  const [{ MsgDeposit, MsgWithdraw }, { toEncodeObject }] = await Promise.all([
    import('@mu/proto/billing'),
    import('@mu/client/chain/registry'),
  ]);
  const sender = await session.sender();
  const owner = what.owner ?? sender.address;
  const fields = { depositor: sender.address, owner, dseq, amount };
  const message = way === 'deposit' ? toEncodeObject(MsgDeposit, fields) : toEncodeObject(MsgWithdraw, fields);
  reportTx(session, await sender.sendAndWait([message]), { owner, dseq, amount: what.amount });
}

/** @throws CliError for what is no coin */
async function readCoin(text: string): Promise<{ denom: string; amount: string }> {
  const { parseCoin } = await import('@mu/lib/amounts');
  try {
    return parseCoin(text);
  } catch (error) {
    throw usageError(`"${text}" is no amount: write it like 1000umu (${error instanceof Error ? error.message : ''})`);
  }
}

/** Delivers the manifest again to every holder of a lease that lacks it. */
export async function sendManifest(session: Session, dseqText: string): Promise<void> {
  const dseq = wholeNumber(dseqText, 'DSEQ');
  const client = await session.client();
  const owner = await session.address();
  const { manifestFolder } = await import('../prepare.ts');
  const { deployment } = await client.deployment.deployment({ owner, dseq });
  const built = manifestFolder(session).latest({ chainId: client.chainId, owner, dseq }, deployment?.revision);
  if (built === undefined)
    throw new CliError(
      `no manifest of deployment ${dseq} is kept in ${session.config.home}: it was created elsewhere; run this where it was`,
    );
  const { viewDeployment } = await import('@mu/client/deployment/follow');
  const wallet = await session.tenantWallet();
  const delivery = new Delivery(session, { owner, dseq, wallet, built, everybody: true });
  const view = await viewDeployment(client, owner, dseq);
  const sentTo = await delivery.deliver(view);
  const rotate = deployment === undefined ? [] : await marksOf(session, deployment, view);
  const lacking = delivery.lacking(view);
  const done = [
    ...(sentTo.length === 0 ? [] : [`delivered to ${sentTo.join(', ')}`]),
    ...(lacking.length === 0 ? [] : [`${lacking.join(', ')} did not take it: try again`]),
  ];
  if (done.length === 0) done.push('every holder of a lease has the manifest');
  session.output.result({ dseq, delivered_to: sentTo, lacking, rotate }, () =>
    [...done, ...rotateText(rotate)].join('\n'),
  );
}

/** What the user chose of what a stack leaves open. @throws CliError for a price that is none */
export async function choicesOf(
  session: Session,
  options: Pick<CreateOptions, 'region' | 'maxPrice' | 'deposit'>,
): Promise<{ flags: Choices; config: Choices }> {
  const { parsePrice } = await import('@mu/client/stack/units');
  const priceOf = (text: string | undefined, where: string): Pick<Choices, 'maxPrice'> => {
    if (text === undefined || text === '') return {};
    const maxPrice = parsePrice(text);
    if (maxPrice === undefined)
      throw usageError(`${where}: "${text}" is no price; write umu per block as a decimal above 0`);
    return { maxPrice };
  };
  const regionOf = (text: string | undefined): Pick<Choices, 'region'> =>
    text === undefined || text === '' ? {} : { region: text };
  const deposit =
    options.deposit === undefined
      ? {}
      : { deposit: wholeNumber(options.deposit.replace(new RegExp(`${session.config.denom}$`), ''), '--deposit') };
  return {
    flags: { ...regionOf(options.region), ...priceOf(options.maxPrice, '--max-price'), ...deposit },
    config: { ...regionOf(session.config.region), ...priceOf(session.config.max_price, 'max_price') },
  };
}

/** Says what will be ordered, where each choice comes from, and what becomes of it when a provider goes. */
export function showPlan(session: Session, derived: DerivedDeployment, head: ManifestHead): void {
  session.output.step('This is what will be ordered:');
  for (const { what, value, from } of derived.choices) session.output.step(`  ${what}: ${value} (${from})`);
  session.output.step(`  in all at most ${derived.pricePerBlock.toPlain()} ${session.config.denom} per block`);
  for (const words of replacementWords(derived, head)) session.output.step(words);
}

/** @throws CliError when the user says no */
export async function confirm(): Promise<void> {
  const { confirm: ask } = await import('@inquirer/prompts');
  if (!(await ask({ message: 'Sign and send it?', default: true }))) throw new CliError('nothing was sent');
}

/**
 * What to say when the time is over: who could not bid, and how to get the money back.
 * @param at `missing`: names of infrastructures, where others have a lease
 */
async function noBid(
  session: Session,
  derived: DerivedDeployment,
  at: { readonly dseq: bigint; readonly timeoutBlocks: bigint; readonly missing?: readonly string[] | undefined },
): Promise<CliError> {
  const client = await session.client();
  const { ProviderState } = await import('@mu/proto/provider');
  const { providers } = await client.provider.providers({ state: ProviderState.PROVIDER_STATE_ACTIVE });
  const wanted = derived.infrastructure.filter(({ name }) => at.missing?.includes(name) ?? true);
  const missing = wanted.flatMap(({ name, region, services }) => {
    const there = providers.filter(({ regions }) => regions.includes(region));
    const nobody = services.filter((service) => !there.some((provider) => provider.services.includes(service)));
    if (there.length === 0) return [`${name}: no provider serves region ${region}`];
    if (nobody.length > 0) return [`${name}: nobody in ${region} offers ${nobody.join(', ')}`];
    return [
      `${name}: ${there.length} providers of ${region} offer the services, none at this price or with this much room`,
    ];
  });
  const others =
    at.missing === undefined
      ? []
      : [
          `the others have leases and go on: \`mucli deployment status ${at.dseq}\` shows them, \`update\` changes them`,
        ];
  const cancel = `cancel it and get the deposit back with: mucli tx deployment cancel ${at.dseq}`;
  return new CliError(
    [`no bid in ${at.timeoutBlocks} blocks`, ...missing, ...others, cancel].join('\n'),
    exitCodes.noBid,
  );
}

export function wholeNumber(text: string, what: string): bigint {
  if (!/^\d{1,19}$/.test(text)) throw usageError(`${what}: "${text}" is no whole number`);
  return BigInt(text);
}

export type { DeploymentView };
