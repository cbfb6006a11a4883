/** The same spread for real: TLS over 127.0.0.1, disks, and rate limits as wide as the simulated lines. */
import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificatePem, issueNode, issueRoot } from '../../provider-daemon/src/identity/certificates.ts';
import { generateKey, rawPublicKey, toPem } from '../../provider-daemon/src/identity/keys.ts';
import type { DeploymentView, PeerProvider } from '../../provider-daemon/src/leases/participants.ts';
import { realTimers } from '../../provider-daemon/src/overlay/timers.ts';
import { PeerExchange } from '../../provider-daemon/src/peers/peer-exchange.ts';
import { type RealManifest, RealStore, realManifest } from './real-store.ts';

export interface RealFigures {
  readonly peers: number;
  readonly pieces: number;
  /** From the first look at the chain to the last piece of the last peer. */
  readonly lastPeerMs: number;
  readonly firstHolderCopies: number;
}

const deployment = { chainId: 'mu-bench', owner: 'mu1owner00000000', dseq: 1n } as const;
const random = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
/** Where a transfer does not end by itself. */
const mostMs = 300_000;

interface RealPeer {
  readonly exchange: PeerExchange;
  readonly store: RealStore;
  readonly whole: Promise<void>;
}

/** @param rate bytes a second, either way, of each peer. @throws Error where it does not end in five minutes */
export async function spreadForReal(peers: number, pieces: number, rate: number): Promise<RealFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-manifests-'));
  const manifest = realManifest(pieces, deployment, random);
  const known = new Map<string, PeerProvider>();
  const all: RealPeer[] = [];
  try {
    for (let at = 0; at < peers; at += 1) {
      const own = join(folder, String(at));
      mkdirSync(own);
      all.push(await realPeer(`mu1peer${at}0000000`, { manifest, known, rate, folder: own }));
    }
    await all[0]?.store.give();
    const beganMs = performance.now();
    for (const { exchange } of all) exchange.look([{ ...deployment, infrastructures: ['main'] }], 1n);
    await ended(all.slice(1).map(({ whole }) => whole));
    const lastPeerMs = performance.now() - beganMs;
    const sent = all[0]?.exchange.figures().sentBytes ?? 0;
    return { peers, pieces, lastPeerMs, firstHolderCopies: sent / manifest.bytes };
  } finally {
    await Promise.all(all.map(({ exchange }) => exchange.close()));
    await Promise.all(all.map(({ store }) => store.close()));
    rmSync(folder, { recursive: true });
  }
}

async function ended(all: readonly Promise<void>[]): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`not all have it after ${mostMs / 1000} s`)), mostMs);
  try {
    await Promise.race([Promise.all(all), promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function realPeer(
  provider: string,
  of: {
    readonly manifest: RealManifest;
    readonly known: Map<string, PeerProvider>;
    readonly rate: number;
    readonly folder: string;
  },
): Promise<RealPeer> {
  const { known, manifest } = of;
  const [rootKey, nodeKey] = [generateKey('p256'), generateKey('ed25519')];
  const around = { now: Date.now, random };
  const root = await issueRoot(rootKey, provider, around);
  const name = { chainId: deployment.chainId, provider, nodeId: 'node-1' };
  const node = await issueNode({ rootKey, rootCertificate: root, nodeKey, name }, around);
  const store = new RealStore(manifest, of.folder);
  const { promise: whole, resolve } = Promise.withResolvers<void>();
  const exchange = new PeerExchange({
    ...{ chainId: deployment.chainId, own: provider, store, timers: realTimers, random: (end) => randomInt(end) },
    credentials: { key: toPem(nodeKey), cert: certificatePem(node) + certificatePem(root) },
    facts: {
      view: async () => ({ chainId: deployment.chainId, height: 1n, verifiedAtMs: Date.now() }),
      deployment: async () => viewOf(manifest, [...known.keys()]),
      provider: async (one) => known.get(one),
    },
    rules: {
      ...{ uploadRate: of.rate, downloadRate: of.rate, maxPeers: 64, serveGraceBlocks: 0n },
      allowPrivatePeers: true,
    },
    log: { info: () => {}, warn: (_, text) => console.error(`${provider}: ${text}`) },
    onTaken: () => resolve(),
  });
  const port = await exchange.listen({ host: '127.0.0.1', port: 0 });
  const heights = { validFromHeight: 0n, validToHeight: 0n };
  known.set(provider, {
    ...{ provider, hostUri: `https://127.0.0.1:${port}`, roots: [{ certificate: root, ...heights }] },
    nodes: new Map([['node-1', { publicKey: rawPublicKey(nodeKey), ...heights, removedHeight: 0n }]]),
  });
  return { exchange, store, whole };
}

function viewOf({ version }: RealManifest, providers: readonly string[]): DeploymentView {
  const lease = { infrastructure: 'main', standing: 'active', closedHeight: 0n, isRunning: false } as const;
  const participants = providers.map((provider, at) => ({ ...lease, lease: BigInt(at + 1), provider }));
  return { ...deployment, revision: 1n, version, participants };
}
