/**
 * Who takes part in a deployment, and what the chain says of them: what tunnels are opened by and manifests handed out by
 * (design §6, Trust). Lists only say which records to read; each record is proved.
 */
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { allItems, pageFrom } from '@mu/client/chain/pages';
import type { ProvedViews } from '@mu/client/light/connect';
import { type Lease, LeaseState, ManifestState } from '@mu/proto/market';
import { OrderNames } from './order-names.ts';

/** A root certificate of a provider, as the chain has it. */
export interface RootFact {
  /** DER. */
  readonly certificate: Uint8Array;
  readonly validFromHeight: bigint;
  /** The last block at which it holds; 0 for no end. */
  readonly validToHeight: bigint;
}

/** A node, as the chain has it. */
export interface NodeFact {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly validFromHeight: bigint;
  readonly validToHeight: bigint;
  /** The block of its removal; 0 while it stands. */
  readonly removedHeight: bigint;
}

/** What a lease's state comes to: one that is out of funds has not ended, its provider may serve it on. */
export type Standing = 'active' | 'out_of_funds' | 'broken' | 'closed';

/** A lease of a deployment. */
export interface Participant {
  readonly lease: bigint;
  readonly provider: string;
  /** Name of the infrastructure. */
  readonly infrastructure: string;
  readonly standing: Standing;
  /** The block of its end; 0 while it lives. */
  readonly closedHeight: bigint;
  /** Its provider confirms that the workloads run. */
  readonly isRunning: boolean;
}

/** What the chain says of a deployment, as of one look. */
export interface DeploymentView {
  readonly chainId: string;
  readonly owner: string;
  readonly dseq: bigint;
  /** SHA-256 of the manifest, 32 bytes, and its revision. */
  readonly version: Uint8Array;
  readonly revision: bigint;
  /** Those that live, and the last `maxEnded` that were closed. */
  readonly participants: readonly Participant[];
}

/** A provider as others reach it and know it. */
export interface PeerProvider {
  readonly provider: string;
  /** `https://host:port`. */
  readonly hostUri: string;
  readonly roots: readonly RootFact[];
  /** By the node's id: those that stand. */
  readonly nodes: ReadonlyMap<string, NodeFact>;
}

/** The newest height that is proved, and the time of the block that proves it, in milliseconds since 1970. */
export interface ChainView {
  readonly chainId: string;
  readonly height: bigint;
  readonly verifiedAtMs: number;
}

/** Of a deployment's leases that were closed, the newest that are looked at: their holders may still serve its manifest. */
export const maxEnded = 8;
/** Nodes of one provider that are looked at. */
const maxNodes = 64;

/** A lease that lives: its holder may have tunnels and manifests. */
export function holds({ standing }: Pick<Participant, 'standing'>): boolean {
  return standing === 'active' || standing === 'out_of_funds';
}

export class Participants {
  readonly #client: ChainClient;
  readonly #names: OrderNames;
  readonly #seen: ProvedViews['seen'];

  constructor({ settled, seen }: Pick<ProvedViews, 'settled' | 'seen'>) {
    this.#client = settled;
    this.#names = new OrderNames(settled);
    this.#seen = seen;
  }

  /** @throws where the chain cannot be asked, or shows nothing new enough */
  async view(): Promise<ChainView> {
    const { height, timeMs } = await this.#seen();
    return { chainId: this.#client.chainId, height, verifiedAtMs: timeMs };
  }

  /** Undefined where there is no such deployment. */
  async deployment(owner: string, dseq: bigint): Promise<DeploymentView | undefined> {
    const [found, numbers] = await Promise.all([
      unlessMissing(this.#client.deployment.deployment({ owner, dseq })),
      this.#listed(owner, dseq),
    ]);
    if (found?.deployment === undefined) return undefined;
    const participants = await Promise.all(numbers.map((number) => this.#participant(number, { owner, dseq })));
    const { version, revision } = found.deployment;
    const { chainId } = this.#client;
    return { chainId, owner, dseq, version, revision, participants: participants.flat() };
  }

  /** Undefined where the chain has no such provider. */
  async provider(owner: string): Promise<PeerProvider | undefined> {
    const { provider: registry } = this.#client;
    const [found, listed] = await Promise.all([
      unlessMissing(registry.provider({ owner })),
      allItems(
        (pagination) => registry.nodes({ owner, pagination }),
        ({ nodes }) => nodes,
      ),
    ]);
    if (found?.provider === undefined) return undefined;
    const standing = listed.filter(({ removedHeight }) => removedHeight === 0n).slice(-maxNodes);
    const nodes = await Promise.all(
      standing.map(async ({ nodeId }) => (await unlessMissing(registry.node({ owner, nodeId })))?.node),
    );
    return {
      provider: owner,
      hostUri: found.provider.hostUri,
      roots: found.provider.roots,
      nodes: new Map(nodes.flatMap((node) => (node === undefined ? [] : [[node.nodeId, node] as const]))),
    };
  }

  async #listed(owner: string, dseq: bigint): Promise<bigint[]> {
    const { market } = this.#client;
    const { LEASE_STATE_ACTIVE, LEASE_STATE_OUT_OF_FUNDS, LEASE_STATE_CLOSED } = LeaseState;
    const newest = { ...pageFrom(new Uint8Array(), BigInt(maxEnded)), reverse: true };
    const lists = await Promise.all([
      ...[LEASE_STATE_ACTIVE, LEASE_STATE_OUT_OF_FUNDS].map((state) =>
        allItems(
          (pagination) => market.leases({ owner, dseq, state, pagination }),
          ({ leases }) => leases,
        ),
      ),
      market.leases({ owner, dseq, state: LEASE_STATE_CLOSED, pagination: newest }).then(({ leases }) => leases),
    ]);
    return [...new Set(lists.flat().map(({ number }) => number))];
  }

  async #participant(
    number: bigint,
    of: { readonly owner: string; readonly dseq: bigint },
  ): Promise<readonly Participant[]> {
    const lease = (await unlessMissing(this.#client.market.lease({ number })))?.lease;
    if (lease?.order?.owner !== of.owner || lease.order.dseq !== of.dseq) return [];
    return [
      {
        lease: number,
        provider: lease.provider,
        infrastructure: await this.#names.of(lease),
        standing: standingOf(lease),
        closedHeight: lease.closedHeight,
        isRunning: lease.manifestState === ManifestState.MANIFEST_STATE_RUNNING,
      },
    ];
  }
}

function standingOf({ state }: Pick<Lease, 'state'>): Standing {
  if (state === LeaseState.LEASE_STATE_ACTIVE) return 'active';
  if (state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) return 'out_of_funds';
  return state === LeaseState.LEASE_STATE_BROKEN ? 'broken' : 'closed';
}
