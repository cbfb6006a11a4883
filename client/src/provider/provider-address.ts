/** Where a provider is reached, and whom to accept there: what the chain says of it. */
import type { Provider } from '@mu/proto/provider';
import { ProviderConnectionError } from './errors.ts';
import type { ProviderIdentity } from './provider-tls.ts';

/** A provider's own listener. */
export interface ProviderAddress extends ProviderIdentity {
  /** `https://host:port`. */
  readonly hostUri: string;
}

export interface AddressOptions {
  readonly chainId: string;
  /** Only roots that hold at this height are accepted. */
  readonly height: bigint;
  readonly allowPrivatePeers: boolean;
}

/** The address of a provider that the chain has. @throws ProviderConnectionError when no root of it holds */
export function providerAddress(
  provider: Provider,
  { chainId, height, allowPrivatePeers }: AddressOptions,
): ProviderAddress {
  const roots = provider.roots
    .filter((root) => root.validFromHeight <= height && (root.validToHeight === 0n || height <= root.validToHeight))
    .map(({ certificate }) => certificate);
  if (roots.length === 0) throw new ProviderConnectionError(`${provider.owner} has no root certificate that holds now`);
  return { chainId, provider: provider.owner, hostUri: provider.hostUri, roots, allowPrivatePeers };
}
