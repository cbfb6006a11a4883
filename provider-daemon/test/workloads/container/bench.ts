/** A container driver on the real engine, with networks and volumes as a provider has them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tableName } from '../../../src/network/addressing.ts';
import { dockerNetworks } from '../../../src/network/docker-networks.ts';
import { parseSubnet } from '../../../src/network/ipv4.ts';
import type { Networks } from '../../../src/network/networks.ts';
import { runTool } from '../../../src/network/run-tool.ts';
import { LoopVolumes } from '../../../src/volumes/loop-volumes.ts';
import type { Volumes } from '../../../src/volumes/volumes.ts';
import { ContainerDriver, type ContainerDriverOptions } from '../../../src/workloads/container/container-driver.ts';
import type { ContainerSpec, InstanceStatus, Workload } from '../../../src/workloads/driver.ts';
import type { DockerBench } from '../../support/docker.ts';
import { type ImageWish, makeImage, writeDockerArchive } from '../../support/images.ts';

const mebibyte = 1024 * 1024;

/** A test’s patience with a version: shorter than a provider’s. */
export const patience = { readyMs: 20_000, settleMs: 400, maxEnds: 3 };

export interface ContainerBench {
  readonly folder: string;
  readonly networks: Networks;
  readonly volumes: Volumes;
  /** `deployment/service stream: line`, as they came. */
  readonly lines: string[];
  /** An image as an archive on this machine. @returns the source for a spec */
  archive(name: string, wish?: ImageWish): Promise<ContainerSpec['artifact']>;
  /** Another driver for the same provider: a daemon that was started again. */
  driver(options?: Partial<ContainerDriverOptions>): Promise<ContainerDriver>;
}

/** Drivers that are still open are closed at the end, and what they started is removed. */
export async function containerBench({ docker, name, later }: DockerBench): Promise<ContainerBench> {
  const folder = await mkdtemp(join(tmpdir(), 'mu-containers-'));
  later(() => rm(folder, { recursive: true, force: true }));
  const pool = parseSubnet(`10.215.${(process.pid % 16) * 16}.0/20`)!;
  const networks = dockerNetworks({ docker, provider: name, pool, denied: [] });
  later(() => runTool('nft', ['delete', 'table', 'inet', tableName(name)]).catch(() => {}));
  later(() => runTool('nft', ['delete', 'table', 'bridge', tableName(name)]).catch(() => {}));
  const volumes = new LoopVolumes({ dataFolder: folder, now: () => Date.now() });
  later(async () => {
    for (const lease of await volumes.list()) await volumes.retire(lease, 0);
    await volumes.sweep();
  });
  const lines: string[] = [];
  const open = (options: Partial<ContainerDriverOptions> = {}): Promise<ContainerDriver> =>
    ContainerDriver.create({
      provider: name,
      stateFolder: join(folder, 'marks'),
      networks,
      volumes,
      log: ({ deployment, service }, stream, line) => lines.push(`${deployment}/${service} ${stream}: ${line}`),
      patience,
      ...options,
    });
  const driver = async (options: Partial<ContainerDriverOptions> = {}): Promise<ContainerDriver> => {
    const made = await open(options);
    later(() => made.close());
    return made;
  };
  later(async () => {
    const last = await open();
    for (const workload of await last.found()) await last.remove(workload);
    await last.close();
  });
  return {
    folder,
    networks,
    volumes,
    lines,
    driver,
    archive: async (imageName, wish) => {
      const path = join(folder, `${imageName}.tar`);
      await writeDockerArchive(await makeImage(wish), path);
      return { kind: 'image', image: { from: 'archive', path, name: imageName } };
    },
  };
}

/** A container that runs a shell script. */
export function shell(
  artifact: ContainerSpec['artifact'],
  script: string,
  more: Partial<Omit<ContainerSpec, 'artifact'>> = {},
): ContainerSpec {
  return {
    deployment: '7',
    service: 'app',
    artifact,
    memoryBytes: 32 * mebibyte,
    cpu: 500,
    count: 1,
    command: ['/bin/sh', '-c', script],
    ports: [],
    egress: 'none',
    volumes: [],
    ...more,
  };
}

/** Answers at port 8080 with `text`, as HTTP. */
export function answers(text: string): string {
  return `mkdir -p /tmp/www && echo -n '${text}' > /tmp/www/index.html && exec httpd -f -p 8080 -h /tmp/www`;
}

/** What an instance answers at port 8080. */
export async function ask(workload: Workload, index = 0, path = '/'): Promise<string> {
  const { address } = workload.status().find((status) => status.index === index)!;
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const options = { host: address, port: 8080, path, agent: false, signal: AbortSignal.timeout(5_000) };
  const asked = request(options, async (response) => {
    let body = '';
    for await (const chunk of response) body += String(chunk);
    if (response.statusCode === 200) resolve(body);
    else reject(new Error(`answered ${response.statusCode}`));
  });
  asked.on('error', reject).end();
  return promise;
}

/** The first status, once it is as wished. */
export function standsAs(
  workload: Workload,
  isRight: (status: InstanceStatus) => boolean,
): () => InstanceStatus | undefined {
  return () => workload.status().find(isRight);
}
