/** Tests that need a container engine: where none can be reached they say so, loudly, and the rest runs. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, test } from '@jest/globals';
import Docker from 'dockerode';
import { pack } from 'tar-stream';

/** Where busybox is after `apt-get install busybox-static`. */
const busyboxPaths = ['/bin/busybox', '/usr/bin/busybox'];
/** Everything that a test makes at the engine has it, with a value of the test file’s own. */
const testLabel = 'mu.test';

const docker = new Docker({ ...{ agent: new Agent({ keepAlive: false }) }, socketPath: '/var/run/docker.sock' });
const missing = await whyMissing();

async function whyMissing(): Promise<string | undefined> {
  if (!busyboxPaths.some((path) => existsSync(path))) return 'busybox is missing: apt-get install busybox-static';
  try {
    await docker.ping();
    return undefined;
  } catch (error) {
    return `no Docker engine at /var/run/docker.sock: ${(error as Error).message}`;
  }
}

/** What a group of tests has at the engine; all of it goes when the group ends. */
export interface DockerBench {
  readonly docker: Docker;
  /** Of this group alone; as a provider’s name, in names of images, in labels. */
  readonly name: string;
  /** `mu.test=<name>`: what has this label is removed at the end, as are containers and networks of provider `name`. */
  readonly label: Readonly<Record<string, string>>;
  /** An image of busybox with all of its commands. @returns its name at the engine */
  importBusybox(changes?: readonly string[]): Promise<string>;
  /** To be done at the end, last things first, before containers go. */
  later(undo: () => Promise<unknown> | unknown): void;
}

let groups = 0;

/**
 * `describe` with an engine. Without one a single test stands in for the group: it says so, and fails where
 * MU_REQUIRE_DOCKER=1.
 */
export function describeWithDocker(title: string, body: (bench: DockerBench) => void): void {
  if (missing !== undefined) {
    test(`NOT RUN, no Docker engine: ${title}`, () => {
      process.stderr.write(`\n*** NOT RUN: ${title}\n*** no Docker engine: ${missing}\n\n`);
      expect(process.env['MU_REQUIRE_DOCKER']).not.toBe('1');
    });
    return;
  }
  groups += 1;
  const name = `mutest${process.pid}x${groups}`;
  const undos: (() => Promise<unknown> | unknown)[] = [];
  const bench: DockerBench = {
    docker,
    name,
    label: { [testLabel]: name },
    importBusybox: (changes = []) => importBusybox(`${name}/busybox`, changes),
    later: (undo) => undos.unshift(undo),
  };
  describe(title, () => {
    // Declared first, so it runs after those of the group itself.
    afterAll(async () => {
      for (const undo of undos.splice(0)) await undo();
      await sweep(name);
    });
    body(bench);
  });
}

/** The bytes of busybox, and the names of its commands. */
export async function busybox(): Promise<{ bytes: Buffer; commands: readonly string[] }> {
  const path = busyboxPaths.find((candidate) => existsSync(candidate))!;
  return { bytes: await readFile(path), commands };
}

/** What the tests call; each is a link to busybox. */
const commands =
  'arping cat chmod cp date dd df echo env false find free grep head httpd id ifconfig ip kill ls mkdir mount mv nc nslookup ping printf ps pwd rm sed seq sh sleep sort stat stty sync sysctl tail tee test timeout touch tr true tty uname uptime vi wc wget which yes'.split(
    ' ',
  );

let images = 0;

async function importBusybox(repository: string, changes: readonly string[]): Promise<string> {
  const { bytes } = await busybox();
  const archive = pack();
  archive.entry({ name: 'bin/busybox', mode: 0o755 }, bytes);
  for (const name of commands) archive.entry({ name: `bin/${name}`, type: 'symlink', linkname: 'busybox' });
  archive.finalize();
  images += 1;
  const progress = (await docker.importImage(Readable.from(archive), {
    repo: repository,
    tag: String(images),
    changes: [...changes],
  })) as unknown as NodeJS.ReadableStream;
  await new Promise<void>((resolve, reject) => {
    docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
  });
  return `${repository}:${images}`;
}

/** Removes what has the group’s label or provider: containers, then networks, then images. */
async function sweep(name: string): Promise<void> {
  for (const filter of [`${testLabel}=${name}`, `mu.provider=${name}`]) {
    const containers = await docker.listContainers({ all: true, filters: { label: [filter] } });
    await Promise.all(containers.map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
    const networks = await docker.listNetworks({ filters: { label: [filter] } });
    await Promise.all(networks.map(({ Id }) => docker.getNetwork(Id).remove()));
  }
  const found = await docker.listImages({ filters: { reference: [`${name}/*`] } });
  for (const image of found.flatMap(({ RepoTags }) => RepoTags ?? []))
    await docker.getImage(image).remove({ force: true });
}
