/**
 * Keeps the links of leases with other infrastructures: looks at what the chain says of those who take part, and tells the
 * data plane. It runs beside the confirmations, and none of its troubles is anybody else's: a lease starts without links,
 * and what was linked stays while the chain is away (docs/OVERLAY.md).
 */

import { isDeepStrictEqual } from 'node:util';
import { messageOf } from '@mu/lib/error-message';
import type { DeploymentId } from '@mu/proto/deployment';
import type { Logger } from 'pino';
import type { ServedLinks } from '../data-plane/links.ts';
import type { Plane } from '../data-plane/plane.ts';
import type { NodeName } from '../identity/certificates.ts';
import type { Timers } from '../overlay/timers.ts';
import type { FarConnections } from './far-connections.ts';
import { LinkBook, type LinkedDeployment, type LinkedLease } from './link-book.ts';
import { farInfrastructures, holdersOf, type LinkQuestion, maxTunnels, servedLinks, wishedLinks } from './links.ts';
import type { ChainView, Participants, PeerProvider } from './participants.ts';
import type { LeasePlace } from './plan.ts';
import type { Issuer, TunnelCertificates } from './tunnel-certificates.ts';

/** Deployments that are looked at side by side. */
const looksAtOnce = 8;
/** A lease that starts waits no longer for its links: its peers may be away for good. */
export const startWaitMs = 5_000;

export interface LinkKeeperOptions {
  readonly participants: Pick<Participants, 'view' | 'deployment' | 'provider'>;
  readonly plane: Pick<Plane, 'link' | 'view'>;
  /** This node. */
  readonly node: NodeName;
  readonly certificates: TunnelCertificates;
  readonly timers: Timers;
  readonly log: Logger;
}

/** A link as an operator sees it. */
export interface LinkReport {
  readonly role: 'caller' | 'callee';
  /** The workload here. */
  readonly service: string;
  readonly connection: string;
  /** The other provider and its node, or a lease of this provider's own. */
  readonly peer: string;
}

/** What several looks have in common: the height they are for, and each provider asked about once. */
interface Round {
  readonly view: ChainView;
  readonly providers: Map<string, Promise<PeerProvider | undefined>>;
}

const noLinks: ServedLinks = { tunnels: [], neighbours: [] };

export class LinkKeeper {
  readonly #options: LinkKeeperOptions;
  readonly #book = new LinkBook(looksAtOnce);
  readonly #lanes = Array.from({ length: looksAtOnce }, () => Promise.resolve());
  /** First looks of leases that start. */
  readonly #starts = new Set<Promise<void>>();
  /** What was said to be in trouble: once, until it is over. */
  readonly #troubled = new Set<string>();
  #round: Promise<void> | undefined;
  /** A block came while a round was under way. */
  #isAgain = false;
  #isClosed = false;

  constructor(options: LinkKeeperOptions) {
    this.#options = options;
  }

  /**
   * A plan is being brought up; its ways stand at the data plane. Links of the plan before it are replaced. Resolves when it
   * is linked, or cannot be now, or after `startWaitMs`; never throws.
   */
  async started(place: LeasePlace, plan: FarConnections): Promise<void> {
    const { lease } = place;
    if (plan.farCalls.length + plan.farOffers.length === 0) {
      this.stopped(lease);
      await this.#trying('plane', () => this.#options.plane.link(`${lease}`, noLinks));
      return;
    }
    const deployment = this.#book.put(place, plan);
    const look = this.#firstLook(deployment);
    this.#starts.add(look);
    void look.then(() => this.#starts.delete(look));
    const late = Promise.withResolvers<void>();
    const stop = this.#options.timers.after(startWaitMs, late.resolve);
    await Promise.race([look, late.promise]);
    stop();
  }

  /** Nothing runs for a lease any more: what the data plane has of it is withdrawn by whoever says so. */
  stopped(lease: bigint): void {
    const place = this.#book.lease(lease)?.place;
    if (place !== undefined) this.#troubled.delete(`${place.owner}/${place.dseq}`);
    this.#book.remove(lease);
    this.#options.certificates.forget(lease);
  }

  /** A block has touched a lease of a deployment, whosever it is. */
  deployment(id: DeploymentId): void {
    this.#book.touch(id);
  }

  /** A block has touched a provider: its address, its roots or its nodes. */
  provider(owner: string): void {
    this.#book.touchProvider(owner);
  }

  /** The node's certificate, or its key, is another one: all tunnels get new certificates. */
  renew(issuer: Issuer): void {
    this.#options.certificates.renew(issuer);
    this.#book.touchAll();
  }

  /**
   * A block: looks at what is due, beside whatever else a block brings. Blocks that come while it looks are one.
   * @param complete events may have been missed: everything is due
   */
  height(complete: boolean): void {
    if (complete) this.#book.touchAll();
    if (this.#isClosed) return;
    this.#isAgain = true;
    this.#round ??= this.#rounds().finally(() => {
      this.#round = undefined;
    });
  }

  /** As the data plane has been told last. */
  links(lease: bigint): readonly LinkReport[] {
    const { tunnels, neighbours } = this.#book.lease(lease)?.told ?? noLinks;
    return [
      ...tunnels.map(({ role, own, connection, peer }) => ({
        ...{ role, service: own.workload, connection },
        peer: `${peer.provider}/${peer.nodeId} ${peer.infrastructure}/${peer.workload}`,
      })),
      ...neighbours.map(({ far, lease: other, caller }) => ({
        ...{ role: 'caller' as const, service: caller.workload, connection: far, peer: `lease ${other}` },
      })),
    ];
  }

  /** Waits until what is under way has ended. */
  async settled(): Promise<void> {
    await this.#round;
    await Promise.all([...this.#starts, ...this.#lanes]);
  }

  /** Looks at nothing any more; resolves when what is under way has ended. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.settled();
  }

  /** Where the chain cannot be asked it is due with the next block. */
  async #firstLook(deployment: LinkedDeployment): Promise<void> {
    const round = await this.#newRound();
    if (round === undefined) this.#book.touch(deployment);
    else await this.#enqueue(deployment, round);
  }

  async #rounds(): Promise<void> {
    while (this.#isAgain && !this.#isClosed) {
      this.#isAgain = false;
      const round = await this.#newRound();
      // What was touched stays so, and is looked at once the chain answers.
      if (round === undefined) continue;
      await Promise.all(this.#book.takeDue().map((deployment) => this.#enqueue(deployment, round)));
    }
  }

  /** Tells the data plane how far the chain is seen. @returns undefined where it cannot be asked: the old view stays */
  async #newRound(): Promise<Round | undefined> {
    const { participants, plane } = this.#options;
    const view = await this.#trying('chain', () => participants.view());
    if (view === undefined) return undefined;
    const { height, verifiedAtMs } = view;
    await this.#trying('plane', () => plane.view({ height: `${height}`, verifiedAtMs }));
    return { view, providers: new Map() };
  }

  #enqueue(deployment: LinkedDeployment, round: Round): Promise<void> {
    const { lane } = deployment;
    const next = (this.#lanes[lane] as Promise<void>).then(() => this.#look(deployment, round));
    this.#lanes[lane] = next;
    return next;
  }

  /** Never throws: what was linked stays, and it is looked at again with the next block. */
  async #look(deployment: LinkedDeployment, round: Round): Promise<void> {
    if (this.#isClosed || deployment.leases.size === 0) return;
    const { owner, dseq } = deployment;
    const done = await this.#trying(`${owner}/${dseq}`, async () => {
      const found = (await this.#options.participants.deployment(owner, dseq)) ?? { participants: [] };
      const providers = await this.#providersOf(deployment, found, round);
      for (const lease of [...deployment.leases.values()]) {
        const { place, plan } = lease;
        const { node } = this.#options;
        const question = { place, plan, node, deployment: found, providers, height: round.view.height };
        await this.#link(lease, question);
      }
      return true;
    });
    if (done !== true) this.#book.touch(deployment);
  }

  async #providersOf(
    deployment: LinkedDeployment,
    found: LinkQuestion['deployment'],
    { providers }: Round,
  ): Promise<ReadonlyMap<string, PeerProvider>> {
    const { participants, node } = this.#options;
    const far = new Set([...deployment.leases.values()].flatMap(({ plan }) => [...farInfrastructures(plan)]));
    const names = [...far].flatMap((one) => holdersOf(found, one).map(({ provider }) => provider));
    const asked = new Set(names.filter((name) => name !== node.provider));
    deployment.providers = asked;
    const answers = await Promise.all(
      [...asked].map(async (name) => {
        const answer = providers.get(name) ?? participants.provider(name);
        providers.set(name, answer);
        return [name, await answer] as const;
      }),
    );
    return new Map(answers.flatMap(([name, answer]) => (answer === undefined ? [] : [[name, answer] as const])));
  }

  async #link(lease: LinkedLease, question: LinkQuestion): Promise<void> {
    const { plane, certificates } = this.#options;
    const number = lease.place.lease;
    const wished = wishedLinks(question);
    const credentials = await certificates.of(number, wished.tunnels);
    const current = this.#book.lease(number);
    if (current === undefined) certificates.forget(number);
    // Meanwhile it was stopped, or another plan took its place, which is looked at by itself.
    if (current !== lease) return;
    const links = servedLinks(wished, credentials);
    this.#sayLeftOut(lease, wished.leftOut);
    if (isDeepStrictEqual(links, lease.told)) return;
    lease.told = undefined;
    await plane.link(`${number}`, links);
    lease.told = links;
  }

  #sayLeftOut(lease: LinkedLease, leftOut: number): void {
    if (leftOut === lease.leftOut) return;
    lease.leftOut = leftOut;
    const about = { lease: lease.place.lease.toString(), tunnels: maxTunnels, left_out: leftOut };
    if (leftOut === 0) this.#options.log.info(about, 'all tunnels of the lease are held');
    else {
      const what = 'the lease has more connections to other datacenters than are held, some peers are not reached';
      this.#options.log.warn(about, `${what}: its user should name fewer callers, or connect fewer workloads`);
    }
  }

  /** @returns undefined where it does not work, which is said once until it works again */
  async #trying<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
    const { log } = this.#options;
    try {
      const answer = await work();
      if (this.#troubled.delete(what)) log.info({ what }, 'links are kept again');
      return answer;
    } catch (error) {
      const reason = messageOf(error);
      if (!this.#troubled.has(what))
        log.warn({ what, reason }, 'links cannot be brought up to date, what was linked stays; it is tried again');
      this.#troubled.add(what);
      return undefined;
    }
  }
}
