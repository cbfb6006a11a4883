/** Where a provider's folder keeps what. */
import { join } from 'node:path';
import type { ProviderConfig } from '../config/schema.ts';
import { usesTls } from '../gateway/settings.ts';

export const configFileName = 'mu-provider.toml';

export function identityFolder(config: ProviderConfig): string {
  return join(config.node.dataFolder, 'identity');
}

/** The provider's own listener as the chain shows it. */
export function hostUri({ host }: ProviderConfig): string {
  return host.uri === '' ? `https://${withPort(host)}` : host.uri;
}

/** The public door of the workloads as the chain shows it. */
export function gatewayUri({ gateway }: ProviderConfig): string {
  return gateway.uri === '' ? `${usesTls(gateway) ? 'https' : 'http'}://${withPort(gateway)}` : gateway.uri;
}

function withPort({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}
