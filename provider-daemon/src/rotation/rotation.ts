/**
 * `mu-provider rotate`: a root, a node or an encryption key is replaced without a moment in which none holds. What comes
 * next is read from the files and from the chain each time, so that whoever is killed goes on where it stands.
 */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { toEncodeObject } from '@mu/client/chain/registry';
import { MsgUpdateProvider, type Provider, ProviderState } from '@mu/proto/provider';
import type { ProviderConfig } from '../config/schema.ts';
import type { Surroundings } from '../identity/certificates.ts';
import { type Identity, loadIdentity } from '../identity/identity.ts';
import { providerOf, type RegistrationChain, type Statement, statementOf } from '../setup/register.ts';

export const rotationKinds = ['root', 'node', 'encryption'] as const;
export type RotationKind = (typeof rotationKinds)[number];

/** What of the chain is asked. */
export interface RotationChain extends RegistrationChain {
  readonly deployment: Pick<ChainClient['deployment'], 'deployments'>;
  readonly market: Pick<ChainClient['market'], 'lease'>;
  readonly billing: Pick<ChainClient['billing'], 'usage'>;
}

export interface RotationSender {
  readonly address: string;
  sendAndWait(messages: readonly EncodeObject[]): Promise<CommittedTx>;
}

/** What a daemon that runs says of itself. */
export interface RunningDaemon {
  readonly pid: number;
  readonly node_certificate_ends_at: string;
}

export interface RotationOptions {
  readonly kind: RotationKind;
  readonly config: ProviderConfig;
  /** of the identity */
  readonly folder: string;
  readonly client: RotationChain;
  /** the owner's: what stands on the chain is the owner's to change */
  readonly sender: RotationSender;
  /** the operator's, made when it is needed: reports that the old node has signed are sent before it goes */
  readonly operator: () => Promise<RotationSender>;
  /** the daemon of the data folder; undefined where none runs */
  readonly daemon: () => Promise<RunningDaemon | undefined>;
  readonly around: Surroundings;
  readonly pause: (ms: number) => Promise<void>;
  /** go on until it is done; else until something has to be waited for */
  readonly wait: boolean;
  /** told of each step before it begins, in words */
  readonly onStep: (text: string) => void;
  /** told of each change that has been made; tests end here */
  readonly onDone?: (text: string) => void;
}

/** One thing to be done, or to be waited for. */
export type RotationStep =
  | { readonly words: string; readonly run: () => Promise<void> }
  | { readonly words: string; readonly run?: undefined };

/** How things stand when a step is looked for. */
export interface RotationView extends RotationOptions {
  readonly identity: Identity;
  /** active */
  readonly provider: Provider;
  readonly height: bigint;
}

/** A kind of rotation: what is made first, and the step after that; undefined where nothing is under way. */
export interface Rotation {
  readonly begin: (view: RotationView) => Promise<RotationStep>;
  readonly next: (view: RotationView) => Promise<RotationStep | undefined>;
}

export interface Rotated {
  readonly done: boolean;
  /** what was done, in its order */
  readonly did: readonly string[];
  /** what is waited for */
  readonly waiting?: string;
}

/** Blocks from the entry of something new to its beginning: by then everybody has seen it. */
export const leadBlocks = 5n;
/** Between two looks. */
const lookMs = 500;

/**
 * Goes on with what is under way; where nothing is, begins.
 * @throws Error where the provider is not on the chain; ChainError, IdentityError
 */
export async function rotate(rotation: Rotation, options: RotationOptions): Promise<Rotated> {
  const did: string[] = [];
  let told = '';
  let isBegun = false;
  for (;;) {
    const view = await viewOf(options);
    const step = (await rotation.next(view)) ?? (isBegun ? undefined : await rotation.begin(view));
    isBegun = true;
    if (step === undefined) return { done: true, did };
    if (step.words !== told) options.onStep(step.words);
    told = step.words;
    if (step.run === undefined) {
      if (!options.wait) return { done: false, did, waiting: step.words };
      await options.pause(lookMs);
      continue;
    }
    await step.run();
    did.push(step.words);
    options.onDone?.(step.words);
  }
}

/** What would be done first. @throws as `rotate` */
export async function firstStep(rotation: Rotation, options: RotationOptions): Promise<string> {
  const view = await viewOf(options);
  return ((await rotation.next(view)) ?? (await rotation.begin(view))).words;
}

async function viewOf(options: RotationOptions): Promise<RotationView> {
  const identity = loadIdentity(options.folder);
  const provider = await providerOf(options.client, identity.name.provider);
  if (provider?.state !== ProviderState.PROVIDER_STATE_ACTIVE)
    throw new Error('the provider is not on the chain: run `mu-provider register` first');
  return { ...options, identity, provider, height: BigInt(await options.client.height()) };
}

/** Changes some of what the provider states, and leaves the rest as it stands. */
export async function restate({ provider, sender }: RotationView, change: Partial<Statement>): Promise<void> {
  await sender.sendAndWait([toEncodeObject(MsgUpdateProvider, { ...statementOf(provider), ...change })]);
}
