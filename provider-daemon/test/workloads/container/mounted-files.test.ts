/** Files that containers mount: on the disk alone, then in containers on the real engine. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { toHex } from '@mu/lib/bytes';
import type { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import { MountedFiles } from '../../../src/workloads/container/mounted-files.ts';
import {
  type ContainerSpec,
  type MountedFile,
  type ServingWorkload,
  WorkloadError,
} from '../../../src/workloads/driver.ts';
import { sha256 } from '../../manifests/fixture.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { errorOf, eventually, soon } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';

allowSeconds(120);

/** A file as the store of manifests has it: in a folder of its own, for the daemon alone. */
function stored(folder: string, name: string, text: string): Omit<MountedFile, 'path'> {
  mkdirSync(join(folder, 'manifests', name), { recursive: true, mode: 0o700 });
  const source = join(folder, 'manifests', name, 'file-0');
  writeFileSync(source, text, { mode: 0o600 });
  return { source, sha256: toHex(sha256(Buffer.from(text))) };
}

describe('links to files of manifests', () => {
  const web = { deployment: '7', service: 'web' };
  let folder: string;
  let files: MountedFiles;
  const file = (name: string, text: string): MountedFile => ({ path: '/model', ...stored(folder, name, text) });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mu-links-'));
    files = new MountedFiles(join(folder, 'mounted-files'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  test('a link is the file itself, for all to read and nobody to execute, below folders that nobody can list', async () => {
    const one = file('r1', 'model');
    const path = await files.ensure(web, one);
    expect(path).toBe(join(folder, 'mounted-files', '7~web', one.sha256));
    expect([statSync(path).ino, statSync(path).mode & 0o7777]).toEqual([statSync(one.source).ino, 0o644]);
    for (const above of [join(path, '..'), join(path, '..', '..')]) expect(statSync(above).mode & 0o066).toBe(0);
  });

  test('one that is right is left alone: nothing has the file read again', async () => {
    const one = file('r1', 'model');
    const path = await files.ensure(web, one);
    const before = statSync(one.source, { bigint: true }).ctimeNs;
    expect(await files.ensure(web, one)).toBe(path);
    expect(statSync(one.source, { bigint: true }).ctimeNs).toBe(before);
  });

  test('the same content of another version takes its place, so that the disk has it once when the old one goes', async () => {
    const [one, two] = [file('r1', 'model'), file('r2', 'model')];
    const path = await files.ensure(web, one);
    // What a daemon that was killed has left.
    writeFileSync(`${path}.new`, 'half');
    expect(await files.ensure(web, two)).toBe(path);
    expect(statSync(path).ino).toBe(statSync(two.source).ino);
    expect(statSync(one.source).nlink).toBe(1);
    expect(readdirSync(join(path, '..'))).toEqual([two.sha256]);
  });

  test('a link outlives its manifest; without either a start fails and says which file is gone', async () => {
    const one = file('r1', 'model');
    const path = await files.ensure(web, one);
    rmSync(join(one.source, '..'), { recursive: true });
    expect(await files.ensure(web, one)).toBe(path);
    expect(readFileSync(path, 'utf8')).toBe('model');
    await files.release(web);
    const error = await errorOf(files.ensure(web, one));
    expect([error.reason, error.message]).toEqual(['failed', expect.stringContaining(`file at ${one.source} is not`)]);
  });

  test('what no version needs goes; of other services nothing does', async () => {
    const [one, two] = [file('r1', 'old'), file('r2', 'new')];
    for (const each of [one, two]) await files.ensure(web, each);
    const db = { deployment: '7', service: 'db' };
    await files.ensure(db, one);
    await files.release(web, [two]);
    expect(readdirSync(join(folder, 'mounted-files', '7~web'))).toEqual([two.sha256]);
    expect((await files.found()).sort((a, b) => (a.service < b.service ? -1 : 1))).toEqual([db, web]);
    await files.release(web);
    await files.release({ deployment: '8', service: 'never' });
    expect(await files.found()).toEqual([db]);
    expect(readFileSync(one.source, 'utf8')).toBe('old');
  });

  test('where there is none yet, nothing is found and nothing fails', async () => {
    expect(await files.found()).toEqual([]);
    await files.release(web, [file('r1', 'model')]);
  });
});

describeWithDocker('files in containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let artifact: ContainerSpec['artifact'];
  const health = { path: '/', port: 8080, intervalMs: 300 };
  const path = '/models/tiny.gguf';

  beforeAll(async () => {
    bench = await containerBench(docker);
    driver = await bench.driver();
    artifact = await bench.archive('files', { config: { Volumes: { '/cache': {} } } });
  });
  afterAll(() => driver.close());

  const ids = async (): Promise<string[]> => {
    const found = await docker.docker.listContainers({ all: true, filters: { label: [`mu.provider=${docker.name}`] } });
    return found.map(({ Id }) => Id).sort();
  };
  const said = async (workload: ServingWorkload, command: string, instance = 0): Promise<string> => {
    const session = await workload.exec({ instance, command: ['sh', '-c', `${command} 2>&1`], tty: false });
    let text = '';
    for await (const { chunk } of session.output) text += Buffer.from(chunk).toString();
    return `${text.trim()} (${await session.exitCode})`;
  };
  const linked = (): string[] => readdirSync(join(bench.folder, 'mounted-files'), { recursive: true }).map(String);
  /** Answers what its file says. */
  const serving = (files: readonly MountedFile[], more: Partial<ContainerSpec> = {}): ContainerSpec =>
    shell(artifact, `mkdir -p /tmp/www; cp ${path} /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www`, {
      health,
      files,
      ...more,
    });

  test('a file is read in every replica, and neither written, executed, replaced nor taken away', async () => {
    const model = { path, ...stored(bench.folder, 'a', 'echo the model') };
    const others = ['/cache/below', '/etc/app/conf', '/tmp/at', '/usr/share/x/y'].map((at) => ({ ...model, path: at }));
    const workload = await driver.start(serving([model, ...others], { count: 2 }));
    for (const index of [0, 1]) expect(await eventually('it', () => soon(ask(workload, index)))).toBe('echo the model');
    for (const index of [0, 1]) expect(await said(workload, `cat ${path}`, index)).toBe('echo the model (0)');
    for (const at of others) expect(await said(workload, `cat ${at.path}`)).toBe('echo the model (0)');
    for (const at of [model, ...others]) {
      expect(await said(workload, `echo x > ${at.path}`)).toMatch(/Read-only file system.*\([12]\)/);
      expect(await said(workload, `chmod 777 ${at.path}`)).toMatch(/Read-only file system|not permitted/);
      expect(await said(workload, `rm -f ${at.path}`)).toMatch(/\(1\)$/);
      expect(await said(workload, at.path)).toMatch(/Permission denied.*\(126\)/);
    }
    expect(await said(workload, 'id -u; stat -c "%a %F" /models/tiny.gguf; ls /models')).toBe(
      '65534\n644 regular file\ntiny.gguf (0)',
    );
    expect(readFileSync(model.source, 'utf8')).toBe('echo the model');
    const [id] = await ids();
    const { Mounts, HostConfig } = await docker.docker.getContainer(id!).inspect();
    const mounts = Mounts.filter(({ Destination }) => Destination !== '/etc/resolv.conf');
    expect(mounts).toHaveLength(5);
    for (const { Type, Source, RW, Propagation } of mounts)
      expect([Type, Source, RW, Propagation]).toEqual([
        'bind',
        expect.stringMatching(/\/[0-9a-f]{64}$/),
        false,
        'rprivate',
      ]);
    expect(HostConfig.Binds ?? []).toEqual([]);
    await workload.stop();
    expect(linked()).toEqual([]);
  });

  test('whoever runs it may read it, also a user and a group that the stack names', async () => {
    const model = { path, ...stored(bench.folder, 'user', 'mine') };
    const workload = await driver.start(serving([model], { user: '1234:5678' }));
    expect(await said(workload, `id -u; cat ${path}`)).toBe('1234\nmine (0)');
    await workload.stop();
  });

  test('another content makes the containers anew; the same one from another version does not', async () => {
    const one = { path, ...stored(bench.folder, 'b1', 'one') };
    const workload = await driver.start(serving([one], { count: 2 }));
    const before = await ids();
    const again = { path, ...stored(bench.folder, 'b2', 'one') };
    await workload.update(serving([again], { count: 2 }));
    expect(await ids()).toEqual(before);
    const two = { path, ...stored(bench.folder, 'b3', 'two') };
    await workload.update(serving([two], { count: 2 }));
    for (const index of [0, 1]) expect(await ask(workload, index)).toBe('two');
    expect((await ids()).filter((id) => before.includes(id))).toEqual([]);
    expect(linked().sort()).toEqual(['7~app', `7~app/${two.sha256}`]);
    await workload.stop();
  });

  test('after an update that fails the old one has its old file, and the new one’s is gone', async () => {
    const [old, bad] = [
      { path, ...stored(bench.folder, 'c1', 'old') },
      { path, ...stored(bench.folder, 'c2', 'bad') },
    ];
    const script = `grep -q bad ${path} && [ $(cat /etc/hostname) = app-1 ] && exit 3; ${answers('up')}`;
    const version = (file: MountedFile) => shell(artifact, script, { health, files: [file], count: 2 });
    const workload = await driver.start(version(old));
    expect((await errorOf(workload.update(version(bad)))).reason).toBe('unhealthy');
    for (const index of [0, 1]) expect(await said(workload, `cat ${path}`, index)).toBe('old (0)');
    expect(linked().sort()).toEqual(['7~app', `7~app/${old.sha256}`]);
    await workload.stop();
  });

  test('a container that the engine starts again finds its file, though its manifest has gone', async () => {
    const model = { path, ...stored(bench.folder, 'd', 'kept') };
    const script = `${serving([]).command!.at(-1)!.replace('exec httpd', 'httpd')} & while [ ! -e /tmp/die ]; do sleep 0.1; done; exit 5`;
    const workload = await driver.start(shell(artifact, script, { health, files: [model] }));
    rmSync(join(model.source, '..'), { recursive: true });
    const [id] = await ids();
    await said(workload, 'touch /tmp/die');
    await eventually('a restart', () =>
      workload.status().find(({ restarts, state }) => restarts > 0 && state === 'ready'),
    );
    expect(await said(workload, `cat ${path}`)).toBe('kept (0)');
    // By hand, as after a restart of the machine.
    await docker.docker.getContainer(id!).restart({ t: 0 });
    expect(await eventually('an answer', () => soon(ask(workload)))).toBe('kept');
    // Made anew by the driver, which has the link alone.
    await docker.docker.getContainer(id!).remove({ force: true });
    await eventually('another one', async () => ((await ids()).some((one) => one !== id) ? true : undefined));
    expect(await eventually('an answer', () => soon(ask(workload)))).toBe('kept');
    await workload.stop();
  });

  test('the next daemon takes over what runs with its files, and removes them with what no lease wants', async () => {
    const first = await bench.driver();
    const model = { path, ...stored(bench.folder, 'e', 'over') };
    await first.start(serving([model]));
    const before = await ids();
    await first.close();
    const next = await bench.driver();
    const workload = await next.start(serving([model]));
    expect(await ids()).toEqual(before);
    expect(await ask(workload)).toBe('over');
    await next.close();
    const last = await bench.driver();
    await last.remove({ deployment: '7', service: 'app' });
    expect([await ids(), linked()]).toEqual([[], []]);
    await last.close();
  });

  test('a file whose container was never made is found, and goes', async () => {
    const model = { path, ...stored(bench.folder, 'f', 'left') };
    await new MountedFiles(join(bench.folder, 'mounted-files')).ensure({ deployment: '9', service: 'left' }, model);
    expect(await driver.found()).toContainEqual({ deployment: '9', service: 'left' });
    await driver.remove({ deployment: '9', service: 'left' });
    expect([await driver.found(), linked()]).toEqual([[], []]);
  });

  test('one that is not there keeps a version from starting, and says so', async () => {
    const model = { path, ...stored(bench.folder, 'g', 'gone') };
    rmSync(model.source);
    const error = await errorOf(driver.start(serving([model])));
    expect(error).toBeInstanceOf(WorkloadError);
    expect([error.reason, await ids()]).toEqual(['failed', []]);
  });
});
