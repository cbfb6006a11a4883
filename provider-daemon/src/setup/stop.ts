/** Ends what outlives the daemon: the data plane, and, where asked for, the containers. */
import { join } from 'node:path';
import { pino } from 'pino';
import type { ProviderConfig } from '../config/schema.ts';
import { PlaneClient } from '../data-plane/plane-client.ts';
import { planeFiles, planeSettings } from '../data-plane/settings.ts';
import { type ContainerHost, Containers } from '../leases/container-host.ts';

export interface Stopped {
  /** The data plane was there, and has ended. */
  readonly data_plane: boolean;
  /** Workloads whose containers and networks have been removed. */
  readonly workloads: readonly string[];
}

/** @throws WorkloadError where the container engine does not answer */
export async function stopAll(
  config: ProviderConfig,
  provider: string,
  options: { readonly workloads: boolean },
): Promise<Stopped> {
  const dataPlane = await stopPlane(join(planeSettings(config).folder, planeFiles.socket));
  return { data_plane: dataPlane, workloads: options.workloads ? await removeWorkloads(config, provider) : [] };
}

/** @returns false where none was there */
async function stopPlane(path: string): Promise<boolean> {
  let client: PlaneClient;
  try {
    client = await PlaneClient.connect(path, () => {});
  } catch {
    return false;
  }
  await client.stop();
  await client.gone;
  return true;
}

async function removeWorkloads(config: ProviderConfig, provider: string): Promise<string[]> {
  const log = pino({ level: 'silent' });
  const containers = await Containers.open({ config, provider, onLog: () => {}, onLeave: async () => {}, log });
  if (containers === undefined) return [];
  try {
    return await clearHost(containers.host());
  } finally {
    await containers.close();
  }
}

/**
 * Volumes are unmounted and stay, however long it takes: a lease that lives finds its own when the daemon is back. What is
 * to be erased only the chain's word on a lease decides.
 * @returns the workloads that were removed
 */
export async function clearHost({ driver, volumes }: Pick<ContainerHost, 'driver' | 'volumes'>): Promise<string[]> {
  const found = await driver.found();
  for (const name of found) await driver.remove(name);
  for (const lease of await volumes.list()) await volumes.letGo(lease);
  return found.map(({ deployment, service }) => `${deployment}/${service}`);
}
