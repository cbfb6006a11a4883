/** `mu-provider withdraw`: leaves the market, step by step, each as the chain stands then. May be called again at any time. */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError, unlessMissing } from '@mu/client/chain/errors';
import { toEncodeObject } from '@mu/client/chain/registry';
import { CloseReason, MsgAnnounceLeave, MsgCancelFulfillment, MsgCloseLease } from '@mu/proto/market';
import { MsgDeregisterProvider } from '@mu/proto/provider';
import { liveLeases, openBidsOf } from './provider-chain.ts';
import { nextStep, type Standing, type WithdrawStep } from './withdraw-plan.ts';

export interface WithdrawOptions {
  readonly client: ChainClient;
  /** the owner's: all of it is the owner's to do, and the daemon's sequence is left alone */
  readonly sender: {
    readonly address: string;
    sendAndWait(messages: readonly EncodeObject[]): Promise<CommittedTx>;
  };
  readonly provider: string;
  /** go on until the provider has left; else until something has to be waited for */
  readonly wait: boolean;
  readonly pause: (ms: number) => Promise<void>;
  /** told of each step when it begins, in words */
  readonly onStep: (text: string) => void;
}

export interface Withdrawn {
  /** the provider has left */
  readonly left: boolean;
  /** what was done, in its order */
  readonly did: readonly string[];
  /** transactions, in their order */
  readonly hashes: readonly string[];
  /** what is waited for, and until which height */
  readonly waiting?: { readonly why: string; readonly height: bigint };
  /** block at which the deposit returns; 0: none is locked */
  readonly deposit_returns_at?: bigint;
}

/** Between two looks at the chain. */
const lookMs = 500;
/** A daemon that runs takes back bids too, leases end by themselves: who comes second is refused, and looks again. */
const maxRefusals = 5;

/** @throws ChainError where the chain refuses a step again and again */
export async function withdraw(options: WithdrawOptions): Promise<Withdrawn> {
  const { client, sender, onStep } = options;
  const did: string[] = [];
  const hashes: string[] = [];
  let refusals = 0;
  let told = '';
  for (;;) {
    const next = nextStep(await standingOf(options));
    if (next.step === 'done') return { left: true, did, hashes, deposit_returns_at: next.depositHeight };
    const text = wordsOf(next);
    if (text !== told) onStep(text);
    told = text;
    if (next.step === 'wait') {
      const { why, height } = next;
      if (!options.wait) return { left: false, did, hashes, waiting: { why, height } };
      await untilHeight(client, height, options.pause);
      continue;
    }
    try {
      const { hash } = await sender.sendAndWait(messagesOf(next, options));
      hashes.push(hash);
      did.push(next.step);
      refusals = 0;
    } catch (error) {
      refusals += 1;
      if (!(error instanceof ChainError) || refusals > maxRefusals) throw error;
      onStep(`refused, the chain is asked again: ${error.message}`);
      await untilHeight(client, 0n, options.pause);
    }
  }
}

/** How things stand, and so what comes next: shown before anything is done. */
export async function standingOf({
  client,
  provider,
}: Pick<WithdrawOptions, 'client' | 'provider'>): Promise<Standing> {
  const height = BigInt(await client.height());
  const found = await unlessMissing(client.provider.provider({ owner: provider }));
  const [openBids, leases] = await Promise.all([openBidsOf(client, provider), liveLeases(client, provider)]);
  return { height, provider: found?.provider, openBids, leases };
}

function messagesOf(
  next: Exclude<WithdrawStep, { step: 'wait' | 'done' }>,
  { sender, provider }: WithdrawOptions,
): EncodeObject[] {
  const { address } = sender;
  const reason = CloseReason.CLOSE_REASON_PROVIDER_NOTICE;
  switch (next.step) {
    case 'cancel-bids':
      return next.bids.map((number) => toEncodeObject(MsgCancelFulfillment, { sender: address, number }));
    case 'announce-leave':
      return next.leases.map((lease) => toEncodeObject(MsgAnnounceLeave, { sender: address, lease }));
    case 'close-leases':
      return next.leases.map((lease) => toEncodeObject(MsgCloseLease, { sender: address, lease, reason }));
    case 'deregister':
      return [toEncodeObject(MsgDeregisterProvider, { owner: provider })];
  }
}

export function wordsOf(next: WithdrawStep): string {
  switch (next.step) {
    case 'cancel-bids':
      return `take back ${next.bids.length} open bids`;
    case 'announce-leave':
      return `give notice of leases ${next.leases.join(', ')}`;
    case 'close-leases':
      return `end leases ${next.leases.join(', ')}, whose notice is over`;
    case 'deregister':
      return 'leave the registry; the deposit returns after its unbonding time';
    case 'wait':
      return `wait ${next.height > 0n ? `for height ${next.height}` : 'for the next block'}: ${next.why}`;
    case 'done':
      return 'nothing is left to be done';
  }
}

/** @param height 0: one more block than now */
async function untilHeight(client: ChainClient, height: bigint, pause: WithdrawOptions['pause']): Promise<void> {
  const wanted = height > 0n ? Number(height) : (await client.height()) + 1;
  // A notice runs for days: a node that is away for a while does not end the wait.
  while ((await client.height().catch(() => 0)) < wanted) await pause(lookMs);
}
