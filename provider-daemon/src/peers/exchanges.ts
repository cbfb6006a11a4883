/** All manifests that are exchanged, by deployment and revision, with the line that they share. */
import type { DeploymentView } from '../leases/participants.ts';
import type { ManifestName } from '../swarm/messages.ts';
import { admitPeer } from './admission.ts';
import { Exchange } from './exchange.ts';
import type { PeerDropReason, TakenFrom } from './exchange-options.ts';
import { PeerTally } from './figures.ts';
import { peerLimits } from './limits.ts';
import { Line } from './line.ts';
import type { Link } from './link.ts';
import type { PeerExchangeOptions, WantedDeployment } from './peer-exchange-options.ts';
import { PeerFacts } from './peer-facts.ts';
import type { PeerCredentials } from './tls.ts';

export const deploymentKey = ({ owner, dseq }: { readonly owner: string; readonly dseq: bigint }): string =>
  `${owner}/${dseq}`;

export class Exchanges {
  readonly options: PeerExchangeOptions;
  /** What is shown to peers from now on. */
  credentials: PeerCredentials;
  readonly facts: PeerFacts;
  readonly tally = new PeerTally();
  readonly wanted = new Map<string, WantedDeployment>();
  /** by deployment, its revision on the chain as it was looked at last */
  readonly #revisions = new Map<string, bigint>();
  readonly #exchanges = new Map<string, Exchange>();
  readonly #lines: { readonly up: Line; readonly down: Line };
  readonly #onLeft: (exchange: Exchange, link: Link, why: string) => void;

  constructor(options: PeerExchangeOptions, onLeft: (exchange: Exchange, link: Link, why: string) => void) {
    this.options = options;
    this.credentials = options.credentials;
    this.facts = new PeerFacts(options.facts);
    const { rules, timers, limits } = options;
    const { memoryBytes: most, memoryOfPeerBytes: mostOfPeer } = { ...peerLimits, ...limits };
    const line = (rate: number): Line => new Line(rate, timers, { most, mostOfPeer });
    this.#lines = { up: line(rules.uploadRate), down: line(rules.downloadRate) };
    this.#onLeft = onLeft;
  }

  get all(): readonly Exchange[] {
    return [...this.#exchanges.values()];
  }

  /** Connections to admitted peers. */
  get connections(): number {
    return this.all.reduce((sum, { links }) => sum + links.length, 0);
  }

  of(deployment: { readonly owner: string; readonly dseq: bigint }): readonly Exchange[] {
    return this.all.filter(({ name }) => name.owner === deployment.owner && name.dseq === deployment.dseq);
  }

  find({ owner, dseq, revision }: Pick<ManifestName, 'owner' | 'dseq' | 'revision'>): Exchange | undefined {
    return this.#exchanges.get(`${owner}/${dseq}/${revision}`);
  }

  /** The exchange of what stands on the chain now; older ones but the last are over. */
  async current(view: DeploymentView): Promise<Exchange> {
    const { chainId, owner, dseq, revision, version } = view;
    this.#revisions.set(deploymentKey(view), revision);
    for (const exchange of this.of(view)) if (exchange.name.revision + 1n < revision) this.#end(exchange);
    return this.open({ chainId, owner, dseq, revision, version });
  }

  /** @returns that of the name, taken up from the disk where it is new */
  async open(name: ManifestName): Promise<Exchange> {
    const known = this.find(name);
    if (known !== undefined) return known;
    const { options } = this;
    const exchange: Exchange = new Exchange({
      ...{ name, own: options.own, store: options.store, timers: options.timers, random: options.random },
      lines: this.#lines,
      held: () => this.#held(name),
      leasesOf: (link) => this.#leasesOf(name, link),
      events: {
        taken: (from) => this.#taken(name, from),
        dropped: (link, reason) => this.#dropped(name, link, reason),
        trouble: (text) => options.log.warn(fieldsOf(name), `manifest: ${text}`),
        moved: (direction, bytes) => this.tally.move(direction, bytes),
        left: (link, why) => this.#onLeft(exchange, link, why),
      },
      ...(options.limits === undefined ? {} : { limits: options.limits }),
    });
    this.#exchanges.set(exchange.swarm, exchange);
    await exchange.load();
    return exchange;
  }

  /** Ends those of deployments that are not wanted any more. */
  keepOnlyWanted(): void {
    for (const exchange of this.all) if (!this.wanted.has(deploymentKey(exchange.name))) this.#end(exchange);
    for (const key of this.#revisions.keys()) if (!this.wanted.has(key)) this.#revisions.delete(key);
  }

  close(): void {
    for (const exchange of this.all) this.#end(exchange);
    this.#lines.up.close();
    this.#lines.down.close();
  }

  #end(exchange: Exchange): void {
    this.#exchanges.delete(exchange.swarm);
    exchange.close();
  }

  /** An older revision than the chain's is served and not asked for. */
  #held(name: ManifestName): readonly string[] {
    const key = deploymentKey(name);
    return this.#revisions.get(key) === name.revision ? (this.wanted.get(key)?.infrastructures ?? []) : [];
  }

  async #leasesOf({ chainId, owner, dseq }: ManifestName, { chain, provider }: Link): Promise<readonly string[]> {
    const { options } = this;
    const facts = await this.facts.peer({ owner, dseq, provider }, true);
    const { serveGraceBlocks } = options.rules;
    const question = { ...facts, chain, expected: { chainId, provider }, serveGraceBlocks, isStanding: false };
    const answer = admitPeer({ ...question, nowMs: options.timers.now() });
    if (!answer.admitted) throw new Error(answer.text);
    const live = facts.deployment?.participants.filter(
      (one) => one.provider === provider && (one.standing === 'active' || one.standing === 'out_of_funds'),
    );
    return live?.map(({ infrastructure }) => infrastructure) ?? [];
  }

  #taken(name: ManifestName, from: TakenFrom): void {
    this.tally.taken += 1;
    const { owner, dseq, revision } = name;
    const givers = [...from].map(([provider, pieces]) => `${provider} (${pieces} piece${pieces === 1 ? '' : 's'})`);
    const text = `took the manifest of ${owner}/${dseq} revision ${revision} from ${givers.join(' and ')}`;
    this.options.log.info({ ...fieldsOf(name), from: [...from.keys()] }, text);
    this.options.onTaken?.({ owner, dseq, revision }, from);
  }

  #dropped(name: ManifestName, { provider }: Link, reason: PeerDropReason): void {
    this.tally.drop(reason);
    const text = `dropped ${provider}: ${dropTexts[reason]}`;
    this.options.log.warn({ ...fieldsOf(name), peer: provider, reason }, text);
  }
}

const fieldsOf = ({ owner, dseq, revision }: ManifestName) => ({
  owner,
  dseq: dseq.toString(),
  revision: revision.toString(),
});

const dropTexts: { readonly [K in PeerDropReason]: string } = {
  'false-piece': 'a piece that it sent is not of the manifest’s file',
  'bad-message': 'it sent a message out of turn, or about a piece that there is not',
  unasked: 'it asked without leave, or sent what nobody asked for, too often',
  repeats: 'it asked for what it was sent before, too often',
  flood: 'it sent more messages than anybody needs',
  timeouts: 'it grants pieces and does not give them',
  silent: 'it did not answer in time',
  'too-many-peers': 'there are too many peers, it may come again',
  banned: 'it was dropped for good before',
  'false-head': 'its head is not the one whose hash stands on the chain',
  'false-key': 'a key that it sent opens nothing',
  'not-admitted': 'its lease, its node or its certificate holds no longer',
};
