/** What a container's spec must be, before anything is asked of the engine. */
import { isAbsolute } from 'node:path';
import { isSystemFile, isSystemPath, maxMountedFiles, nestedMount } from '@mu/client/stack/mount-paths';
import { type ContainerSpec, type VolumeSpec, WorkloadError } from '../driver.ts';
import { parseReference } from './registry.ts';

const mebibyte = 1024 * 1024;
export const limits = {
  /** The engine itself wants 6 MiB. */
  minMemoryBytes: 8 * mebibyte,
  /** Thousandths; the kernel’s shortest share is 1 ms of 100 ms. */
  minCpu: 10,
  /** What a network has room for, each instance twice. */
  maxInstances: 63,
  maxCommandBytes: 64 * 1024,
  maxEnvBytes: 128 * 1024,
  maxVolumes: 16,
  maxPorts: 32,
  maxGpus: 64,
  /** Of a file system with its journal. */
  minVolumeBytes: 8 * mebibyte,
  maxId: 2_147_483_647,
} as const;

const namePattern = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}$/;
/** It is a part of the repository’s name of its images too. */
const deploymentPattern = /^(?=.{1,64}$)[a-z0-9]+(?:[._-][a-z0-9]+)*$/;

/** @throws WorkloadError `invalid` with what is wrong */
export function checkSpec(spec: ContainerSpec): void {
  const wrong = (what: string): never => {
    throw new WorkloadError('invalid', `${spec.service}: ${what}`);
  };
  if (!deploymentPattern.test(spec.deployment)) wrong(`“${spec.deployment}” cannot be a part of a container’s name`);
  if (!namePattern.test(spec.service)) wrong(`the name “${spec.service}” cannot be a part of a container’s name`);
  if (!isWhole(spec.memoryBytes, limits.minMemoryBytes)) {
    wrong(`${spec.memoryBytes} bytes of memory, a container needs ${limits.minMemoryBytes / mebibyte} MiB`);
  }
  if (!isWhole(spec.cpu, limits.minCpu)) wrong(`${spec.cpu} thousandths of a CPU, the least is ${limits.minCpu}`);
  if (!isWhole(spec.count, 1, limits.maxInstances)) {
    wrong(`${spec.count} instances, it must be from 1 to ${limits.maxInstances}`);
  }
  if (spec.gpu !== undefined && !isWhole(spec.gpu.count, 1, limits.maxGpus)) {
    wrong(`${spec.gpu.count} graphics processors, it must be from 1 to ${limits.maxGpus}`);
  }
  if (spec.user !== undefined && parseUser(spec.user) === undefined) {
    wrong(`the user “${spec.user}” must be uid or uid:gid in numbers, not 0`);
  }
  checkTexts(spec, wrong);
  checkPorts(spec, wrong);
  checkVolumes(spec.volumes, wrong);
  checkFiles(spec, wrong);
  const { image } = spec.artifact;
  if (image.from === 'registry') parseReference(image.reference);
}

/** @returns undefined unless it is `uid[:gid]` with numbers above 0; the group is the user’s number where left out */
export function parseUser(text: string): { uid: number; gid: number } | undefined {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  if (match === null) return undefined;
  const uid = Number(match[1]);
  const gid = Number(match[2] ?? match[1]);
  return isWhole(uid, 1, limits.maxId) && isWhole(gid, 1, limits.maxId) ? { uid, gid } : undefined;
}

type Wrong = (what: string) => never;

function checkTexts({ env, command, health }: ContainerSpec, wrong: Wrong): void {
  if (command !== undefined && command.length === 0) wrong('an empty command');
  const words = [...(command ?? []), ...Object.values(env ?? {})];
  if (words.some((word) => word.includes('\0'))) wrong('a zero byte in its command or environment');
  for (const name of Object.keys(env ?? {})) {
    if (!/^[^=\0]+$/.test(name)) wrong(`“${name}” cannot be the name of a variable`);
  }
  if (bytesOf(command ?? []) > limits.maxCommandBytes) wrong(`a command above ${limits.maxCommandBytes} bytes`);
  if (bytesOf(Object.entries(env ?? {}).flat()) > limits.maxEnvBytes) {
    wrong(`an environment above ${limits.maxEnvBytes} bytes`);
  }
  if (health !== undefined && !/^\/[\x21-\x7e]{0,1023}$/.test(health.path)) wrong(`the health path “${health.path}”`);
  if (health !== undefined && !isWhole(health.intervalMs, 100, 3_600_000)) {
    wrong(`a health check each ${health.intervalMs} ms, it must be from 100 to 3,600,000`);
  }
}

function checkPorts({ ports, health }: ContainerSpec, wrong: Wrong): void {
  if (ports.length > limits.maxPorts) wrong(`${ports.length} ports, at most ${limits.maxPorts}`);
  for (const { port } of [...ports, ...(health === undefined ? [] : [health])]) {
    if (!isWhole(port, 1, 65_535)) wrong(`port ${port}, it must be from 1 to 65535`);
  }
}

function checkVolumes(volumes: readonly VolumeSpec[], wrong: Wrong): void {
  if (volumes.length > limits.maxVolumes) wrong(`${volumes.length} volumes, at most ${limits.maxVolumes}`);
  const seen = new Set<string>();
  for (const { name, path, bytes } of volumes) {
    if (!namePattern.test(name)) wrong(`“${name}” cannot be the name of a volume`);
    checkMountPath(`the volume ${name}`, path, wrong);
    if (seen.has(name) || seen.has(path)) wrong(`two volumes with the name ${name} or at ${path}`);
    seen.add(name).add(path);
    if (!isWhole(bytes, limits.minVolumeBytes)) {
      wrong(`the volume ${name} of ${bytes} bytes, the least is ${limits.minVolumeBytes}`);
    }
  }
}

/** They come from our own plan; a name that leads elsewhere must not pass all the same. */
function checkFiles({ files = [], volumes }: ContainerSpec, wrong: Wrong): void {
  if (files.length > maxMountedFiles) wrong(`${files.length} files, at most ${maxMountedFiles}`);
  for (const { path, source, sha256 } of files) {
    checkMountPath('a file', path, wrong);
    if (isSystemFile(path)) wrong(`a file cannot be mounted at ${path}, which every container gets from its provider`);
    if (!isAbsolute(source) || !/^[0-9a-f]{64}$/.test(sha256)) wrong(`the file for ${path} is not one of a manifest`);
  }
  const nested = nestedMount(
    files.map(({ path }) => path),
    volumes.map(({ path }) => path),
  );
  if (nested !== undefined) wrong(`a file at ${nested[0]}, at, below or above ${nested[1]}`);
}

function checkMountPath(what: string, path: string, wrong: Wrong): void {
  if (!/^(?:\/[^/\0:]+)+$/.test(path) || path.split('/').some((part) => part === '.' || part === '..')) {
    wrong(`${what} is mounted at “${path}”: an absolute path without “.”, “..” and “:” is needed`);
  }
  if (isSystemPath(path)) wrong(`${what} cannot be mounted at ${path}, a folder of the system`);
}

function isWhole(value: number, from: number, to = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= from && value <= to;
}

function bytesOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
}
