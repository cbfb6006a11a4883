/** A manifest from a stack. */
import { toHex, utf8 } from '@mu/lib/bytes';
import { canonicalJson } from '@mu/lib/canonical-json';
import type { Placement } from '../stack/derive-types.ts';
import { defaultFunctionMemory, defaultFunctionTimeoutMs } from '../stack/mu-services-schema.ts';
import type { GatewayService, Service, Stack, WorkloadService } from '../stack/schema.ts';
import { diskOf } from '../stack/workload-schema.ts';
import { ManifestError } from './errors.ts';
import type { FileSource } from './file-source.ts';
import { fileEntry, type HashedFile, hashedBytes } from './files.ts';
import {
  type ManifestHead,
  type ManifestRoute,
  type ManifestService,
  manifestFormat,
  type SectionContent,
} from './head.ts';
import { type Manifest, parseManifest } from './parse.ts';
import { sealSection } from './sections.ts';

/** What a manifest is made from. */
export interface ManifestInput {
  readonly chainId: string;
  /** Bech32 address. */
  readonly owner: string;
  readonly dseq: bigint;
  /** 1 for a new deployment, one more with each update. */
  readonly revision: bigint;
  readonly stack: Stack;
  /** From `deriveDeployment`. */
  readonly placements: readonly Placement[];
  /** The WASM module of each MuFunction, by the service's name. */
  readonly binaries: ReadonlyMap<string, Uint8Array>;
  /** Images with their digests, or their archives, by the Workload's name. */
  readonly images?: ReadonlyMap<string, string | HashedFile>;
  /** The files that each Workload mounts, by its name, in the order of its `files`. */
  readonly mounted?: ReadonlyMap<string, readonly HashedFile[]>;
  /** Cryptographically strong bytes, `node:crypto`'s randomBytes. */
  readonly random: (length: number) => Uint8Array;
}

/** A manifest with all that belongs to it: to be kept by the user, and given to the holders of leases in part. */
export interface BuiltManifest extends Manifest {
  /** Files by their path in the manifest. */
  readonly files: ReadonlyMap<string, FileSource>;
  /** The key of each infrastructure's section, 32 bytes. */
  readonly sectionKeys: ReadonlyMap<string, Uint8Array>;
}

/**
 * Builds a manifest; salt and keys are fresh with every call.
 * @throws ManifestError when it would be beyond a limit, or a function's binary or a Workload's file is missing
 */
export function buildManifest(input: ManifestInput): BuiltManifest {
  const files = filesOf(input);
  const identity = {
    chain_id: input.chainId,
    owner: input.owner,
    dseq: input.dseq.toString(),
    revision: input.revision.toString(),
  };
  const sectionKeys = new Map<string, Uint8Array>();
  const sections = input.placements.map(({ infrastructure, share, services }) => {
    const content = secretsOf(input.stack, services);
    const { section, key } = sealSection({ ...identity, infrastructure, share }, content, input.random);
    sectionKeys.set(infrastructure, key);
    return section;
  });
  const head: ManifestHead = {
    format: manifestFormat,
    ...identity,
    salt: toHex(input.random(32)),
    workloads: input.placements.map(({ infrastructure, services }) => ({
      infrastructure,
      services: chosen(input.stack, services).map((service) => toManifestService(service, input)),
    })),
    files: [...files].map(([path, file]) => fileEntry(path, file)),
    sections,
  };
  // The same check that every holder makes: what would be refused there is refused here, before anything is paid.
  const sources = new Map([...files].map(([path, { source }]) => [path, source]));
  return { ...parseManifest(utf8(canonicalJson(head))), files: sources, sectionKeys };
}

/** Where a function's module stands among the files. */
function modulePath(service: string): string {
  return `functions/${service}.wasm`;
}

/** Where a workload's image stands among the files, if it came with the stack. */
function archivePath(service: string): string {
  return `images/${service}.tar`;
}

/** Where a file that workloads mount stands among the files: by its content, so that it is carried once for all of them. */
function mountedPath({ hash }: HashedFile): string {
  return `files/${hash.merkle_root}`;
}

/** What a Workload mounts, in the order of its `files`. */
function mountedBy({ name, files = [] }: WorkloadService, { mounted }: ManifestInput): readonly HashedFile[] {
  const loaded = mounted?.get(name) ?? [];
  if (loaded.length === files.length) return loaded;
  throw new ManifestError('inconsistent', `the files of ${name} have not been loaded`);
}

/** Modules of functions, archives of images and files for workloads that are placed anywhere, in ascending order of their paths. */
function filesOf(input: ManifestInput): Map<string, HashedFile> {
  const placed = new Set(input.placements.flatMap(({ services }) => services));
  const entries = input.stack.services
    .filter(({ name }) => placed.has(name))
    .flatMap((service): [string, HashedFile][] => {
      const { name } = service;
      const image = input.images?.get(name);
      if (service.type === 'Workload') {
        const mounted = mountedBy(service, input).map((file): [string, HashedFile] => [mountedPath(file), file]);
        return typeof image === 'object' ? [[archivePath(name), image], ...mounted] : mounted;
      }
      if (service.type !== 'MuFunction') return [];
      const bytes = input.binaries.get(name);
      if (bytes === undefined) throw new ManifestError('inconsistent', `the binary of ${name} has not been loaded`);
      return [[modulePath(name), hashedBytes(bytes)]];
    });
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function chosen(stack: Stack, names: readonly string[]): Service[] {
  return stack.services.filter(({ name }) => names.includes(name));
}

function secretsOf(stack: Stack, names: readonly string[]): SectionContent {
  const services = chosen(stack, names);
  const env = services.flatMap((service) =>
    'env' in service && service.env !== undefined ? [[service.name, service.env] as const] : [],
  );
  const registries = services.flatMap((service) =>
    service.type === 'Workload' && service.registry !== undefined ? [[service.name, service.registry] as const] : [],
  );
  return {
    env: Object.fromEntries(env),
    ...(registries.length === 0 ? {} : { registries: Object.fromEntries(registries) }),
  };
}

function toManifestService(service: Service, input: ManifestInput): ManifestService {
  const { name } = service;
  if (service.type === 'MuFunction') {
    return {
      type: 'MuFunction',
      name,
      runtime: service.runtime,
      file: modulePath(name),
      memory: Number(service.memory ?? defaultFunctionMemory),
      timeout_ms: service.timeout ?? defaultFunctionTimeoutMs,
    };
  }
  if (service.type === 'MuGateway') return toManifestGateway(service, input.stack);
  if (service.type === 'Workload') return toManifestWorkload(service, input);
  return { type: service.type, name };
}

function toManifestGateway({ name, endpoints, hosts }: GatewayService, stack: Stack): ManifestService {
  const routes = Object.entries(endpoints).map(([path, { type, route_to: target, port }]): ManifestRoute => {
    const callee = stack.services.find((service) => service.name === target);
    if (callee?.type !== 'Workload') return { path, methods: type ?? ['*'], function: target };
    return { path, methods: type ?? ['*'], workload: target, port: port ?? onlyHttpPort(callee) };
  });
  return { type: 'MuGateway', name, routes, ...(hosts === undefined ? {} : { hosts }) };
}

function onlyHttpPort({ name, connections }: WorkloadService): number {
  const [only, ...more] = (connections ?? []).filter(({ protocol }) => protocol === 'http');
  if (only === undefined || more.length > 0)
    throw new ManifestError('inconsistent', `${name} has not one http connection: a route to it must say which port`);
  return only.port;
}

function toManifestWorkload(service: WorkloadService, input: ManifestInput): ManifestService {
  const image = input.images?.get(service.name);
  const mounted = mountedBy(service, input);
  const { cpu, memory, gpu } = service.compute;
  const { health, command, user } = service;
  const inRegistry = typeof image === 'string' ? image : service.container;
  return {
    type: 'Workload',
    name: service.name,
    image: typeof image === 'object' ? { archive: archivePath(service.name) } : { registry: inRegistry },
    ...(command === undefined ? {} : { command }),
    ...(user === undefined ? {} : { user }),
    compute: {
      cpu,
      memory: Number(memory),
      disk: Number(diskOf(service)),
      ...(gpu === undefined ? {} : { gpu: { count: gpu.count, vendor: gpu.vendor ?? '', model: gpu.model ?? '' } }),
    },
    count: service.count ?? 1,
    connections: (service.connections ?? []).map(({ from, ...connection }) =>
      from === undefined ? connection : { ...connection, from },
    ),
    egress: service.egress ?? 'none',
    volumes: (service.volumes ?? []).map((volume) => ({
      name: volume.name,
      path: volume.path,
      size: Number(volume.size),
    })),
    ...(service.files === undefined
      ? {}
      : { files: service.files.map(({ path }, at) => ({ file: mountedPath(mounted[at]!), path })) }),
    ...(health === undefined
      ? {}
      : { health: { path: health.path, port: health.port, interval_ms: health.interval ?? 30_000 } }),
  };
}
