/** What the container engine says of itself. */
import { statfs } from 'node:fs/promises';
import Docker from 'dockerode';
import { type EngineInfo, runtimesOf } from '../../workloads/container/engine-readers.ts';
import type { EngineLook } from './probes.ts';

const answerMs = 10_000;

/** What `GET /info` has beside dockerode's types. */
interface MoreInfo extends EngineInfo {
  readonly CgroupVersion?: string;
  readonly LiveRestoreEnabled?: boolean;
  readonly PidsLimit?: boolean;
}

/** @throws Error where it does not answer */
export async function engineLook(socketPath: string): Promise<EngineLook> {
  const docker = new Docker({ socketPath, timeout: answerMs });
  const [version, info] = await Promise.all([docker.version(), docker.info() as Promise<Info>]);
  const free = await statfs(info.DockerRootDir, { bigint: true }).catch(() => undefined);
  return {
    apiVersion: version.ApiVersion,
    version: version.Version,
    seccomp: (info.SecurityOptions ?? []).some(
      (option) => option.startsWith('name=seccomp') && !option.includes('profile=unconfined'),
    ),
    cgroupVersion: info.CgroupVersion ?? '1',
    storageDriver: info.Driver,
    memoryLimit: info.MemoryLimit === true,
    pidsLimit: info.PidsLimit !== false,
    rootFolder: info.DockerRootDir,
    freeBytes: free && free.bavail * free.bsize,
    liveRestore: info.LiveRestoreEnabled === true,
    ...runtimesOf(info),
  };
}

type Info = MoreInfo & { readonly Driver: string; readonly MemoryLimit?: boolean };
