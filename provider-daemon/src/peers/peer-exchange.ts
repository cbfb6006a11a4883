/**
 * The exchange of manifests among the participants of deployments, over `mu-peer/1` (docs/MANIFESTS.md): listens, dials,
 * looks at the chain with every block, and takes what is missing from whoever may give it.
 */
import { messageOf } from '@mu/lib/error-message';
import { swarmTimes } from '../swarm/limits.ts';
import { admitPeer } from './admission.ts';
import { Dialler } from './dialler.ts';
import type { Exchange } from './exchange.ts';
import { deploymentKey, Exchanges } from './exchanges.ts';
import type { PeerFigures } from './figures.ts';
import { PeerListener } from './listener.ts';
import type { PeerExchangeOptions, PeerPlace, WantedDeployment } from './peer-exchange-options.ts';
import type { PeerCredentials } from './tls.ts';

export type { PeerExchangeOptions, PeerPlace, PeerRules, WantedDeployment } from './peer-exchange-options.ts';

/** A deployment is looked at so often: a lease that has ended is over within as many blocks. */
const busyBlocks = 2n;
/** The same where nothing is lacking and nobody is connected. */
const quietBlocks = 10n;
/** Deployments that are looked at side by side. */
const looksAtOnce = 8;

export class PeerExchange {
  readonly #options: PeerExchangeOptions;
  readonly #exchanges: Exchanges;
  readonly #listener: PeerListener;
  readonly #dialler: Dialler;
  /** by deployment, the height of the last look */
  readonly #looked = new Map<string, bigint>();
  #height = 0n;
  #round: Promise<void> | undefined;
  #isDue = false;
  #isClosed = false;
  #stopTimer: (() => void) | undefined;

  constructor(options: PeerExchangeOptions) {
    this.#options = options;
    this.#exchanges = new Exchanges(options, (exchange, link) => this.#dialler.left(exchange, link));
    this.#listener = new PeerListener(this.#exchanges);
    this.#dialler = new Dialler(this.#exchanges);
  }

  /** @returns the port; 0 at a path. @throws the system's error */
  listen(place: PeerPlace): Promise<number> {
    return this.#listener.listen(place);
  }

  /** A block: which deployments this provider takes part in now. Returns at once; the work goes on beside. */
  look(wanted: readonly WantedDeployment[], height: bigint): void {
    if (this.#isClosed) return;
    this.#height = height;
    this.#exchanges.facts.height = height;
    const { wanted: known } = this.#exchanges;
    known.clear();
    for (const one of wanted) known.set(deploymentKey(one), one);
    this.#exchanges.keepOnlyWanted();
    for (const key of this.#looked.keys()) if (!known.has(key)) this.#looked.delete(key);
    this.#stopTimer ??= this.#options.timers.after(swarmTimes.tickMs, () => this.#tick());
    this.#start();
  }

  /** A deployment was updated: it is looked at with the next block, whatever stands. */
  changed(owner: string, dseq: bigint): void {
    this.#looked.delete(deploymentKey({ owner, dseq }));
  }

  /** A renewed certificate, for connections from now on. */
  renew(credentials: PeerCredentials): void {
    this.#exchanges.credentials = credentials;
    this.#listener.renew(credentials);
  }

  figures(): PeerFigures {
    const downloads = this.#exchanges.all.filter(({ lacks, links }) => lacks && links.length > 0).length;
    return this.#exchanges.tally.figures({ connections: this.#exchanges.connections, downloads });
  }

  /** Waits until what the last look has begun is done. */
  async settled(): Promise<void> {
    while (this.#round !== undefined) await this.#round;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopTimer?.();
    this.#dialler.close();
    this.#exchanges.close();
    await this.#listener.close();
    await this.settled();
    this.#exchanges.close();
  }

  #tick(): void {
    if (this.#isClosed) return;
    this.#stopTimer = this.#options.timers.after(swarmTimes.tickMs, () => this.#tick());
    for (const exchange of this.#exchanges.all) {
      exchange.tick();
      this.#dialler.tick(exchange);
    }
  }

  #start(): void {
    this.#isDue = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  async #rounds(): Promise<void> {
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false;
      const due = [...this.#exchanges.wanted.values()].filter((one) => this.#isLookDue(one));
      const look = async (): Promise<void> => {
        for (let one = due.shift(); one !== undefined && !this.#isClosed; one = due.shift()) await this.#lookAt(one);
      };
      await Promise.all(Array.from({ length: looksAtOnce }, look));
    }
  }

  #isLookDue(wanted: WantedDeployment): boolean {
    const last = this.#looked.get(deploymentKey(wanted));
    if (last === undefined) return true;
    const isBusy = this.#exchanges.of(wanted).some(({ lacks, links }) => lacks || links.length > 0);
    return this.#height - last >= (isBusy ? busyBlocks : quietBlocks);
  }

  async #lookAt(wanted: WantedDeployment): Promise<void> {
    const { owner, dseq } = wanted;
    const key = deploymentKey(wanted);
    const height = this.#height;
    try {
      const { value } = await this.#exchanges.facts.deployment(owner, dseq);
      if (value === undefined || this.#isClosed || !this.#exchanges.wanted.has(key)) return;
      const exchange = await this.#exchanges.current(value);
      await exchange.load();
      for (const one of this.#exchanges.of(wanted)) await this.#recheck(one);
      this.#dialler.tick(exchange);
      this.#looked.set(key, height);
    } catch (error) {
      const reason = messageOf(error);
      this.#options.log.warn({ owner, dseq: dseq.toString(), reason }, 'the participants cannot be looked at now');
    }
  }

  /** Whether those who are connected still may. Where the chain is away they stay: nothing is known that says otherwise. */
  async #recheck(exchange: Exchange): Promise<void> {
    const { chainId, rules, timers } = this.#options;
    const { owner, dseq } = exchange.name;
    for (const link of exchange.links) {
      const { chain, provider, role } = link;
      const facts = await this.#exchanges.facts.peer({ owner, dseq, provider });
      const expected = { chainId, provider };
      const { serveGraceBlocks } = rules;
      const question = { ...facts, chain, expected, serveGraceBlocks, isStanding: true, nowMs: timers.now() };
      const answer = admitPeer(question);
      if (answer.admitted && answer.role === role) continue;
      if (answer.admitted) link.connection.close('its lease has changed');
      else exchange.drop(link, 'not-admitted', false);
    }
  }
}
