/** What the data plane's process is started with: plain data in a file that only its user reads. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ProviderConfig } from '../config/schema.ts';
import { type GatewaySettings, gatewaySettings } from '../gateway/settings.ts';

export interface PlaneSettings {
  /** Where it keeps its totals and its socket. */
  readonly folder: string;
  readonly gateway: GatewaySettings;
  /** The provider's own listener. */
  readonly host: {
    readonly address: string;
    /** 0: any free one. */
    readonly port: number;
    /** Paths of the sockets at which the daemon takes clients of its API, and peers that hand manifests on. */
    readonly api: string;
    readonly peer: string;
    /** Tunnels are opened to private, loopback and link-local addresses too. */
    readonly allowPrivatePeers: boolean;
  };
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
  /** Pairs of nodes that had a tunnel. */
  known: 'known-pairs.json',
  /** Sockets of the daemon's. */
  api: 'api',
  peer: 'peer',
} as const;

/** The settings that a provider's config says. @throws Error for settings that contradict each other */
export function planeSettings(config: ProviderConfig): PlaneSettings {
  const { node, host, network, gateway, containers, workloads } = config;
  const folder = join(node.dataFolder, 'data-plane');
  return {
    folder,
    gateway: gatewaySettings(config),
    host: {
      ...{ address: host.address, port: host.port, allowPrivatePeers: network.allowPrivatePeers },
      ...{ api: join(folder, planeFiles.api), peer: join(folder, planeFiles.peer) },
    },
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
