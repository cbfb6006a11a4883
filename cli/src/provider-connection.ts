/** Calls to providers: found on the chain, reached over TLS, with the tenant's proof. */
import type { BuiltManifest } from '@mu/client/manifest/build';
import { logs, type ProviderAddress, providerAddress, sendManifest } from '@mu/client/provider/provider-client';
import type { Lease } from '@mu/proto/market';
import type { Provider } from '@mu/proto/provider';
import { CliError } from './errors.ts';
import type { Session } from './session.ts';
import type { TenantWallet } from './tenant-wallet.ts';

export interface ManifestHandover {
  readonly provider: Provider;
  readonly owner: string;
  readonly dseq: bigint;
  /** names of the infrastructures that the provider holds a lease of */
  readonly infrastructures: readonly string[];
  readonly wallet: TenantWallet;
  readonly built: BuiltManifest;
}

/** Hands a manifest to a provider, which has checked it against the chain when this resolves. */
export async function deliverManifest(session: Session, of: ManifestHandover): Promise<void> {
  const { provider, owner, dseq, infrastructures, built } = of;
  const { chainId } = await session.client();
  const access = await of.wallet.access({ chainId, provider: provider.owner, owner, dseq }, ['manifest']);
  await sendManifest(await addressOf(session, provider), { access, built, infrastructures });
}

export interface PrintedLine {
  readonly time: string;
  readonly service: string;
  readonly stream: string;
  readonly line: string;
}

/** Log lines of a lease of one's own. */
export async function* streamLogs(
  session: Session,
  number: bigint,
  options: { readonly tail: number; readonly follow: boolean },
): AsyncGenerator<PrintedLine> {
  const client = await session.verified();
  const lease: Lease | undefined = (await client.market.lease({ number })).lease;
  if (lease?.order === undefined) throw new CliError(`there is no lease ${number}`);
  const { provider } = await client.provider.provider({ owner: lease.provider });
  if (provider === undefined) throw new CliError(`the provider ${lease.provider} is not on the chain`);
  const { owner, dseq } = lease.order;
  const wallet = await session.tenantWallet();
  const access = await wallet.access({ chainId: client.chainId, provider: provider.owner, owner, dseq }, ['logs']);
  for await (const entry of logs(await addressOf(session, provider), { access, lease: number, ...options })) {
    // What a workload writes is not to steer the terminal.
    yield { ...entry, line: entry.line.replace(/\p{Cc}/gu, '�') };
  }
}

async function addressOf(session: Session, provider: Provider): Promise<ProviderAddress> {
  const client = await session.verified();
  return providerAddress(provider, {
    chainId: client.chainId,
    height: BigInt(await client.height()),
    allowPrivatePeers: session.config.allow_private_peers === 'true',
  });
}
