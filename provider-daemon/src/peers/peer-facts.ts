/** What the chain says of deployments and of peers, looked at once a block, so that strangers cannot make us ask more. */
import type { ChainView, DeploymentView, Participants, PeerProvider } from '../leases/participants.ts';

export type PeerFactSource = Pick<Participants, 'view' | 'deployment' | 'provider'>;

/** All that `admitPeer` asks of the chain. */
export interface FactsOfPeer {
  readonly view: ChainView;
  readonly deployment: DeploymentView | undefined;
  readonly provider: PeerProvider | undefined;
}

/** A record, and the view by which it was proved. */
export interface Proved<T> {
  readonly value: T;
  readonly view: ChainView;
}

interface Entry<T> extends Proved<T> {
  readonly atHeight: bigint;
}

/** Records of each kind that are kept. */
const maxKept = 1_024;

export class PeerFacts {
  readonly #source: PeerFactSource;
  #height = 0n;
  /** Deployments that were looked at once more since the last block. */
  readonly #lookedAgain = new Set<string>();
  readonly #deployments = new Kept<DeploymentView | undefined>();
  readonly #providers = new Kept<PeerProvider | undefined>();

  constructor(source: PeerFactSource) {
    this.#source = source;
  }

  /** A block has come: what was looked at before is looked at anew. */
  set height(height: bigint) {
    if (height !== this.#height) this.#lookedAgain.clear();
    this.#height = height;
  }

  /** @param fresh asked of the chain in any case. @throws where it cannot be asked, and was not asked before */
  deployment(owner: string, dseq: bigint, fresh = false): Promise<Proved<DeploymentView | undefined>> {
    return this.#deployments.get(`${owner}/${dseq}`, this.#how(fresh), () => this.#source.deployment(owner, dseq));
  }

  /** Looked at once more, but once a block at most: who asks for it may be anybody. */
  async deploymentAgain(owner: string, dseq: bigint): Promise<Proved<DeploymentView | undefined>> {
    const key = `${owner}/${dseq}`;
    const isFresh = !this.#lookedAgain.has(key);
    if (isFresh) this.#lookedAgain.add(key);
    return this.deployment(owner, dseq, isFresh);
  }

  provider(owner: string, fresh = false): Promise<Proved<PeerProvider | undefined>> {
    return this.#providers.get(owner, this.#how(fresh), () => this.#source.provider(owner));
  }

  /** Both, by the older view of the two. */
  async peer(of: { owner: string; dseq: bigint; provider: string }, fresh = false): Promise<FactsOfPeer> {
    const [deployment, provider] = await Promise.all([
      this.deployment(of.owner, of.dseq, fresh),
      this.provider(of.provider, fresh),
    ]);
    const view = deployment.view.verifiedAtMs < provider.view.verifiedAtMs ? deployment.view : provider.view;
    return { view, deployment: deployment.value, provider: provider.value };
  }

  #how(fresh: boolean) {
    return { fresh, height: this.#height, view: () => this.#source.view() };
  }
}

class Kept<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #underWay = new Map<string, Promise<Entry<T>>>();

  async get(
    key: string,
    how: { readonly fresh: boolean; readonly height: bigint; readonly view: () => Promise<ChainView> },
    load: () => Promise<T>,
  ): Promise<Proved<T>> {
    const known = this.#entries.get(key);
    if (!how.fresh && known?.atHeight === how.height) return known;
    try {
      // One that began before a question cannot answer what is to be proved after it.
      if (how.fresh) return await this.#load(key, how, load);
      const underWay = this.#underWay.get(key) ?? this.#load(key, how, load);
      this.#underWay.set(key, underWay);
      return await underWay;
    } catch (error) {
      // The chain is away: what it said last, with when that was.
      if (known === undefined || how.fresh) throw error;
      return known;
    } finally {
      if (!how.fresh) this.#underWay.delete(key);
    }
  }

  async #load(
    key: string,
    { height, view }: { readonly height: bigint; readonly view: () => Promise<ChainView> },
    load: () => Promise<T>,
  ): Promise<Entry<T>> {
    const entry = { view: await view(), value: await load(), atHeight: height };
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxKept) this.#entries.delete(oldest as string);
    return entry;
  }
}
