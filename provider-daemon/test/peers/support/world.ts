/** Providers on 127.0.0.1 that exchange manifests over real TLS, and a chain that says what a test wants. */
import { randomInt } from 'node:crypto';
import { certificatePem } from '../../../src/identity/certificates.ts';
import { rawPublicKey, toPem } from '../../../src/identity/keys.ts';
import type { DeploymentView, Participant, PeerProvider } from '../../../src/leases/participants.ts';
import { realTimers } from '../../../src/overlay/timers.ts';
import {
  PeerExchange,
  type PeerExchangeOptions,
  type PeerPlace,
  type PeerRules,
} from '../../../src/peers/peer-exchange.ts';
import { chainId, makeProvider, owner, type TestProvider } from '../../overlay/support/providers.ts';
import { counted } from '../../support/surroundings.ts';
import { MemoryStore, makeManifest, type TestManifest } from './manifests.ts';

export const around = counted();

export interface TestPeer extends TestProvider {
  readonly store: MemoryStore;
  readonly exchange: PeerExchange;
  /** What it says to its operator. */
  readonly log: string[];
  /** From whom manifests came: by revision. */
  readonly taken: Map<bigint, ReadonlyMap<string, number>>;
  readonly port: number;
}

const rules: PeerRules = {
  ...{ uploadRate: 0, downloadRate: 0, maxPeers: 64, serveGraceBlocks: 100n, allowPrivatePeers: true },
};

export interface PeerSettings {
  readonly infrastructures?: readonly string[];
  readonly rules?: Partial<PeerRules>;
  readonly change?: Partial<PeerExchangeOptions>;
  /** What the chain says that its lease is; false: it has none. */
  readonly lease?: Partial<Participant> | false;
  readonly store?: MemoryStore;
  /** Where it listens; any port of 127.0.0.1. */
  readonly place?: PeerPlace;
}

export class World {
  readonly manifests: TestManifest[];
  height = 100n;
  /** The revision on the chain. */
  revision = 1n;
  verifiedAtMs: () => number = () => Date.now();
  isAway = false;
  participants: Participant[] = [];
  readonly providers = new Map<string, PeerProvider>();
  readonly peers: TestPeer[] = [];
  readonly #infrastructures = new Map<TestPeer, readonly string[]>();

  /** Two revisions, of so many pieces. */
  constructor(pieces: number) {
    this.manifests = [makeManifest(pieces, 1n, around), makeManifest(pieces, 2n, around)];
  }

  get manifest(): TestManifest {
    return this.manifests[Number(this.revision) - 1] as TestManifest;
  }

  get name() {
    return { chainId, version: this.manifest.version };
  }

  /** The chain as all see it. */
  readonly facts: PeerExchangeOptions['facts'] = {
    view: async () => {
      if (this.isAway) throw new Error('the node is away');
      return { chainId, height: this.height, verifiedAtMs: this.verifiedAtMs() };
    },
    deployment: async (of, dseq): Promise<DeploymentView | undefined> => {
      if (of !== owner || (dseq !== 7n && dseq !== 8n)) return undefined;
      const { revision, manifest } = this;
      const participants = dseq === 7n ? this.participants : this.others;
      return { chainId, owner, dseq, revision, version: manifest.version, participants: [...participants] };
    },
    provider: async (provider) => this.providers.get(provider),
  };

  /** Leases of the deployment 8. */
  others: Participant[] = [];

  /** Registers a provider and starts its side. */
  async peer(name: string, settings: PeerSettings = {}): Promise<TestPeer> {
    const provider = await makeProvider(`mu1${name}00000000`, around);
    const store = settings.store ?? new MemoryStore(this.manifests);
    const log: string[] = [];
    const taken = new Map<bigint, ReadonlyMap<string, number>>();
    const exchange = new PeerExchange({
      ...{ chainId, own: provider.provider, facts: this.facts, store, timers: realTimers, random: randomInt },
      credentials: credentialsOf(provider),
      rules: { ...rules, ...settings.rules },
      log: { info: (_, text) => log.push(text), warn: (_, text) => log.push(text) },
      onTaken: ({ revision }, from) => taken.set(revision, from),
      ...settings.change,
    });
    const port = await exchange.listen(settings.place ?? { host: '127.0.0.1', port: 0 });
    const peer = { ...provider, store, exchange, log, taken, port };
    this.register(provider, port);
    const infrastructures = settings.infrastructures ?? ['web'];
    if (settings.lease !== false)
      this.lease(provider.provider, { infrastructure: infrastructures[0] ?? 'web', ...settings.lease });
    this.#infrastructures.set(peer, infrastructures);
    this.peers.push(peer);
    return peer;
  }

  register({ provider, nodeId, root, nodeKey }: TestProvider, port: number): void {
    const node = { publicKey: rawPublicKey(nodeKey), validFromHeight: 1n, validToHeight: 0n, removedHeight: 0n };
    this.providers.set(provider, {
      ...{ provider, hostUri: `https://127.0.0.1:${port}` },
      roots: [{ certificate: root, validFromHeight: 1n, validToHeight: 0n }],
      nodes: new Map([[nodeId, node]]),
    });
  }

  lease(provider: string, change: Partial<Participant> = {}): Participant {
    const lease: Participant = {
      ...{ lease: BigInt(this.participants.length + 1), provider, infrastructure: 'web', standing: 'active' as const },
      ...{ closedHeight: 0n, isRunning: true, ...change },
    };
    this.participants.push(lease);
    return lease;
  }

  /** A block: all look. */
  block(): void {
    this.height += 1n;
    for (const peer of this.peers) this.look(peer);
  }

  look(peer: TestPeer): void {
    const infrastructures = this.#infrastructures.get(peer) ?? [];
    peer.exchange.look([{ owner, dseq: 7n, infrastructures }], this.height);
  }

  async close(): Promise<void> {
    await Promise.all(this.peers.map(({ exchange }) => exchange.close()));
  }
}

export function credentialsOf({ nodeKey, node, root }: TestProvider): { key: string; cert: string } {
  return { key: toPem(nodeKey), cert: certificatePem(node) + certificatePem(root) };
}

/** All pieces and these keys are there. */
export function isWhole({ store }: Pick<TestPeer, 'store'>, revision = 1n, keys: readonly string[] = []): boolean {
  const carried = store.held.get(revision);
  return carried?.have().isFull === true && keys.every((name) => carried.keys.has(name));
}
