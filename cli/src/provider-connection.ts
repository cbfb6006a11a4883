/** Calls to providers: found on the chain, reached over TLS, with the tenant's proof. */
import { isLive } from '@mu/client/deployment/follow';
import type { BuiltManifest } from '@mu/client/manifest/build';
import type { TenantAccess } from '@mu/client/provider/exchange';
import { type ProviderAddress, providerAddress, sendManifest } from '@mu/client/provider/provider-client';
import type { TenantScope } from '@mu/client/tenant/delegation';
import { type Lease, LeaseState } from '@mu/proto/market';
import type { Provider } from '@mu/proto/provider';
import { CliError } from './errors.ts';
import type { Session } from './session.ts';
import type { TenantSigner } from './tenant-wallet.ts';

export interface ManifestHandover {
  readonly provider: Provider;
  readonly owner: string;
  readonly dseq: bigint;
  /** names of the infrastructures that the provider holds a lease of */
  readonly infrastructures: readonly string[];
  /** which files go with it */
  readonly files: 'all' | 'none';
  readonly wallet: TenantSigner;
  readonly built: BuiltManifest;
}

/** Hands a manifest to a provider, which has checked it against the chain when this resolves. */
export async function deliverManifest(session: Session, of: ManifestHandover): Promise<void> {
  const { provider, owner, dseq, infrastructures, files, built } = of;
  const { chainId } = await session.client();
  const access = await of.wallet.access({ chainId, provider: provider.owner, owner, dseq }, ['manifest']);
  await sendManifest(await addressOf(session, provider), { access, built, infrastructures, files });
}

/** A lease of a deployment, and the way to its provider. */
export interface LeaseDoor {
  readonly lease: Lease;
  /** The provider where the chain has it now: its address and roots may change while something is followed. */
  at(): Promise<ProviderAddress>;
  access(scope: TenantScope): Promise<TenantAccess>;
  /** Whether the chain still has the lease. */
  isLive(): Promise<boolean>;
}

/** @throws CliError where there is no such lease */
export async function doorOf(session: Session, number: bigint): Promise<LeaseDoor> {
  const client = await session.verified();
  const lease = await leaseRecord(session, number);
  const { owner, dseq } = lease.order ?? { owner: '', dseq: 0n };
  const place = { chainId: client.chainId, provider: lease.provider, owner, dseq };
  return {
    lease,
    async at() {
      const { provider } = await client.provider.provider({ owner: lease.provider });
      if (provider === undefined) throw new CliError(`the provider ${lease.provider} is not on the chain`);
      return addressOf(session, provider);
    },
    access: async (scope) => (await session.tenantWallet()).access(place, [scope]),
    isLive: async () => isLive(await leaseRecord(session, number)),
  };
}

/** The live leases of a deployment, ascending. @throws CliError where there is none */
export async function doorsOf(session: Session, of: { owner: string; dseq: bigint }): Promise<LeaseDoor[]> {
  const client = await session.client();
  const { leases } = await client.market.leases({ ...of, state: LeaseState.LEASE_STATE_UNSPECIFIED });
  const live = leases.filter(isLive).sort((a, b) => (a.number < b.number ? -1 : 1));
  if (live.length === 0) {
    throw new CliError(
      `no lease of deployment ${of.dseq} is live: \`mucli deployment status ${of.dseq}\` says how it stands`,
    );
  }
  return Promise.all(live.map(({ number }) => doorOf(session, number)));
}

/** The record, which is proved where the node is not believed: a list is not. */
async function leaseRecord(session: Session, number: bigint): Promise<Lease> {
  const { lease } = await (await session.verified()).market.lease({ number });
  if (lease?.order === undefined) throw new CliError(`there is no lease ${number}`);
  return lease;
}

/** Text of providers and workloads: it is not to steer the terminal. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, '�');
}

async function addressOf(session: Session, provider: Provider): Promise<ProviderAddress> {
  const client = await session.verified();
  return providerAddress(provider, {
    chainId: client.chainId,
    height: BigInt(await client.height()),
    allowPrivatePeers: session.config.allow_private_peers === 'true',
  });
}
