/** What runs and serves on this machine: doors, data plane, sandbox, containers. */

import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { messageOf } from '@mu/lib/error-message';
import type { ProviderConfig } from '../../config/schema.ts';
import { planeFiles, planeSettings } from '../../data-plane/settings.ts';
import { wireVersion } from '../../data-plane/wire.ts';
import { gatewayUri, hostUri } from '../../setup/places.ts';
import { type Check, fail, ok, type Verdict, warn, worst } from './finding.ts';
import type { EngineLook, Probes } from './probes.ts';

const mebibyte = 1n << 20n;
/** The oldest API of the engine that is spoken. */
export const leastApi = '1.41';
/** Of the disk where images lie: more than one large image. */
export const leastImageBytes = 2n << 30n;

const offersContainers = ({ offer }: ProviderConfig): boolean => offer.services.includes('mu-workload');

export const daemonCheck: Check = {
  name: 'daemon',
  async look(_config, probes) {
    const daemon = await probes.daemon();
    if (daemon === undefined) return warn('it does not run', 'start it: `mu-provider start`');
    const wrong = daemon.health.checks.filter((one) => !one.ok).map(({ name, message }) => `${name}: ${message}`);
    if (wrong.length > 0)
      return fail(`process ${daemon.pid} runs, but: ${wrong.join('; ')}`, 'see the other findings, and its log');
    return ok(`process ${daemon.pid} runs since ${daemon.started_at} and is well`);
  },
};

export const planeCheck: Check = {
  name: 'data plane',
  async look(config, probes) {
    const daemon = await probes.daemon();
    const { folder } = planeSettings(config);
    if (daemon !== undefined) {
      const { up, pid, version } = daemon.data_plane;
      if (!up) return fail('it does not answer its daemon', `see its log, ${join(folder, planeFiles.log)}`);
      if (version !== undefined && version !== wireVersion) {
        return fail(
          `process ${pid} speaks version ${version}, this program ${wireVersion}`,
          'restart the daemon: it replaces the data plane',
        );
      }
      return ok(`process ${pid} serves`);
    }
    const listens = await probes.listens(join(folder, planeFiles.socket));
    if (listens !== true) return ok('it does not run; the daemon starts it');
    return warn(
      'it serves on without a daemon',
      `start the daemon within ${config.gateway.orphanMinutes} minutes, or end it: \`mu-provider stop\``,
    );
  },
};

export const hostPortCheck: Check = {
  name: 'host port',
  async look(config, probes) {
    return doorVerdict(config, probes, 'host');
  },
};

export const gatewayPortCheck: Check = {
  name: 'gateway port',
  async look(config, probes) {
    return doorVerdict(config, probes, 'gateway');
  },
};

/** Both doors are the data plane's, whether its daemon runs or not. */
async function doorVerdict(config: ProviderConfig, probes: Probes, setting: 'host' | 'gateway'): Promise<Verdict> {
  const listens = await probes.listens(join(planeSettings(config).folder, planeFiles.socket));
  const verdict = await portVerdict(probes, { ...config[setting], setting, isOurs: listens === true });
  return worst([...everywhere(config, setting), verdict]);
}

/** The data plane listens for workloads at the ports that they name, at addresses of this machine in their networks. */
function everywhere(config: ProviderConfig, setting: 'host' | 'gateway'): Verdict[] {
  const { address, port } = config[setting];
  if (!offersContainers(config) || !['0.0.0.0', '::'].includes(address)) return [];
  return [
    warn(
      `it listens at all addresses, those of workloads’ networks too: none of them can have a connection at port ${port}`,
      `set ${setting}.address to the address of this machine, and ${setting}.uri to what the chain is to show`,
    ),
  ];
}

export const metricsPortCheck: Check = {
  name: 'metrics port',
  async look({ metrics }, probes) {
    if (metrics.port === 0) return undefined;
    const daemon = await probes.daemon();
    return portVerdict(probes, { ...metrics, setting: 'metrics', isOurs: daemon !== undefined });
  },
};

async function portVerdict(
  probes: Probes,
  at: { readonly address: string; readonly port: number; readonly setting: string; readonly isOurs: boolean },
): Promise<Verdict> {
  const { address, port, setting, isOurs } = at;
  if (port === 0)
    return warn('any free port is taken at each start', `set ${setting}.port: the chain shows one address`);
  const state = await probes.port(address, port);
  const where = `${address}:${port}`;
  if (state === 'free') {
    if (!isOurs) return ok(`${where} is free`);
    return fail(
      `nobody listens at ${where}, though it should be served`,
      'restart the daemon: the config may have changed since it began',
    );
  }
  if (state === 'taken') {
    if (isOurs) return ok(`${where} is served`);
    return fail(
      `another program listens at ${where}`,
      `end it, or set another ${setting}.port and run \`mu-provider register\``,
    );
  }
  return fail(
    `${where} cannot be listened at: ${state.refused}`,
    `set ${setting}.address to an address of this machine; ports below 1024 need CAP_NET_BIND_SERVICE`,
  );
}

export const hostUriCheck: Check = {
  name: 'host_uri',
  async look(config, probes) {
    const uri = hostUri(config);
    if ((await probes.daemon()) === undefined)
      return warn(`${uri} cannot be tried: the daemon does not run`, 'start it and ask again');
    const { nodeCertificate } = await probes.identity();
    try {
      const found = await probes.tlsFingerprint(uri);
      if (found === createHash('sha256').update(nodeCertificate.der).digest('hex'))
        return ok(`${uri} answers with our certificate`);
      return fail(
        `${uri} answers with another certificate`,
        'let the address lead to this node, without a proxy that ends TLS',
      );
    } catch (error) {
      return fail(
        `${uri} does not answer from here: ${messageOf(error)}`,
        'check host.uri, DNS, port forwarding and the firewall',
      );
    }
  },
};

export const gatewayUriCheck: Check = {
  name: 'gateway_uri',
  async look(config, probes) {
    const uri = gatewayUri(config);
    const listens = await probes.listens(join(planeSettings(config).folder, planeFiles.socket));
    if (listens !== true)
      return warn(`${uri} cannot be tried: the data plane does not run`, 'start the daemon and ask again');
    try {
      return ok(`${uri} answers (${await probes.httpStatus(uri)} for no deployment)`);
    } catch (error) {
      return fail(
        `${uri} does not answer from here: ${messageOf(error)}`,
        'check gateway.uri, DNS, port forwarding and the firewall',
      );
    }
  },
};

export const sandboxCheck: Check = {
  name: 'sandbox',
  async look({ offer }, probes) {
    if (!offer.services.includes('mu-function')) return undefined;
    const { networkNamespace, uid, description } = await probes.isolation();
    if (networkNamespace && uid !== undefined) return ok(description);
    const missing = [
      ...(networkNamespace ? [] : ['no network namespace of their own']),
      ...(uid === undefined ? ['the daemon’s own user'] : []),
    ];
    return warn(
      `functions run with ${missing.join(' and ')}: ${description}`,
      'run the daemon as root, with unshare (util-linux) installed',
    );
  },
};

export const engineCheck: Check = {
  name: 'container engine',
  async look(config, probes) {
    if (!offersContainers(config)) return undefined;
    const { socket } = config.containers;
    let engine: EngineLook;
    try {
      engine = await probes.engine(socket);
    } catch (error) {
      return fail(
        `no engine answers at ${socket}: ${messageOf(error)}`,
        'start dockerd (Debian: apt-get install docker.io), or set containers.socket',
      );
    }
    return worst(engineVerdicts(engine));
  },
};

function engineVerdicts(engine: EngineLook): Verdict[] {
  const { apiVersion, version, seccomp, cgroupVersion, storageDriver, freeBytes, rootFolder, liveRestore } = engine;
  const { nvidiaForAll } = engine;
  const found: Verdict[] = [];
  if (olderThan(apiVersion, leastApi))
    found.push(fail(`its API is ${apiVersion}, at least ${leastApi} is needed`, 'install Docker 20.10 or newer'));
  if (!seccomp)
    found.push(
      fail('it runs containers without seccomp', 'take “seccomp-profile: unconfined” out of /etc/docker/daemon.json'),
    );
  if (!engine.memoryLimit || !engine.pidsLimit) {
    found.push(
      fail(
        'the system keeps no limits of memory or processes',
        'turn on the memory and pids controllers of cgroups (kernel: cgroup_enable=memory)',
      ),
    );
  }
  if (nvidiaForAll)
    found.push(
      fail(
        'it runs every container by NVIDIA’s runtime, which hands over any graphics processor that a container names',
        'take “default-runtime” out of /etc/docker/daemon.json',
      ),
    );
  if (storageDriver === 'vfs')
    found.push(
      warn(
        'its storage driver vfs copies every layer',
        'use overlay2: a file system that supports it under its root folder',
      ),
    );
  if (freeBytes !== undefined && freeBytes < leastImageBytes) {
    found.push(
      fail(
        `${freeBytes / mebibyte} MiB are free at ${rootFolder}, where images lie`,
        'make room: docker image prune, or a larger disk',
      ),
    );
  }
  const kept = liveRestore
    ? 'containers run on while it restarts'
    : 'its restart ends containers for a moment (live-restore is off)';
  return [
    ...found,
    ok(`Docker ${version}, API ${apiVersion}, seccomp, cgroup v${cgroupVersion}, ${storageDriver}; ${kept}`),
  ];
}

export const firewallCheck: Check = {
  name: 'firewall',
  async look(config, probes) {
    if (!offersContainers(config)) return undefined;
    try {
      await probes.run('nft', ['list', 'tables']);
      return ok('nftables answers');
    } catch (error) {
      return fail(
        `nft does not work: ${messageOf(error)}`,
        'apt-get install nftables, and run the daemon as root (CAP_NET_ADMIN)',
      );
    }
  },
};

export const volumesCheck: Check = {
  name: 'volumes',
  async look(config, probes) {
    if (!offersContainers(config)) return undefined;
    const found: Verdict[] = [];
    if (!probes.isRoot()) found.push(fail('only root may mount file systems', 'run the daemon as root'));
    if (!(await probes.exists('/dev/loop-control')))
      found.push(fail('there are no loop devices', 'load the kernel module: modprobe loop'));
    for (const [program, args] of [
      ['mkfs.ext4', ['-V']],
      ['losetup', ['--version']],
    ] as const) {
      try {
        await probes.run(program, args);
      } catch (error) {
        found.push(fail(`${program} does not work: ${messageOf(error)}`, 'apt-get install e2fsprogs util-linux'));
      }
    }
    return worst([...found, ok('loop devices and mkfs.ext4 are there')]);
  },
};

/** Of versions like `1.41`. */
export function olderThan(version: string, least: string): boolean {
  const [[major = 0, minor = 0], [leastMajor = 0, leastMinor = 0]] = [version, least].map((text) =>
    text.split('.').map(Number),
  ) as [number[], number[]];
  return major !== leastMajor ? major < leastMajor : minor < leastMinor;
}
