/** Names and labels by which a provider finds what is its own on the engine. */
import { createHash } from 'node:crypto';
import type { ContainerSpec, WorkloadName } from '../driver.ts';

/** Whose container, for which lease and service, which instance, of which spec, at which address, with which devices. */
export const label = {
  provider: 'mu.provider',
  lease: 'mu.lease',
  service: 'mu.service',
  instance: 'mu.instance',
  spec: 'mu.spec',
  address: 'mu.address',
  gpus: 'mu.gpus',
} as const;

/** Counted up where containers must be made anew though their specs have not changed. */
const format = 2;
const hashChars = 16;

/** Where one container belongs. */
export interface ContainerPlace extends WorkloadName {
  readonly instance: number;
  readonly specHash: string;
}

/** What of an image decides which one it is: its digest, or the hash of its archive. */
export type ImageKey = string;

/**
 * The part of a spec that a container is made from. Count, ports, peers, egress and health are left out: they change
 * without making the containers anew.
 * @param around.provider keeps apart providers that share an engine
 * @param around.network a container that is in another network (a larger one was needed) is another container
 */
export function specHashOf(
  spec: ContainerSpec,
  { provider, image, network }: { readonly provider: string; readonly image: ImageKey; readonly network: string },
): string {
  const { memoryBytes, cpu, env, command, user, volumes, gpu, files = [] } = spec;
  const sortedEnv = Object.entries(env ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
  const around = [format, provider, image, network];
  const parts = [...around, memoryBytes, cpu, sortedEnv, command ?? null, user ?? null, volumes];
  // How many and which kind, not which ones: any other of the kind would do. Others keep the hash that they had.
  const wish = gpu === undefined ? [] : [gpu.count, gpu.vendor, gpu.model];
  // What is mounted where, not what it is linked from: that is another one with each version.
  const mounted = files.map(({ path, sha256 }) => [path, sha256]).sort(([a], [b]) => (a! < b! ? -1 : 1));
  const mounts = mounted.length === 0 ? [] : [mounted];
  return createHash('sha256')
    .update(JSON.stringify([...parts, ...wish, ...mounts]))
    .digest('hex')
    .slice(0, hashChars);
}

/** One container has one name: creating it twice fails. */
export function containerName({ deployment, service, instance, specHash }: ContainerPlace): string {
  return `mu-${deployment}-${service}-${instance}-${specHash}`;
}

/** Filters that find a provider's containers, all of them or those of one workload. */
export function labelFilters(provider: string, workload?: WorkloadName): string[] {
  const mine = `${label.provider}=${provider}`;
  if (workload === undefined) return [mine];
  return [mine, `${label.lease}=${workload.deployment}`, `${label.service}=${workload.service}`];
}

/** @returns undefined where labels are not those of a container of ours */
export function placeOf(labels: Readonly<Record<string, string>>): (ContainerPlace & { address: string }) | undefined {
  const [deployment, service, specHash] = [labels[label.lease], labels[label.service], labels[label.spec]];
  const instance = Number(labels[label.instance]);
  if (deployment === undefined || service === undefined || specHash === undefined) return undefined;
  if (!Number.isSafeInteger(instance) || instance < 0) return undefined;
  return { deployment, service, instance, specHash, address: labels[label.address] ?? '' };
}

export function keyOf({ deployment, service }: WorkloadName): string {
  return `${deployment}/${service}`;
}

const deviceSeparator = ',';

/** Devices, as the config names them, in a label; their names have no comma. */
export function devicesLabel(devices: readonly string[]): Record<string, string> {
  return devices.length === 0 ? {} : { [label.gpus]: devices.join(deviceSeparator) };
}

/** The devices that a container holds. */
export function devicesIn(labels: Readonly<Record<string, string>>): string[] {
  return (labels[label.gpus] ?? '').split(deviceSeparator).filter((device) => device !== '');
}
