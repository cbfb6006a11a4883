/** A provider's API over real TLS, with a chain and a daemon of plain objects, and a tenant with a wallet. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import type { BuiltManifest } from '@mu/client/manifest/build';
import type { ProviderAddress, TenantAccess } from '@mu/client/provider/provider-client';
import { type Delegation, maxDelegationMs } from '@mu/client/tenant/delegation';
import { compressedPoint, generateTenantKey } from '@mu/client/tenant/p256';
import { createDelegation } from '@mu/client/tenant/request';
import { build } from '../../../client/test/manifest/fixture.ts';
import { type ApiServer, startApiServer } from '../../src/api/api-server.ts';
import { LogBook } from '../../src/api/log-book.ts';
import type { LeaseStatus } from '../../src/api/sources.ts';
import { type Identity, initIdentity, tlsCredentials } from '../../src/identity/identity.ts';
import { type Journal, type ManifestRecord, openJournal } from '../../src/journal/journal.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import type { DeploymentFacts } from '../../src/manifests/verify-delivery.ts';
import { factsOf } from '../manifests/fixture.ts';
import { counted } from '../support/surroundings.ts';

const name = { chainId: 'mu-1', provider: 'mu1provider00000', nodeId: 'node-1' };

export interface World {
  readonly at: ProviderAddress;
  readonly identity: Identity;
  readonly server: ApiServer;
  readonly store: ManifestStore;
  readonly logs: LogBook;
  readonly built: BuiltManifest;
  readonly owner: string;
  /** What the chain says; tests change it. */
  readonly chain: { deployment: DeploymentFacts | undefined; down: boolean; leaseStatus: LeaseStatus | undefined };
  readonly clock: { nowMs: number };
  readonly taken: ManifestRecord[];
  /** Names in the store's folder. */
  stored(): string[];
  access(change?: Partial<Delegation>, signer?: Secp256k1HdWallet): Promise<TenantAccess>;
  close(): Promise<void>;
}

export async function createWorld(): Promise<World> {
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
  const chain: World['chain'] = { deployment: factsOf(built), down: false, leaseStatus: undefined };
  const logs = new LogBook({ now: () => clock.nowMs, linesPerLease: 5 });
  const taken: ManifestRecord[] = [];
  const ask = <T>(value: T): Promise<T> => (chain.down ? Promise.reject(new Error('down')) : Promise.resolve(value));
  const server = await startApiServer({
    address: '127.0.0.1',
    port: 0,
    ...name,
    credentials: tlsCredentials(identity),
    now: () => clock.nowMs,
    logger: { info: () => undefined, warn: () => undefined },
    sources: {
      facts: {
        deployment: () => ask(chain.deployment),
        lease: (lease) => ask(lease === 7n ? { lease, owner, dseq: 17n, infrastructure: 'main' } : undefined),
      },
      manifests: store,
      logs,
      status: () => ({ height: 42n, leases: 1, services: ['mu-function'], regions: ['eu'] }),
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
  return {
    ...{ at, identity, server, store, logs, built, owner, chain, clock, taken },
    stored: () => readdirSync(join(base, 'manifests')),
    access: async (change = {}, signer = wallet) => {
      const key = generateTenantKey();
      const issuedMs = Math.floor(clock.nowMs / 1000) * 1000;
      const delegation: Delegation = {
        chainId: name.chainId,
        provider: name.provider,
        owner: (await signer.getAccounts())[0]!.address,
        dseq: 17n,
        scopes: ['logs', 'manifest', 'read'],
        publicKey: compressedPoint(key),
        issuedMs,
        expiresMs: issuedMs + maxDelegationMs,
        ...change,
      };
      return { key, delegation: await createDelegation(signer, delegation), now: () => clock.nowMs };
    },
    close: async () => {
      await server.close();
      await journal.close();
      rmSync(base, { recursive: true });
    },
  };
}
