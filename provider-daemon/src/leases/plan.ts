/** What a manifest asks of this machine: pure, from the head and the opened section to what drivers and data plane run. */
import type {
  ManifestFunction,
  ManifestGateway,
  ManifestHead,
  ManifestRoute,
  ManifestService,
  ManifestWorkload,
  SectionContent,
} from '@mu/client/manifest/head';
import { deploymentLabel } from '@mu/lib/base32';
import type { Lease } from '@mu/proto/market';
import type { ServedFunction, ServedGateway } from '../data-plane/plane.ts';
import { type RouteSpec, wholeRoute } from '../gateway/routes.ts';
import type { HeldFile } from '../manifests/manifest-store.ts';
import { type ContainerSpec, type ImageSource, type MountedFile, WorkloadError } from '../workloads/driver.ts';
import { type FarCall, type FarConnections, farConnections } from './far-connections.ts';
import type { PublicConnection } from './public-ports.ts';

/** A lease and the place of its services in the manifest. */
export interface LeasePlace {
  readonly lease: bigint;
  readonly owner: string;
  readonly dseq: bigint;
  /** name of the infrastructure */
  readonly infrastructure: string;
}

/** A way between two workloads of a lease. */
export interface LocalConnection {
  readonly caller: string;
  readonly callee: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
}

export interface LeasePlan extends FarConnections {
  readonly functions: readonly ServedFunction[];
  readonly containers: readonly ContainerSpec[];
  readonly gateways: readonly ServedGateway[];
  readonly databases: readonly string[];
  readonly connections: readonly LocalConnection[];
  /** What anybody may call by TCP or UDP; by HTTP it is among the gateways. */
  readonly publicConnections: readonly PublicConnection[];
}

export interface PlanInput {
  readonly place: LeasePlace;
  readonly head: ManifestHead;
  readonly secrets: SectionContent;
  /** A file that the infrastructure's services use. */
  readonly fileOf: (path: string) => HeldFile;
}

/** @throws WorkloadError `invalid` for more connections between infrastructures than are carried */
export function planOf(input: PlanInput): LeasePlan {
  const services = servicesOf(input);
  const workloads = services.filter((one): one is ManifestWorkload => one.type === 'Workload');
  const connections = workloads.flatMap((callee) => connectionsTo(callee, workloads, input.place.infrastructure));
  const far = farConnections(input.head, input.place.infrastructure);
  const calls = [...connections, ...far.farCalls];
  return {
    functions: services
      .filter((one): one is ManifestFunction => one.type === 'MuFunction')
      .map((one) => functionOf(one, input)),
    containers: calleesFirst(workloads, connections).map((one) => containerOf(one, input, calls)),
    gateways: [
      ...services
        .filter((one): one is ManifestGateway => one.type === 'MuGateway')
        .map((one) => gatewayOf(one, input.place)),
      ...workloads.flatMap((one) => doorsOf(one, input.place)),
    ],
    databases: services.filter(({ type }) => type === 'MuDb').map(({ name }) => name),
    connections,
    ...far,
    publicConnections: workloads.flatMap(publicConnectionsOf),
  };
}

/**
 * A lease's containers fit into what was bought.
 * @throws WorkloadError `invalid` with what is too much
 */
export function checkRoom(containers: readonly ContainerSpec[], { resources }: Pick<Lease, 'resources'>): void {
  for (const [kind, wants] of Object.entries(wantedOf(containers))) {
    const has = resources.reduce(
      (sum, { compute, count }) => sum + BigInt(compute?.[kind as 'cpu' | 'memory' | 'disk'] ?? 0) * BigInt(count),
      0n,
    );
    if (wants > has) throw new WorkloadError('invalid', `the workloads take ${wants} of ${kind}, the lease has ${has}`);
  }
  checkGpus(containers, resources);
}

/**
 * Graphics processors count by vendor and model, as they are asked for: whoever has bought any has not bought a model. An
 * instance's own come from one replica's, since those alone are sure to be alike.
 */
function checkGpus(containers: readonly ContainerSpec[], resources: Lease['resources']): void {
  const bought = resources.flatMap(({ compute, count }) =>
    compute?.gpu === undefined ? [] : [{ gpu: compute.gpu, times: count }],
  );
  const asked = containers.flatMap(({ gpu, count, service }) =>
    gpu === undefined ? [] : [{ gpu, times: count, service }],
  );
  for (const { gpu, service } of asked) {
    const alike = bought.filter((one) => gpuKind(one.gpu) === gpuKind(gpu));
    const [wants, has] = [sumGpus(asked, gpu), sumGpus(alike, gpu)];
    const largest = Math.max(0, ...alike.map((one) => one.gpu.count));
    const why =
      wants > has
        ? `the workloads take ${wants} of ${gpuKind(gpu)}, the lease has ${has}`
        : gpu.count > largest
          ? `an instance of ${service} takes ${gpu.count} of ${gpuKind(gpu)}, a replica of the lease has ${largest}`
          : undefined;
    if (why !== undefined) throw new WorkloadError('invalid', why);
  }
}

type Gpu = NonNullable<ContainerSpec['gpu']>;

const sumGpus = (of: readonly { gpu: Gpu; times: number }[], like: Gpu): number =>
  of.filter(({ gpu }) => gpuKind(gpu) === gpuKind(like)).reduce((sum, { gpu, times }) => sum + gpu.count * times, 0);

const gpuKind = ({ vendor, model }: Gpu): string =>
  `gpu ${vendor.toLowerCase() || 'any vendor'}/${model.toLowerCase() || 'any model'}`;

/** CPU in thousandths of a core, memory and disk in bytes, of all instances together. */
function wantedOf(containers: readonly ContainerSpec[]): Record<'cpu' | 'memory' | 'disk', bigint> {
  const sum = { cpu: 0n, memory: 0n, disk: 0n };
  for (const { cpu, memoryBytes, volumes, count } of containers) {
    const times = BigInt(count);
    sum.cpu += BigInt(cpu) * times;
    sum.memory += BigInt(memoryBytes) * times;
    sum.disk += BigInt(volumes.reduce((bytes, volume) => bytes + volume.bytes, 0)) * times;
  }
  return sum;
}

function servicesOf({ head, place }: PlanInput): readonly ManifestService[] {
  return head.workloads.find((one) => one.infrastructure === place.infrastructure)?.services ?? [];
}

function functionOf(service: ManifestFunction, { secrets, fileOf }: PlanInput): ServedFunction {
  const { path, sha256 } = fileOf(service.file);
  const { name, memory, timeout_ms: timeoutMs } = service;
  return { service: name, file: path, sha256, memoryBytes: memory, timeoutMs, env: secrets.env[name] ?? {} };
}

function containerOf(
  service: ManifestWorkload,
  input: PlanInput,
  calls: readonly (LocalConnection | FarCall)[],
): ContainerSpec {
  const { name, compute, health, command, user, files } = service;
  const peers = calls.filter(({ caller }) => caller === name).map(({ callee }) => callee);
  return {
    deployment: input.place.lease.toString(),
    service: name,
    artifact: { kind: 'image', image: imageOf(service, input) },
    cpu: compute.cpu,
    memoryBytes: compute.memory,
    count: service.count,
    env: input.secrets.env[name] ?? {},
    ports: service.connections.map(({ port, protocol }) => ({ port, protocol: protocol === 'udp' ? 'udp' : 'tcp' })),
    egress: service.egress,
    volumes: service.volumes.map((volume) => ({ name: volume.name, path: volume.path, bytes: volume.size })),
    peers: [...new Set(peers)].sort(),
    ...(files === undefined ? {} : { files: files.map((one) => mountedFileOf(one, input)) }),
    ...(command === undefined ? {} : { command }),
    ...(user === undefined ? {} : { user }),
    ...(compute.gpu === undefined ? {} : { gpu: compute.gpu }),
    ...(health === undefined
      ? {}
      : { health: { path: health.path, port: health.port, intervalMs: health.interval_ms } }),
  };
}

function mountedFileOf({ file, path }: { file: string; path: string }, { fileOf }: PlanInput): MountedFile {
  const { path: source, sha256 } = fileOf(file);
  return { path, source, sha256 };
}

function imageOf({ name, image }: ManifestWorkload, { secrets, fileOf }: PlanInput): ImageSource {
  if ('archive' in image) return { from: 'archive', path: fileOf(image.archive).path, name: image.archive };
  const credentials = secrets.registries?.[name];
  return { from: 'registry', reference: image.registry, ...(credentials === undefined ? {} : { credentials }) };
}

function gatewayOf({ name, routes, hosts = [] }: ManifestGateway, place: LeasePlace): ServedGateway {
  return { label: labelOf(place, name), service: name, hosts, routes: routes.map(routeOf) };
}

function routeOf(route: ManifestRoute): RouteSpec {
  const to =
    'function' in route
      ? ({ kind: 'function', name: route.function } as const)
      : ({ kind: 'workload', name: route.workload, port: route.port } as const);
  // The gateway takes every method where none is named.
  return { path: route.path, methods: route.methods[0] === '*' ? [] : route.methods, to };
}

/** A global http connection has a door of its own: names have no dot, so its label is nobody else's. */
function doorsOf({ name, connections }: ManifestWorkload, place: LeasePlace): ServedGateway[] {
  return connections
    .filter(({ scope, protocol }) => scope === 'global' && protocol === 'http')
    .map((one) => ({
      label: labelOf(place, `${name}.${one.name}`),
      service: name,
      hosts: [],
      routes: [wholeRoute(name, one.port)],
    }));
}

function publicConnectionsOf({ name, connections }: ManifestWorkload): PublicConnection[] {
  return connections.flatMap(({ name: connection, port, protocol, scope }) =>
    scope === 'global' && protocol !== 'http' ? [{ service: name, connection, protocol, port }] : [],
  );
}

const labelOf = ({ owner, dseq }: LeasePlace, door: string): string => deploymentLabel(owner, dseq, door);

/** Whoever may call a workload from within its own infrastructure (design §6, Overlay). */
function connectionsTo(
  callee: ManifestWorkload,
  workloads: readonly ManifestWorkload[],
  infrastructure: string,
): LocalConnection[] {
  return callee.connections.flatMap(({ port, protocol, scope, from }) =>
    workloads
      .filter(({ name }) => name !== callee.name)
      .filter(({ name }) => from === undefined || from.includes(scope === 'datacenter' ? infrastructure : name))
      .map(({ name }) => ({ caller: name, callee: callee.name, port, protocol: protocol === 'udp' ? 'udp' : 'tcp' })),
  );
}

/** Whoever is called comes up before its callers, so that they find it; in a circle the stack's order holds. */
function calleesFirst(
  workloads: readonly ManifestWorkload[],
  connections: readonly LocalConnection[],
): ManifestWorkload[] {
  const ordered: ManifestWorkload[] = [];
  const seen = new Set<string>();
  const visit = (workload: ManifestWorkload): void => {
    if (seen.has(workload.name)) return;
    seen.add(workload.name);
    for (const { caller, callee } of connections) {
      const next = caller === workload.name ? workloads.find(({ name }) => name === callee) : undefined;
      if (next !== undefined) visit(next);
    }
    ordered.push(workload);
  };
  for (const workload of workloads) visit(workload);
  return ordered;
}
