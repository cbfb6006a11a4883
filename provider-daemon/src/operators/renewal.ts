/** Renews the node's certificate while the daemon runs, and says in time what cannot be renewed. */
import { messageOf } from '@mu/lib/error-message';
import type { Logger } from 'pino';
import {
  type Identity,
  IdentityError,
  loadIdentity,
  renewalDueMs,
  renewNodeCertificate,
  type Surroundings,
} from '../identity/identity.ts';
import { changedIdentity } from '../identity/rotation-files.ts';
import type { Expiry } from './expiry.ts';

/** Between two looks at what ends. */
export const renewalCheckMs = 86_400_000;
/** After a renewal that failed. */
const againMs = 3_600_000;
/** A rotation is found so soon; timers cannot wait longer than 2³¹ ms, and this also finds a clock that was set. */
const tickMs = 5_000;

/**
 * The identity of a folder, its node certificate renewed where that is due. Without the root's key it serves on until the
 * certificate has ended.
 * @throws IdentityError when it cannot be read, or has ended and cannot be renewed
 */
export async function openIdentity(folder: string, around: Surroundings, log: Logger): Promise<Identity> {
  const identity = loadIdentity(folder);
  try {
    return await renewNodeCertificate(identity, around);
  } catch (error) {
    if (!(error instanceof IdentityError) || around.now() >= identity.nodeCertificate.notAfterMs) throw error;
    log.warn({ reason: error.message }, 'the node certificate cannot be renewed yet');
    return identity;
  }
}

export interface RenewalOptions {
  readonly identity: Identity;
  readonly around: Surroundings;
  /** All that ends, as it stands now. */
  readonly expiries: (identity: Identity) => readonly Expiry[];
  /** A new certificate: to be served from now on. */
  readonly onRenewed: (identity: Identity) => void;
  readonly log: Logger;
}

export class Renewal {
  readonly #options: RenewalOptions;
  #identity: Identity;
  #nextMs: number;
  #timer: NodeJS.Timeout | undefined;
  #checking: Promise<void> | undefined;
  /** Why the identity on the disk was not taken, the last time that this was said. */
  #refused = '';

  constructor(options: RenewalOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#nextMs = options.around.now();
  }

  /** As it is served now. */
  get identity(): Identity {
    return this.#identity;
  }

  /** Renews what is due, and logs what ends soon; nothing before a day has passed since the last time. Never throws. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = undefined;
    });
    return this.#checking;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), tickMs);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#checking;
  }

  async #check(): Promise<void> {
    const { around, expiries, log } = this.#options;
    this.#reload();
    if (around.now() < this.#nextMs) return;
    this.#nextMs = around.now() + renewalCheckMs;
    await this.#renew();
    for (const { level, kind, text } of expiries(this.#identity)) {
      if (level === 'over') log.error({ kind, reason: text }, 'something has expired');
      else if (level === 'soon') log.warn({ kind, reason: text }, 'something expires soon');
    }
  }

  /** Another program may have put a certificate of a new root there: that one is served, and renewed, from now on. */
  #reload(): void {
    const { onRenewed, log } = this.#options;
    try {
      const changed = changedIdentity(this.#identity);
      // Another node's is for the next start: reports and the journal are this one's.
      if (changed === undefined || changed.name.nodeId !== this.#identity.name.nodeId) return;
      this.#identity = changed;
      onRenewed(changed);
      log.info(
        { until: new Date(changed.nodeCertificate.notAfterMs).toISOString() },
        'the node certificate was replaced',
      );
    } catch (error) {
      const reason = messageOf(error);
      if (reason !== this.#refused) log.warn({ reason }, 'the identity on the disk is not taken');
      this.#refused = reason;
    }
  }

  async #renew(): Promise<void> {
    const { around, onRenewed, log } = this.#options;
    if (around.now() < renewalDueMs(this.#identity)) return;
    try {
      this.#identity = await renewNodeCertificate(this.#identity, around);
      onRenewed(this.#identity);
      const until = new Date(this.#identity.nodeCertificate.notAfterMs).toISOString();
      log.info({ until }, 'the node certificate was renewed');
    } catch (error) {
      this.#nextMs = around.now() + againMs;
      log.warn({ reason: messageOf(error) }, 'the node certificate is not renewed');
    }
  }
}
