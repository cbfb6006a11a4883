/** A peer with whom a manifest is exchanged, and where the conversation with it stands. */
import { swarmLimits, swarmTimes } from '../swarm/limits.ts';
import type { SwarmMessage } from '../swarm/messages.ts';
import type { PeerRole } from './admission.ts';
import type { PeerConnection } from './connection.ts';
import type { PeerLimits } from './limits.ts';

/** A peer that was admitted. */
export interface AdmittedPeer {
  /** Its provider: what it is counted by. */
  readonly provider: string;
  /** As it has shown them, in DER. */
  readonly chain: readonly Uint8Array[];
  readonly role: PeerRole;
  /** When its certificate ends. */
  readonly notAfterMs: number;
  /** True where this side has dialled. */
  readonly isDialled: boolean;
  readonly connection: PeerConnection;
}

export interface Link extends AdmittedPeer {
  readonly sinceMs: number;
  /** The machine knows it. */
  isIntroduced: boolean;
  /** What it has, said before the head was here. */
  early: Extract<SwarmMessage, { type: 'pieces' }> | undefined;
  /** It has answered that it has no head, and has not said otherwise since. */
  isHeadless: boolean;
  /** When the head was asked of it; undefined where no answer is due. */
  headAskedMs: number | undefined;
  isHeadSent: boolean;
  emptyHeads: number;
  /** When keys were asked of it last, and whether the answer is due. */
  keysAskedMs: number;
  areKeysDue: boolean;
  /** When it asked for keys last. */
  keysAnsweredMs: number;
  /** Messages about pieces that came since `countedMs`. */
  messages: number;
  countedMs: number;
}

export function linkTo(peer: AdmittedPeer, nowMs: number): Link {
  return {
    ...peer,
    ...{ sinceMs: nowMs, isIntroduced: false, early: undefined },
    ...{ isHeadless: false, headAskedMs: undefined, isHeadSent: false, emptyHeads: 0 },
    ...{ keysAskedMs: Number.NEGATIVE_INFINITY, areKeysDue: false, keysAnsweredMs: Number.NEGATIVE_INFINITY },
    ...{ messages: 0, countedMs: nowMs },
  };
}

/** Counts a message. @returns false where it is one more than anybody needs within a tick */
export function isWithinBounds(link: Link, nowMs: number): boolean {
  if (nowMs - link.countedMs >= swarmTimes.tickMs) {
    link.countedMs = nowMs;
    link.messages = 0;
  }
  link.messages += 1;
  return link.messages <= swarmLimits.messages;
}

/**
 * What a peer says of its pieces while there is no head here: kept as one message, whatever it says more.
 * @returns false for a message that has no place there
 */
export function keepEarly(link: Link, message: SwarmMessage): boolean {
  if (message.type === 'pieces') {
    if (link.early !== undefined) return false;
    link.early = message;
    link.isHeadless = false;
    return true;
  }
  if (link.early === undefined) return false;
  const { count, have } = link.early;
  if (message.type === 'done') {
    have.fill(0xff);
    if (count % 8 > 0) have[have.length - 1] = (0xff << (8 - (count % 8))) & 0xff;
    return true;
  }
  if (message.type !== 'have' || message.piece >= count) return false;
  have[message.piece >> 3] = (have[message.piece >> 3] as number) | (0x80 >> (message.piece & 7));
  return true;
}

/** Why a connection is to end now; undefined: it stays. @param of `isIdle`: neither side lacks anything */
export function whyOver(
  link: Pick<Link, 'isDialled' | 'sinceMs'> & { readonly connection: Pick<PeerConnection, 'heardMs'> },
  of: { readonly isIdle: boolean; readonly nowMs: number; readonly limits: PeerLimits },
): string | undefined {
  const { isIdle, nowMs, limits } = of;
  const quietMs = nowMs - Math.max(link.connection.heardMs, link.sinceMs);
  if (link.isDialled && isIdle && quietMs >= limits.idleMs) return 'neither side lacks anything';
  const mostMs = link.isDialled ? limits.silentMs : limits.forgottenMs;
  return quietMs >= mostMs ? 'nothing was heard of it for long' : undefined;
}

/**
 * Of two connections to one peer, whether the new one stays. Where both sides have dialled at once, the one of the lower
 * provider stays, by bytes; else the newer one, since who dials knows of no other.
 */
export function isReplacedBy(
  old: Pick<Link, 'isDialled' | 'sinceMs'>,
  fresh: Pick<AdmittedPeer, 'isDialled' | 'provider'>,
  of: { readonly own: string; readonly nowMs: number; readonly atOnceMs: number },
): boolean {
  if (old.isDialled === fresh.isDialled || of.nowMs - old.sinceMs >= of.atOnceMs) return true;
  const [dialler, other] = fresh.isDialled ? [of.own, fresh.provider] : [fresh.provider, of.own];
  // Addresses are ASCII: their characters are in the order of their bytes.
  return dialler < other;
}
