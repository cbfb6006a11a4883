/** How much of a machine services take: what is bought where the stack does not say it, and whether what it buys suffices. */
import { DeriveError } from './derive-types.ts';
import { defaultFunctionMemory } from './mu-services-schema.ts';
import type { Service, StackCompute, StackInfrastructure } from './schema.ts';
import { diskOf } from './workload-schema.ts';

const mib = 1024n * 1024n;
/** What a function gets where nothing else is said. */
export const functionCompute = { cpu: 100, memory: defaultFunctionMemory, disk: 256n * mib } as const;

/**
 * What all functions and workloads take together; never nothing, as a gateway or a database needs a place too.
 * @throws DeriveError where one asks for a gpu
 */
export function computeOf(services: readonly Service[]) {
  const sum = { cpu: 0, memory: 0n, disk: 0n };
  const add = (compute: { cpu: number; memory: bigint; disk: bigint }, times: number): void => {
    sum.cpu += compute.cpu * times;
    sum.memory += compute.memory * BigInt(times);
    sum.disk += compute.disk * BigInt(times);
  };
  for (const service of services) {
    if (service.type === 'MuFunction') add({ ...functionCompute, memory: service.memory ?? functionCompute.memory }, 1);
    if (service.type !== 'Workload') continue;
    if (service.compute.gpu !== undefined) {
      throw new DeriveError(
        'gpu',
        `${service.name} asks for a gpu: name an \`infrastructure\` with such a resource in the stack file`,
      );
    }
    add({ ...service.compute, disk: diskOf(service) }, service.count ?? 1);
  }
  return sum.cpu === 0 ? { ...functionCompute, gpu: undefined } : { ...sum, gpu: undefined };
}

/** A provider runs no container beyond what was bought: better to hear it before paying. @throws DeriveError */
export function checkRoom(one: StackInfrastructure, services: readonly Service[]): void {
  const sum = (of: readonly { compute: StackCompute; count: number }[], kind: 'cpu' | 'memory' | 'disk'): bigint =>
    of.reduce((total, { compute, count }) => total + BigInt(compute[kind] ?? 0) * BigInt(count), 0n);
  const needed = services.flatMap((service) =>
    service.type === 'Workload'
      ? [{ compute: { ...service.compute, disk: diskOf(service) }, count: service.count ?? 1 }]
      : [],
  );
  const bought = one.resources.map(({ compute, count }) => ({
    compute: { ...compute, disk: compute.disk ?? functionCompute.disk },
    count: count ?? 1,
  }));
  for (const kind of ['cpu', 'memory', 'disk'] as const) {
    const [wants, has] = [sum(needed, kind), sum(bought, kind)];
    if (wants <= has) continue;
    const unit = kind === 'cpu' ? 'thousandths of a core' : 'bytes';
    throw new DeriveError(
      'too_small',
      `${one.name}: its Workloads take ${wants} ${unit} of ${kind}, its resources have ${has}: raise the resources or lower the Workloads`,
    );
  }
  checkGpus(one, services);
}

/** A gpu counts by the vendor and model that both sides name; an instance has no more than one replica. */
function checkGpus(one: StackInfrastructure, services: readonly Service[]): void {
  const workloads = services.flatMap((service) => (service.type === 'Workload' ? [service] : []));
  for (const { name, compute } of workloads) {
    if (compute.gpu === undefined) continue;
    const kind = gpuKind(compute);
    const bought = one.resources.filter((resource) => gpuKind(resource.compute) === kind);
    const has = gpusIn(bought);
    const wants = gpusIn(workloads.filter((workload) => gpuKind(workload.compute) === kind));
    const largest = Math.max(0, ...bought.map((resource) => resource.compute.gpu?.count ?? 0));
    if (wants <= has && compute.gpu.count <= largest) continue;
    const fault =
      wants > has
        ? `its Workloads take ${wants} gpu (${kind}), its resources have ${has}`
        : `an instance of ${name} takes ${compute.gpu.count} gpu (${kind}), one of its resources has ${largest}`;
    throw new DeriveError(
      'too_small',
      `${one.name}: ${fault}: name the same vendor and model in both, and raise the resources or lower the Workloads`,
    );
  }
}

const gpuKind = ({ gpu }: StackCompute): string | undefined =>
  gpu && `${gpu.vendor ?? 'any vendor'}/${gpu.model ?? 'any model'}`;

const gpusIn = (of: readonly { readonly compute: StackCompute; readonly count?: number | undefined }[]): number =>
  of.reduce((sum, { compute, count }) => sum + (compute.gpu?.count ?? 0) * (count ?? 1), 0);
