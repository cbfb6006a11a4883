/**
 * A tunnel: one declared connection between two nodes, kept up by sessions. Each goes on by the newest certificates of both
 * sides; the side that has dialled one replaces it after a day: new streams go to the next, the old ones end where they are.
 */
import type { Duplex } from 'node:stream';
import { spreadBackOffMs } from '../back-off.ts';
import type { StreamRoute } from '../network/relay.ts';
import type { DatagramRoute, DatagramSession } from '../network/udp-relay.ts';
import type { TunnelCredentials } from './certificates.ts';
import { closeCodes } from './frames.ts';
import type { Session } from './session.ts';
import { noCounters, type SessionCounters, type SessionEnd, sumOf } from './session-options.ts';
import { SessionWaiters } from './session-waiters.ts';
import { Standing } from './standing.ts';
import {
  type AdmittedSocket,
  type CutReason,
  type TunnelLimits,
  type TunnelOptions,
  tunnelLimits,
} from './tunnel-options.ts';

export class Tunnel implements StreamRoute, DatagramRoute {
  readonly #options: TunnelOptions;
  readonly #limits: TunnelLimits;
  /** The latest one last; those before it drain. */
  #standing: Standing[] = [];
  readonly #waiting: SessionWaiters;
  readonly #closing = new AbortController();
  #stopTimer: (() => void) | undefined;
  /** When the next attempt is planned. */
  #dueAtMs = Number.POSITIVE_INFINITY;
  #isDialling = false;
  /** When the latest attempt began. */
  #dialledAtMs = Number.NEGATIVE_INFINITY;
  /** What the attempt has come to. */
  #pending: Standing | undefined;
  #failures = 0;
  /** Newer ones than at least one handshake has shown. */
  #credentials: TunnelCredentials | undefined;
  /** When the latest one was up. */
  #upAtMs = 0;
  /** When the last one that was up ended; before the first one, when it all began. */
  #downSinceMs: number;
  #past: SessionCounters = noCounters;
  #end: string | undefined;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#limits = { ...tunnelLimits, ...options.limits };
    this.#waiting = new SessionWaiters(options.timers, this.#limits);
    this.#downSinceMs = options.timers.now();
    if (this.#patience() > 0) this.#again(this.#patience());
    else void this.#dial();
  }

  /** A session is up. */
  get isUp(): boolean {
    return this.#current() !== undefined;
  }

  /** Sessions that are not over: more than one while old ones drain. */
  get sessions(): readonly Session[] {
    return this.#standing.map(({ session }) => session);
  }

  /** Of all its sessions, those that are over included: sums never fall. */
  counters(): SessionCounters {
    return this.#standing.map(({ session }) => session.counters()).reduce(sumOf, this.#past);
  }

  /** A peer has dialled, and was admitted: from now on this is the session for new streams. */
  accept(admitted: AdmittedSocket): void {
    if (this.#end === undefined) this.#stand(admitted, false);
    else admitted.socket.destroy();
  }

  /** What was admitted is looked at again. @param verdict why the peer of a session may not go on, if so */
  review(verdict: (chain: readonly Uint8Array[]) => CutReason | undefined): void {
    for (const one of [...this.#standing]) one.review(verdict);
  }

  /** This side has newer certificates: sessions that stand show them to the peer, and go on by them. */
  renew(credentials: TunnelCredentials): void {
    this.#credentials = credentials;
    for (const one of this.#standing) one.show(credentials);
  }

  /** What an attempt failed for may be over: the back-off begins anew, and the next one is due, where no session is up. */
  hurry(): void {
    this.#failures = 0;
    this.#want();
  }

  /** Resolves when a session is up. @throws Error where there is none in time */
  async whenUp(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#current() === undefined) await this.#next(signal);
  }

  /** Caller: over the latest session; waits a little for one. @throws Error where there is none in time */
  async open(signal: AbortSignal): Promise<Duplex> {
    signal.throwIfAborted();
    const session = this.#current() ?? (await this.#next(signal));
    return session.open(signal);
  }

  /** Caller. @returns undefined where no session is up */
  openDatagrams(far: { message(bytes: Buffer): void; closed(): void }): DatagramSession | undefined {
    const session = this.#current();
    if (session === undefined) this.#want();
    return session?.openDatagrams(far);
  }

  /** At once, with all streams, and for good: the lease has ended, or a certificate is revoked. */
  cut(code: number, text: string): void {
    if (this.#end === undefined) this.#close(text);
    for (const { session } of [...this.#standing]) session.cut(code, text);
    this.#log(`cut: ${text}`);
  }

  /** Takes no new streams, and is over when those that are open are. */
  drain(): void {
    if (this.#end !== undefined) return;
    this.#close('the tunnel ends');
    for (const { session } of [...this.#standing]) session.drain();
  }

  #close(text: string): void {
    this.#end = text;
    this.#closing.abort();
    this.#unplan();
    this.#waiting.fail(new Error(`the tunnel is down: ${text}`));
  }

  #current(): Session | undefined {
    return this.#latest()?.session;
  }

  #latest(): Standing | undefined {
    if (this.#end !== undefined) return undefined;
    const { role } = this.#options;
    const isFor = ({ session, isLeaving }: Standing): boolean =>
      role === 'caller' ? session.isTaking : session.isUp && !isLeaving;
    return this.#standing.findLast(isFor);
  }

  /** For how long it is still waited for the peer to dial. */
  #patience(): number {
    const { patienceMs = 0, timers } = this.#options;
    // A clock that was set back must not make it longer.
    return patienceMs - Math.max(0, timers.now() - this.#downSinceMs);
  }

  #next(signal: AbortSignal): Promise<Session> {
    if (this.#end !== undefined) throw new Error(`the tunnel is down: ${this.#end}`);
    const session = this.#waiting.wait(signal);
    this.#want();
    return session;
  }

  /** Somebody waits for a session: whatever the back-off says, the next attempt is due a second after the last one. */
  #want(): void {
    if (this.#end !== undefined || this.#current() !== undefined) return;
    if (this.#isDialling || this.#patience() > 0) return;
    const waitMs = this.#soonMs();
    if (waitMs === 0) void this.#dial();
    else if (this.#options.timers.now() + waitMs < this.#dueAtMs) this.#again(waitMs);
  }

  #soonMs(): number {
    const { leastDialMs } = this.#limits;
    const sinceMs = this.#options.timers.now() - this.#dialledAtMs;
    // A clock that was set back must not make it longer.
    return Math.min(leastDialMs, Math.max(0, leastDialMs - sinceMs));
  }

  async #dial(): Promise<void> {
    const { dial, timers } = this.#options;
    if (dial === undefined || this.#isDialling || this.#end !== undefined) return;
    const latest = this.#latest();
    if (latest !== undefined && this.#standing.length >= this.#limits.maxSessions - 1) {
      // Streams hold the older ones for days: one more session would cost the oldest its streams.
      this.#planReplacement(latest);
      return;
    }
    this.#isDialling = true;
    this.#dialledAtMs = timers.now();
    this.#unplan();
    const late = new AbortController();
    const stop = timers.after(this.#limits.dialMs, () => late.abort(new Error('no answer in time')));
    try {
      const signal = AbortSignal.any([this.#closing.signal, late.signal]);
      const admitted = await dial(signal);
      if (signal.aborted) {
        admitted.socket.destroy();
        throw signal.reason;
      }
      // The attempt is over when the session is up, or over.
      this.#pending = this.#stand(admitted, true);
    } catch (error) {
      this.#isDialling = false;
      this.#retry((error as Error).message);
    } finally {
      stop();
    }
  }

  #stand(admitted: AdmittedSocket, isOwn: boolean): Standing {
    const { role, streams, datagrams, timers, limits, admitPeer } = this.#options;
    while (this.#standing.length >= this.#limits.maxSessions) {
      this.#standing[0]!.session.cut(closeCodes.shutdown, 'newer sessions have taken its place');
    }
    const standing: Standing = new Standing(admitted, {
      ...{ isOwn, admitPeer, log: (text: string) => this.#log(text) },
      onRenewed: () => {
        if (standing === this.#latest() && !this.#isDialling) this.#planReplacement(standing);
      },
      session: {
        ...{ role, timers },
        ...(streams === undefined ? {} : { streams }),
        ...(datagrams === undefined ? {} : { datagrams }),
        limits: { helloMs: this.#limits.dialMs, ...limits },
        events: {
          up: () => this.#onUp(standing),
          goingAway: () => this.#onGoingAway(standing),
          closed: (end) => this.#onClosed(standing, end),
        },
      },
    });
    this.#standing.push(standing);
    return standing;
  }

  #onUp(standing: Standing): void {
    this.#endAttempt(standing);
    const { role, timers } = this.#options;
    standing.wasUp = true;
    this.#upAtMs = timers.now();
    this.#log('up');
    // The caller says which one is for new streams: where both sides dial at once, both would choose otherwise.
    const others = role === 'caller' ? this.#standing.filter((one) => one !== standing && one.session.isUp) : [];
    for (const one of others) one.drain();
    this.#waiting.give(standing.session);
    this.#options.onUp?.();
    // They may have come while it was dialled.
    if (this.#credentials !== undefined) standing.show(this.#credentials);
    this.#planReplacement(standing);
  }

  /** Who has dialled replaces it. */
  #planReplacement(standing: Standing): void {
    if (standing.isOwn) this.#again(Math.max(this.#limits.leastLifeMs, standing.replaceInMs()));
    else this.#unplan();
  }

  /** The peer replaces it, or leaves: who dials sees whether there is another. */
  #onGoingAway(standing: Standing): void {
    const didTake = standing.isForStreams;
    standing.isLeaving = true;
    if (this.#current() === undefined) this.#downSinceMs = this.#options.timers.now();
    this.#goOn('the peer takes no new streams', didTake);
  }

  #onClosed(standing: Standing, end: SessionEnd): void {
    standing.leave();
    this.#standing = this.#standing.filter((one) => one !== standing);
    this.#past = { ...sumOf(this.#past, standing.session.counters()), open: 0 };
    if (standing.wasUp && this.#current() === undefined) this.#downSinceMs = this.#options.timers.now();
    const why = end.byPeer ? `the peer says: ${end.text}` : end.text;
    if (this.#endAttempt(standing)) this.#retry(why);
    else this.#goOn(why, standing.isForStreams);
  }

  /** A session takes no streams any more: another goes on, or there is to be one. @param didTake it took them until now */
  #goOn(why: string, didTake: boolean): void {
    if (this.#isDialling) return;
    const latest = this.#latest();
    if (latest !== undefined) this.#planReplacement(latest);
    else if (didTake) this.#retry(why);
    else this.#log(why);
  }

  /** @returns whether it was what the attempt had come to so far */
  #endAttempt(standing: Standing): boolean {
    if (this.#pending !== standing) return false;
    this.#pending = undefined;
    this.#isDialling = false;
    return true;
  }

  /** After a while, twice as long after each failure; one that stood for long counts as none. */
  #retry(why: string): void {
    if (this.#end !== undefined) return;
    this.#log(why);
    // The peer has dialled in the meantime, and renews what it has dialled.
    if (this.#latest()?.isOwn === false) return;
    const { firstBackOffMs, mostBackOffMs, leastLifeMs } = this.#limits;
    const { timers, random } = this.#options;
    if (this.#upAtMs > 0 && timers.now() - this.#upAtMs >= leastLifeMs) this.#failures = 0;
    this.#upAtMs = 0;
    const bounds = { first: firstBackOffMs, most: mostBackOffMs };
    const againMs = spreadBackOffMs(this.#failures, bounds, random());
    this.#failures += 1;
    const patienceMs = this.#current() === undefined ? this.#patience() : 0;
    this.#again(Math.max(patienceMs, this.#waiting.size > 0 ? Math.min(againMs, this.#soonMs()) : againMs));
  }

  /** The next attempt; the last one that was planned counts. */
  #again(ms: number): void {
    this.#unplan();
    const { dial, timers } = this.#options;
    if (dial === undefined) return;
    this.#dueAtMs = timers.now() + ms;
    this.#stopTimer = timers.after(ms, () => void this.#dial());
  }

  #unplan(): void {
    this.#stopTimer?.();
    this.#dueAtMs = Number.POSITIVE_INFINITY;
  }

  #log(text: string): void {
    this.#options.log(`tunnel ${this.#options.name}: ${text}`);
  }
}
