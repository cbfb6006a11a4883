/**
 * A session of a tunnel, and the certificates that it stands on: those of its handshake until either side has shown newer
 * ones (docs/OVERLAY.md, Renewal). It is cut when the first of the two in force ends.
 */
import type { Admission } from './admission.ts';
import type { TunnelCredentials } from './certificates.ts';
import { Breach, closeCodes, type Renewal } from './frames.ts';
import { chainOf, type RenewalProofs } from './renewal.ts';
import { Session } from './session.ts';
import type { SessionOptions } from './session-options.ts';
import type { AdmittedSocket, CutReason, ShownCertificate, Validity } from './tunnel-options.ts';

export interface StandingOptions {
  /** Without the socket. */
  readonly session: Omit<SessionOptions, 'socket'>;
  /** This side has dialled it, and replaces it. */
  readonly isOwn: boolean;
  /** What is said of certificates that the peer shows in the session. */
  readonly admitPeer: (chain: readonly Uint8Array[]) => Admission;
  /** What it stands on has changed. */
  readonly onRenewed: () => void;
  readonly log: (text: string) => void;
}

export class Standing {
  readonly session: Session;
  readonly isOwn: boolean;
  readonly #options: StandingOptions;
  readonly #proofs: RenewalProofs;
  #sinceMs: number;
  wasUp = false;
  /** One of both sides wants no new streams. */
  isLeaving = false;
  /** What the peer has seen of this side last. */
  #own: ShownCertificate;
  #peer: Validity;
  #chain: readonly Uint8Array[];
  /** Newer ones of the peer, which were not admitted yet. */
  #offered: readonly Uint8Array[] | undefined;
  #stopExpiry: () => void;

  constructor({ socket, chain, own, peer, proofs }: AdmittedSocket, options: StandingOptions) {
    this.#options = options;
    this.#proofs = proofs;
    this.#sinceMs = options.session.timers.now();
    [this.isOwn, this.#chain, this.#peer, this.#own] = [options.isOwn, chain, peer, own];
    const events = { ...options.session.events, renewed: (renewal: Renewal) => this.#onRenewal(renewal) };
    this.session = new Session({ ...options.session, socket, events });
    this.#stopExpiry = this.#planExpiry();
  }

  /**
   * When it is to be replaced, in milliseconds from now: a quarter before the end of either certificate, which is long after
   * both were to be renewed; and after a day, so that new streams have new keys.
   */
  replaceInMs(): number {
    const nowMs = this.#options.session.timers.now();
    // A clock that was set back must not make it longer.
    this.#sinceMs = Math.min(this.#sinceMs, nowMs);
    const ends = [this.#own, this.#peer].map((one) => lateMs(one, this.#sinceMs));
    return Math.min(this.#sinceMs + replaceAfterMs, ...ends) - nowMs;
  }

  /** New streams may be opened by it, or might have been until it ended. */
  get isForStreams(): boolean {
    return this.wasUp && !this.isLeaving;
  }

  /** Another one is for new streams. */
  drain(): void {
    this.isLeaving = true;
    this.session.drain();
  }

  /** Shows this side's newest certificates to the peer, unless it has seen them. */
  show(credentials: TunnelCredentials): void {
    const [der] = chainOf(credentials.cert);
    if (der.equals(this.#own.der)) return;
    this.session.renew(this.#proofs.prove(credentials));
    this.#own = { ...credentials, der };
    this.#renewed();
  }

  /** Looks again at what was admitted, and at what was not yet. @param verdict why it may not go on, if so */
  review(verdict: (chain: readonly Uint8Array[]) => CutReason | undefined): void {
    if (this.#offered !== undefined) this.#take(this.#offered);
    const reason = verdict(this.#chain);
    if (reason !== undefined) this.session.cut(reason.code, reason.text);
  }

  /** It is over. */
  leave(): void {
    this.#stopExpiry();
  }

  #onRenewal(renewal: Renewal): void {
    if (!this.#proofs.isProved(renewal)) throw new Breach('certificates whose key is not proved');
    const refused = this.#take(renewal.chain);
    if (refused !== undefined) this.#options.log(`newer certificates of the peer are not admitted yet: ${refused}`);
  }

  /** Those that are not admitted change nothing; they are looked at again with the next news. @returns why, if so */
  #take(chain: readonly Uint8Array[]): string | undefined {
    const admission = this.#options.admitPeer(chain);
    this.#offered = admission.admitted ? undefined : chain;
    if (!admission.admitted) return admission.text;
    this.#chain = chain;
    this.#peer = admission;
    this.#renewed();
    return undefined;
  }

  #renewed(): void {
    this.#stopExpiry();
    this.#stopExpiry = this.#planExpiry();
    this.#options.onRenewed();
  }

  #planExpiry(): () => void {
    const { timers } = this.#options.session;
    const endMs = Math.min(this.#own.notAfterMs, this.#peer.notAfterMs);
    return timers.after(endMs - timers.now(), () =>
      this.session.cut(closeCodes.expired, 'a certificate of the tunnel has expired'),
    );
  }
}

const replaceAfterMs = 24 * 60 * 60 * 1000;

/** One that was late when the session began is not to be had newer by a handshake now: the next is when half of it is left. */
function lateMs({ notBeforeMs, notAfterMs }: Validity, sinceMs: number): number {
  const atMs = notAfterMs - (notAfterMs - notBeforeMs) / 4;
  return atMs > sinceMs ? atMs : (sinceMs + notAfterMs) / 2;
}
