/** What the data plane's process is started with: plain data in a file that only its user reads. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ProviderConfig } from '../config/schema.ts';
import { type GatewaySettings, gatewaySettings } from '../gateway/settings.ts';

export interface PlaneSettings {
  /** Where it keeps its totals and its socket. */
  readonly folder: string;
  readonly gateway: GatewaySettings;
  /** Host names of tenants' own. */
  readonly hosts: {
    /** Addresses of those that are asked for their proof; none: those of the system. */
    readonly nameServers: readonly string[];
    /** Names of the provider's own: with all below them they are no tenant's. */
    readonly reserved: readonly string[];
  };
  /** Asked, in this order, for names that workloads with a way out look up. */
  readonly resolvers: readonly { readonly address: string; readonly port: number }[];
  readonly functions: { readonly maxInstances: number };
  /** Without a daemon for so long it ends. */
  readonly orphanMs: number;
}

/** Two processes with equal digests serve alike. */
export function settingsDigest(settings: PlaneSettings): string {
  return createHash('sha256').update(JSON.stringify(settings)).digest('hex');
}

/** Files in its folder. */
export const planeFiles = {
  socket: 'socket',
  settings: 'settings.json',
  log: 'log',
  totals: 'totals',
  hosts: 'hosts.json',
} as const;

/** The settings that a provider's config says. @throws Error for settings that contradict each other */
export function planeSettings(config: ProviderConfig): PlaneSettings {
  const { node, gateway, containers, workloads } = config;
  return {
    folder: join(node.dataFolder, 'data-plane'),
    gateway: gatewaySettings(config),
    hosts: {
      nameServers: gateway.nameServers,
      reserved: [gateway.domain, URL.parse(gateway.uri)?.hostname ?? ''].filter((name) => name !== ''),
    },
    resolvers: containers.resolvers.map((text) => {
      const [address = '', port] = text.split(':');
      return { address, port: Number(port) };
    }),
    functions: { maxInstances: workloads.maxInstances },
    orphanMs: gateway.orphanMinutes * 60_000,
  };
}
