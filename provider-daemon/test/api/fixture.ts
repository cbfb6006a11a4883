/** A provider's API over real TLS, with a chain and a daemon of plain objects, and a tenant with a wallet. */
import type { KeyObject } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import type { BuiltManifest } from '@mu/client/manifest/build';
import type { ProviderAddress, TenantAccess } from '@mu/client/provider/provider-client';
import { type Delegation, maxDelegationMs } from '@mu/client/tenant/delegation';
import { compressedPoint, generateTenantKey } from '@mu/client/tenant/p256';
import { createDelegation, delegateByAccessKey } from '@mu/client/tenant/request';
import { build } from '../../../client/test/manifest/fixture.ts';
import { type ApiServer, startApiServer } from '../../src/api/api-server.ts';
import { EventBook } from '../../src/api/event-book.ts';
import { LogBook } from '../../src/api/log-book.ts';
import type {
  AccessKeyFact,
  LeaseInside,
  LeaseStatus,
  LeaseUsage,
  ProgressLine,
  ServiceMetrics,
  ServiceStatus,
} from '../../src/api/sources.ts';
import { type Identity, initIdentity, tlsCredentials } from '../../src/identity/identity.ts';
import { type Journal, type ManifestRecord, openJournal } from '../../src/journal/journal.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import type { DeploymentFacts } from '../../src/manifests/verify-delivery.ts';
import { WorkloadError } from '../../src/workloads/driver.ts';
import { factsOf } from '../manifests/fixture.ts';
import { counted } from '../support/surroundings.ts';

const name = { chainId: 'mu-1', provider: 'mu1provider00000', nodeId: 'node-1' };

export interface World {
  readonly at: ProviderAddress;
  readonly identity: Identity;
  readonly server: ApiServer;
  readonly store: ManifestStore;
  readonly logs: LogBook;
  readonly events: EventBook;
  /** What runs for lease 7. */
  readonly inside: {
    services: ServiceStatus[];
    metrics: ServiceMetrics[];
    usage: LeaseUsage | undefined;
    progress: ProgressLine[];
    exec: LeaseInside['exec'];
  };
  readonly built: BuiltManifest;
  readonly owner: string;
  /** What the chain says; tests change it. */
  readonly chain: {
    deployment: DeploymentFacts | undefined;
    down: boolean;
    live: boolean;
    height: bigint;
    accessKeys: AccessKeyFact[];
    leaseStatus: LeaseStatus | undefined;
  };
  readonly clock: { nowMs: number };
  readonly taken: ManifestRecord[];
  /** Names in the store's folder. */
  stored(): string[];
  /** Of an access key of the deployment. */
  keyAccess(accessKey: KeyObject, change?: Partial<Delegation>): Promise<TenantAccess>;
  access(change?: Partial<Delegation>, signer?: Secp256k1HdWallet): Promise<TenantAccess>;
  close(): Promise<void>;
}

export interface WorldOptions {
  readonly execIdleMs?: number;
  /** Where the API listens; absent: a port of its own. */
  readonly path?: string;
}

export async function createWorld({ path, ...limits }: WorldOptions = {}): Promise<World> {
  const base = mkdtempSync(join(tmpdir(), 'mu-api-'));
  const identity = await initIdentity(join(base, 'identity'), name, counted());
  const journal: Journal = openJournal(join(base, 'journal'), name);
  const store = new ManifestStore({
    folder: join(base, 'manifests'),
    index: journal.manifests,
    random: counted().random,
  });
  const wallet = await Secp256k1HdWallet.generate(12, { prefix: 'mu' });
  const owner = (await wallet.getAccounts())[0]!.address;
  const built = build({ owner });
  const clock = { nowMs: Date.now() };
  const chain: World['chain'] = {
    deployment: factsOf(built),
    down: false,
    live: true,
    height: 42n,
    accessKeys: [],
    leaseStatus: undefined,
  };
  const now = () => clock.nowMs;
  const logs = new LogBook({ now, folder: join(base, 'logs'), segmentBytes: 4_096 });
  const events = new EventBook({ now, folder: join(base, 'events') });
  const inside: World['inside'] = {
    services: [],
    metrics: [],
    usage: undefined,
    progress: [],
    exec: () => Promise.reject(new WorkloadError('invalid', 'nothing runs')),
  };
  const taken: ManifestRecord[] = [];
  const ask = <T>(value: T): Promise<T> => (chain.down ? Promise.reject(new Error('down')) : Promise.resolve(value));
  const server = await startApiServer({
    listen: path === undefined ? { address: '127.0.0.1', port: 0 } : { path },
    ...name,
    credentials: tlsCredentials(identity),
    now,
    recheckMs: 20,
    ...limits,
    logger: { info: () => undefined, warn: () => undefined },
    sources: {
      facts: {
        deployment: () => ask(chain.deployment),
        lease: (lease) =>
          ask(lease === 7n ? { lease, owner, dseq: 17n, infrastructure: 'main', live: chain.live } : undefined),
        accessKeys: () => ask(chain.accessKeys),
      },
      manifests: store,
      logs,
      events,
      inside: {
        services: (lease) => (lease === 7n ? inside.services : []),
        metrics: (lease) => Promise.resolve(lease === 7n ? inside.metrics : []),
        usage: (lease) => (lease === 7n ? inside.usage : undefined),
        exec: (lease, service, request) => inside.exec(lease, service, request),
      },
      progress: () => inside.progress,
      status: () => ({ height: chain.height, leases: 1, services: ['mu-function'], regions: ['eu'] }),
      leaseStatus: () => chain.leaseStatus,
      onManifest: (record) => taken.push(record),
    },
  });
  const at = {
    hostUri: `https://127.0.0.1:${server.port}`,
    chainId: name.chainId,
    provider: name.provider,
    roots: [identity.rootCertificate],
    allowPrivatePeers: true,
  };
  const keyed = (owner: string, change: Partial<Delegation>): { key: KeyObject; delegation: Delegation } => {
    const key = generateTenantKey();
    const issuedMs = Math.floor(clock.nowMs / 1000) * 1000;
    const delegation: Delegation = {
      chainId: name.chainId,
      provider: name.provider,
      owner,
      dseq: 17n,
      scopes: ['logs', 'manifest', 'read'],
      publicKey: compressedPoint(key),
      issuedMs,
      expiresMs: issuedMs + maxDelegationMs,
      ...change,
    };
    return { key, delegation };
  };
  return {
    ...{ at, identity, server, store, logs, events, inside, built, owner, chain, clock, taken },
    stored: () => readdirSync(join(base, 'manifests')),
    keyAccess: async (accessKey, change = {}) => {
      const { key, delegation } = keyed(owner, change);
      return { key, delegation: delegateByAccessKey(accessKey, delegation), now };
    },
    access: async (change = {}, signer = wallet) => {
      const { key, delegation } = keyed((await signer.getAccounts())[0]!.address, change);
      return { key, delegation: await createDelegation(signer, delegation), now };
    },
    close: async () => {
      await server.close();
      await Promise.all([logs.settled(), events.settled()]);
      await journal.close();
      rmSync(base, { recursive: true });
    },
  };
}
