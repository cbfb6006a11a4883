/** What the data plane's process is started with: plain data in a file that only its user reads. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ProviderConfig } from '../config/schema.ts';

export interface PlaneSettings {
  /** Where it keeps its totals and its socket. */
  readonly folder: string;
  readonly gateway: {
    readonly address: string;
    readonly port: number;
    readonly domain: string;
    readonly maxBodyBytes: number;
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
export const planeFiles = { socket: 'socket', settings: 'settings.json', log: 'log', totals: 'totals' } as const;

/** The settings that a provider's config says. */
export function planeSettings({ node, gateway, containers, workloads }: ProviderConfig): PlaneSettings {
  return {
    folder: join(node.dataFolder, 'data-plane'),
    gateway: {
      address: gateway.address,
      port: gateway.port,
      domain: gateway.domain,
      maxBodyBytes: Number(gateway.maxBody),
    },
    resolvers: containers.resolvers.map((text) => {
      const [address = '', port] = text.split(':');
      return { address, port: Number(port) };
    }),
    functions: { maxInstances: workloads.maxInstances },
    orphanMs: gateway.orphanMinutes * 60_000,
  };
}
