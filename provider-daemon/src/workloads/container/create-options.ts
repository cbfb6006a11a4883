/**
 * From a spec to what the engine is asked for. Every restriction of a container stands here; nothing of a spec can loosen
 * one: privileges and the engine’s socket cannot be said in it, devices only by their number and kind, and of the host’s
 * paths a tenant says none: volumes and the manifest’s files are where the provider has put them.
 */
import { parseDevice } from '../../config/gpus.ts';
import type { ContainerSpec } from '../driver.ts';
import type { HandedDevices } from './devices.ts';
import type { CreateBody } from './engine.ts';
import { type ContainerPlace, devicesLabel, label } from './names.ts';
import { resolverOptions, resolverSearch } from './resolver-files.ts';
import { parseUser } from './spec-check.ts';

const mebibyte = 1024 * 1024;

/** Limits of each container beside those that its lease states. */
export const restrictions = {
  /** Processes and threads: a fork bomb ends here. */
  pids: 512,
  openFiles: 16_384,
  /** SIGTERM, then so long until SIGKILL. */
  stopSeconds: 10,
  /** tmpfs counts against the memory limit; these keep one folder from taking all of it. */
  tmpShare: 2,
  smallTmpfsBytes: 16 * mebibyte,
  smallTmpfsShare: 8,
  imageVolumeShare: 4,
  /** Log files of a container at the engine, until the daemon has read them. */
  logFileBytes: 4 * mebibyte,
  logFiles: 3,
  /** When the machine itself runs out of memory, tenants go before the daemons. */
  oomScoreAdj: 200,
  cpuPeriodMicros: 100_000,
} as const;

/** `nobody`: who runs an image that names no numeric user. */
const nobody = { uid: 65_534, gid: 65_534 };

/** Of this machine, for one container. */
export interface HostPaths {
  /** Folder for each volume of the spec, by name. */
  readonly volumeFolders: ReadonlyMap<string, string>;
  /** Each file of the spec, by where it is mounted. */
  readonly mountedFiles: ReadonlyMap<string, string>;
}

export interface ContainerSurroundings extends HostPaths {
  readonly provider: string;
  readonly place: ContainerPlace;
  /** Name of the image at the engine. */
  readonly image: string;
  readonly imageUser: string;
  /** Folders that the image declares as volumes: they would be written without a limit. */
  readonly imageVolumes: readonly string[];
  readonly network: { readonly name: string; readonly gateway: string; readonly address: string };
  /** File of the host that names the resolver. */
  readonly resolverFile: string;
  /** Of this machine, for this container alone. */
  readonly handed: HandedDevices;
  /** The kernel knows IPv6, so it can be switched off. */
  readonly hasIpv6: boolean;
}

/** Who runs the container: the spec’s user, else the image’s where it is numeric and not 0, else nobody. */
export function userOf(spec: Pick<ContainerSpec, 'user'>, imageUser: string): { uid: number; gid: number } {
  return parseUser(spec.user ?? imageUser) ?? nobody;
}

/** The body of `POST /containers/create`. */
export function createBody(spec: ContainerSpec, around: ContainerSurroundings): CreateBody {
  const { place, network, provider } = around;
  const { uid, gid } = userOf(spec, around.imageUser);
  return {
    Image: around.image,
    Hostname: `${spec.service}-${place.instance}`.replaceAll('_', '-').slice(0, 63),
    User: `${uid}:${gid}`,
    Env: Object.entries(spec.env ?? {}).map(([name, value]) => `${name}=${value}`),
    // As the entry point, so that the image’s own is not put before it.
    ...(spec.command === undefined ? {} : { Entrypoint: [...spec.command] }),
    Tty: false,
    OpenStdin: false,
    StopTimeout: restrictions.stopSeconds,
    // The image’s own check would run commands inside at its will; ours stands in the spec.
    Healthcheck: { Test: ['NONE'] },
    Labels: {
      [label.provider]: provider,
      [label.lease]: place.deployment,
      [label.service]: place.service,
      [label.instance]: String(place.instance),
      [label.spec]: place.specHash,
      [label.address]: network.address,
      ...devicesLabel(around.handed.devices),
    },
    HostConfig: {
      ...isolation(),
      ...quotas(spec),
      ...surroundings(spec, around, { uid, gid }),
      ...handedOver(around.handed),
    },
    NetworkingConfig: {
      EndpointsConfig: { [network.name]: { IPAMConfig: { IPv4Address: network.address } } },
    },
  };
}

/** dockerode’s types lack the namespace of control groups. */
type HostConfig = NonNullable<CreateBody['HostConfig']> & { CgroupnsMode?: 'private' };

/** What no container has. The default seccomp profile, masked and read-only paths hold because nothing unsets them. */
function isolation(): HostConfig {
  return {
    Privileged: false,
    CapDrop: ['ALL'],
    CapAdd: [],
    SecurityOpt: ['no-new-privileges:true'],
    ReadonlyRootfs: true,
    IpcMode: 'private',
    PidMode: '',
    UTSMode: '',
    CgroupnsMode: 'private',
    PublishAllPorts: false,
    // Reaps what the program leaves behind and passes signals on.
    Init: true,
    // Not `unless-stopped`: after a start of the machine the engine would run it before its network is fenced. The driver
    // starts what the engine does not.
    RestartPolicy: { Name: 'on-failure' },
    LogConfig: {
      Type: 'json-file',
      Config: { 'max-size': `${restrictions.logFileBytes / mebibyte}m`, 'max-file': String(restrictions.logFiles) },
    },
  };
}

/** What the lease pays for, and no more. */
function quotas(spec: ContainerSpec): HostConfig {
  return {
    Memory: spec.memoryBytes,
    // Memory and swap together: none is swapped out.
    MemorySwap: spec.memoryBytes,
    CpuPeriod: restrictions.cpuPeriodMicros,
    // The quota, not NanoCpus: that one refuses more than the machine has, which over-commitment may ask for.
    CpuQuota: Math.round((spec.cpu * restrictions.cpuPeriodMicros) / 1000),
    PidsLimit: restrictions.pids,
    OomKillDisable: false,
    OomScoreAdj: restrictions.oomScoreAdj,
    ShmSize: smallTmpfs(spec),
    Ulimits: [
      { Name: 'nofile', Soft: restrictions.openFiles, Hard: restrictions.openFiles },
      { Name: 'core', Soft: 0, Hard: 0 },
    ],
  };
}

function surroundings(
  spec: ContainerSpec,
  around: ContainerSurroundings,
  user: { readonly uid: number; readonly gid: number },
): HostConfig {
  const ipv6Off = { 'net.ipv6.conf.all.disable_ipv6': '1', 'net.ipv6.conf.default.disable_ipv6': '1' };
  return {
    NetworkMode: around.network.name,
    Dns: [around.network.gateway],
    // Without one the host’s own domain would be told.
    DnsSearch: [...resolverSearch],
    DnsOptions: [...resolverOptions],
    Sysctls: {
      // Without capabilities nobody could bind port 80.
      'net.ipv4.ip_unprivileged_port_start': '0',
      ...(around.hasIpv6 ? ipv6Off : {}),
    },
    Tmpfs: tmpfs(spec, around.imageVolumes, user),
    Mounts: [
      mount({ source: around.resolverFile, target: '/etc/resolv.conf', readOnly: true }),
      ...spec.volumes.map(({ name, path }) =>
        mount({ source: around.volumeFolders.get(name)!, target: path, readOnly: false }),
      ),
      ...(spec.files ?? []).map(({ path }) =>
        mount({ source: around.mountedFiles.get(path)!, target: path, readOnly: true }),
      ),
    ],
  };
}

/**
 * Devices alone, with the groups whose members may open them: whoever runs a container is nobody on this machine. Without
 * one nothing is handed over.
 */
function handedOver({ devices, groups }: HandedDevices): HostConfig {
  const parsed = devices.map(parseDevice);
  const ids = parsed.flatMap((device) => (device?.by === 'nvidia' ? [device.id] : []));
  // What several processors share, like AMD’s /dev/kfd, is handed over once.
  const paths = new Set(parsed.flatMap((device) => (device?.by === 'paths' ? device.paths : [])));
  return {
    Devices: [...paths].map((path) => ({ PathOnHost: path, PathInContainer: path, CgroupPermissions: 'rw' })),
    DeviceRequests: ids.length === 0 ? [] : [{ Driver: 'nvidia', DeviceIDs: ids, Capabilities: [['gpu']] }],
    ...(groups.length === 0 ? {} : { GroupAdd: groups.map(String) }),
  };
}

function mount(of: { readonly source: string; readonly target: string; readonly readOnly: boolean }) {
  return {
    Type: 'bind' as const,
    Source: of.source,
    Target: of.target,
    ReadOnly: of.readOnly,
    // Nothing that is mounted on one side later appears on the other.
    BindOptions: { Propagation: 'rprivate' as const },
  };
}

/** Writable folders in memory; `exec` stays allowed, as /tmp has it on any machine. */
function tmpfs(
  spec: ContainerSpec,
  imageVolumes: readonly string[],
  { uid, gid }: { readonly uid: number; readonly gid: number },
): Record<string, string> {
  const options = (bytes: number, mode: string) =>
    `rw,exec,nosuid,nodev,size=${bytes},mode=${mode},uid=${uid},gid=${gid}`;
  const taken = new Set(['/tmp', '/run', ...[...spec.volumes, ...(spec.files ?? [])].map(({ path }) => path)]);
  const own = [...new Set(imageVolumes.map(withoutSlash))].filter((path) => !taken.has(path));
  const ownBytes = Math.floor(spec.memoryBytes / restrictions.imageVolumeShare);
  return {
    '/tmp': options(Math.floor(spec.memoryBytes / restrictions.tmpShare), '1777'),
    '/run': options(smallTmpfs(spec), '0755'),
    ...Object.fromEntries(own.map((path) => [path, options(ownBytes, '0755')])),
  };
}

function smallTmpfs({ memoryBytes }: ContainerSpec): number {
  return Math.min(restrictions.smallTmpfsBytes, Math.floor(memoryBytes / restrictions.smallTmpfsShare));
}

function withoutSlash(path: string): string {
  return path.replace(/(?<=.)\/+$/, '');
}
