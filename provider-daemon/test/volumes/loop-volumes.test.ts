/** Volumes: the rules over files that are stood in for, and then real file systems in real loop devices. */
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, test } from '@jest/globals';
import type { ContainerHost } from '../../src/leases/container-host.ts';
import { type RunTool, runTool } from '../../src/network/run-tool.ts';
import { clearHost } from '../../src/setup/stop.ts';
import { LoopVolumes, minVolumeBytes } from '../../src/volumes/loop-volumes.ts';
import { LoopFiles, type VolumeFiles } from '../../src/volumes/mounts.ts';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(60);

const id = { deployment: '7', service: 'db', instance: 0, name: 'data' };
const wish = { bytes: 16 << 20, uid: 1000, gid: 1001 };
const day = 86_400_000;
/** Of this run's folders: others may run on the same machine. */
const prefix = `mu-volumes-${process.pid}-`;

let folder: string;
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), prefix)));
});
afterEach(async () => {
  const files = new LoopFiles();
  for (const point of await files.mountedBelow(folder)) await files.unmount(point);
  await rm(folder, { recursive: true, force: true });
});

/** Images are small files, mounts are remembered: the machine as it is between two runs of the daemon. */
class FakeFiles implements VolumeFiles {
  readonly mounted = new Set<string>();
  readonly made: string[] = [];
  busy = false;

  async create(image: string, bytes: number): Promise<void> {
    this.made.push(image);
    await writeFile(image, '');
    await truncate(image, bytes);
  }

  async mount(_image: string, at: string): Promise<void> {
    this.mounted.add(at);
  }

  async unmount(at: string): Promise<void> {
    if (this.busy) throw new Error('target is busy');
    this.mounted.delete(at);
  }

  async mountedBelow(at: string): Promise<readonly string[]> {
    return [...this.mounted].filter((point) => point === at || point.startsWith(`${at}/`));
  }
}

function fake(clock = { ms: 0 }) {
  const files = new FakeFiles();
  const volumes = new LoopVolumes({ dataFolder: folder, now: () => clock.ms, files, keepFreeBytes: 0 });
  return { files, volumes, clock };
}

describe('names', () => {
  it('that lead elsewhere are refused, wherever they stand', async () => {
    const { volumes, files } = fake();
    const bad = ['..', '.', '', '../x', 'a/b', '/etc', '.hidden', 'a\0b', 'x'.repeat(65), '-rf'];
    for (const part of bad) {
      for (const wrong of [{ deployment: part }, { service: part }, { name: part }]) {
        await expect(volumes.ensure({ ...id, ...wrong }, wish)).rejects.toMatchObject({ reason: 'invalid' });
        await expect(volumes.usedBytes({ ...id, ...wrong })).rejects.toMatchObject({ reason: 'invalid' });
      }
      await expect(volumes.retire(part, day)).rejects.toMatchObject({ reason: 'invalid' });
    }
    for (const instance of [-1, 0.5, Number.NaN, 10_000]) {
      await expect(volumes.ensure({ ...id, instance }, wish)).rejects.toMatchObject({ reason: 'invalid' });
    }
    expect(files.made).toEqual([]);
  });

  it('never meet each other’s files', async () => {
    const { volumes } = fake();
    const ids = [
      id,
      { ...id, name: 'volume.img' },
      { ...id, name: 'mount' },
      { ...id, service: 'retired' },
      { ...id, instance: 1 },
      { ...id, deployment: '77' },
    ];
    const folders = await Promise.all(ids.map((one) => volumes.ensure(one, wish)));
    expect(new Set(folders).size).toBe(ids.length);
    for (const one of folders) expect(one.startsWith(`${folder}/volumes/`)).toBe(true);
    expect(await volumes.list()).toEqual(['7', '77']);
  });

  it('of root, and sizes without use, are refused', async () => {
    const { volumes } = fake();
    for (const wrong of [{ uid: 0 }, { gid: 0 }, { uid: -1 }, { bytes: minVolumeBytes - 1 }, { bytes: 2 ** 60 }]) {
      await expect(volumes.ensure(id, { ...wish, ...wrong })).rejects.toMatchObject({ reason: 'invalid' });
    }
  });
});

describe('the end of a lease', () => {
  it('unmounts now, keeps for the retention, erases then', async () => {
    const { volumes, files, clock } = fake();
    await volumes.ensure(id, wish);
    await volumes.ensure({ ...id, deployment: '8' }, wish);
    await volumes.retire('7', day);
    expect(files.mounted.size).toBe(1);
    clock.ms = day - 1;
    await volumes.sweep();
    expect(await volumes.list()).toEqual(['7', '8']);
    clock.ms = day;
    await volumes.sweep();
    expect(await volumes.list()).toEqual(['8']);
    expect(await readdir(join(folder, 'volumes'))).toEqual(['8']);
  });

  it('told twice keeps nothing longer, and of a lease without volumes is nothing', async () => {
    const { volumes, clock } = fake();
    await volumes.ensure(id, wish);
    await volumes.retire('7', day);
    clock.ms = day / 2;
    await volumes.retire('7', day);
    clock.ms = day;
    await volumes.sweep();
    expect(await volumes.list()).toEqual([]);
    await volumes.retire('9', day);
    expect(await volumes.list()).toEqual([]);
  });

  it('leaves the bytes taken until they are erased; those of a lease that lives are not among them', async () => {
    const { volumes, clock } = fake();
    await volumes.ensure(id, wish);
    await volumes.ensure({ ...id, name: 'more' }, wish);
    await volumes.ensure({ ...id, deployment: '8' }, wish);
    expect(await volumes.retiredBytes()).toBe(0n);
    await volumes.retire('7', day);
    expect(await volumes.retiredBytes()).toBe(2n * BigInt(wish.bytes));
    clock.ms = day;
    await volumes.sweep();
    expect(await volumes.retiredBytes()).toBe(0n);
  });

  it('is not meant where containers are only removed: volumes are let go, and stay for ever', async () => {
    const { volumes, files, clock } = fake();
    await volumes.ensure(id, wish);
    const driver = { found: async () => [], remove: async () => {} } as unknown as ContainerHost['driver'];
    expect(await clearHost({ driver, volumes })).toEqual([]);
    expect(files.mounted.size).toBe(0);
    clock.ms = 1_000 * day;
    await volumes.sweep();
    await volumes.ensure(id, wish);
    expect(files.made).toHaveLength(1);
  });

  it('is taken back by whoever wants the volume again', async () => {
    const { volumes, files, clock } = fake();
    await volumes.ensure(id, wish);
    await volumes.retire('7', day);
    await volumes.ensure(id, wish);
    expect(files.mounted.size).toBe(1);
    clock.ms = 2 * day;
    await volumes.sweep();
    expect(await volumes.list()).toEqual(['7']);
    expect(files.made).toHaveLength(1);
  });

  it('erases nothing that a container still has open, and tries again', async () => {
    const { volumes, files } = fake();
    await volumes.ensure(id, wish);
    files.busy = true;
    await expect(volumes.retire('7', 0)).rejects.toThrow('busy');
    await expect(volumes.sweep()).rejects.toThrow('busy');
    expect(await volumes.list()).toEqual(['7']);
    files.busy = false;
    await volumes.sweep();
    expect(await volumes.list()).toEqual([]);
  });

  it('of one that cannot be let go, or whose mark cannot be read, holds up no other', async () => {
    const { volumes, files } = fake();
    for (const deployment of ['6', '7', '8']) {
      await volumes.ensure({ ...id, deployment }, wish);
      await volumes.retire(deployment, 0);
    }
    await writeFile(join(folder, 'volumes', '6', '.retired'), '');
    files.mounted.add(join(folder, 'volumes', '7', 'db'));
    files.busy = true;
    await mkdir(join(folder, 'volumes', '.erasing-5', 'db'), { recursive: true });
    await expect(volumes.sweep()).rejects.toThrow();
    expect(await readdir(join(folder, 'volumes'))).toEqual(['6', '7']);
    files.busy = false;
    files.mounted.clear();
    await expect(volumes.sweep()).rejects.toThrow();
    expect(await volumes.list()).toEqual(['6']);
  });

  it('goes on where the daemon was killed while it erased', async () => {
    const { volumes } = fake();
    await mkdir(join(folder, 'volumes', '.erasing-7', 'db'), { recursive: true });
    await writeFile(join(folder, 'volumes', '.erasing-7', 'db', 'volume.img'), 'x');
    expect(await volumes.list()).toEqual([]);
    await volumes.sweep();
    expect(await readdir(join(folder, 'volumes'))).toEqual([]);
  });
});

describe('a volume', () => {
  it('is made once, and keeps its size', async () => {
    const { volumes, files } = fake();
    await volumes.ensure(id, wish);
    await volumes.ensure(id, wish);
    expect(files.made).toHaveLength(1);
    await expect(volumes.ensure(id, { ...wish, bytes: wish.bytes * 2 })).rejects.toMatchObject({ reason: 'invalid' });
    expect(await volumes.usedBytes({ ...id, name: 'other' })).toBe(0n);
  });

  it('that the disk has no room for is refused at once', async () => {
    const { volumes, files } = fake();
    const refused = volumes.ensure(id, { ...wish, bytes: 2 ** 52 });
    await expect(refused).rejects.toMatchObject({ reason: 'failed', message: expect.stringContaining('no room') });
    expect(files.made).toEqual([]);
    const keeping = new LoopVolumes({ dataFolder: folder, now: () => 0, files, keepFreeBytes: 2 ** 52 });
    await expect(keeping.ensure(id, wish)).rejects.toThrow('no room');
  });
});

/** Loop devices and mounts need root, and a system that lets it. */
async function whyNot(): Promise<string | undefined> {
  const at = await mkdtemp(join(tmpdir(), prefix));
  const files = new LoopFiles();
  try {
    await files.create(join(at, 'i'), minVolumeBytes);
    await mkdir(join(at, 'm'));
    await files.mount(join(at, 'i'), join(at, 'm'));
    await files.unmount(join(at, 'm'));
    return undefined;
  } catch (cause) {
    return (cause as Error).message;
  } finally {
    await rm(at, { recursive: true, force: true });
  }
}
const missing = await whyNot();

if (missing !== undefined) {
  test('NOT RUN, no loop devices: real volumes', () => {
    process.stderr.write(`\n*** NOT RUN: real volumes\n*** ${missing}\n\n`);
    expect(process.env['MU_REQUIRE_DOCKER']).not.toBe('1');
  });
} else {
  describe('real volumes', realVolumes);
}

function realVolumes(): void {
  const volumesWith = (run: RunTool = runTool, clock = { ms: 0 }): LoopVolumes =>
    new LoopVolumes({ dataFolder: folder, now: () => clock.ms, files: new LoopFiles(run), keepFreeBytes: 0 });
  const places = () => {
    const base = join(folder, 'volumes', id.deployment, id.service, '0', id.name);
    return { image: join(base, 'volume.img'), mount: join(base, 'mount') };
  };

  afterAll(async () => {
    // Whatever a test did, no device of ours is left.
    expect(await runTool('losetup', ['--list', '--noheadings', '--output', 'BACK-FILE'])).not.toContain(prefix);
  });

  it('are the container’s user’s, of their size, without set-uid and devices, and nothing of theirs is above', async () => {
    const at = await volumesWith().ensure(id, wish);
    const info = await stat(at);
    expect([info.uid, info.gid, info.mode & 0o777]).toEqual([1000, 1001, 0o770]);
    expect((await stat(dirname(at))).uid).toBe(0);
    expect(await readdir(at)).toEqual([]);
    const mounts = await readFile('/proc/self/mountinfo', 'utf8');
    const options = mounts
      .split('\n')
      .find((line) => line.split(' ')[4] === places().mount)
      ?.split(' ')[5];
    expect(options?.split(',')).toEqual(expect.arrayContaining(['nosuid', 'nodev']));
    // All of its blocks are there: the host's disk cannot be given away twice.
    expect((await stat(places().image)).blocks * 512).toBeGreaterThanOrEqual(wish.bytes);
  });

  it('are full at their size, and say what they hold', async () => {
    const volumes = volumesWith();
    const at = await volumes.ensure(id, wish);
    const empty = await volumes.usedBytes(id);
    await writeFile(join(at, 'a'), Buffer.alloc(1 << 20, 1));
    const sync = await volumes.usedBytes(id);
    expect(Number(sync - empty)).toBeGreaterThanOrEqual(1 << 20);
    expect(Number(sync - empty)).toBeLessThan(2 << 20);
    await expect(writeFile(join(at, 'b'), Buffer.alloc(wish.bytes, 1))).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it('survive the daemon, an unmount as by a reboot, and another user', async () => {
    const at = await volumesWith().ensure(id, wish);
    await writeFile(join(at, 'kept'), 'tenant’s data');
    expect(await volumesWith().ensure(id, { ...wish, uid: 2000 })).toBe(at);
    expect((await stat(at)).uid).toBe(2000);
    await runTool('umount', [places().mount]);
    expect(await volumesWith().usedBytes(id)).toBe(0n);
    await volumesWith().ensure(id, wish);
    expect(await readFile(join(at, 'kept'), 'utf8')).toBe('tenant’s data');
  });

  it('come up whole after a kill before and after each program that is run', async () => {
    class Killed extends Error {}
    let kills = 0;
    for (let points = 0; ; points += 1) {
      let left = points;
      const killing: RunTool = async (program, args, options) => {
        left -= 1;
        if (left < 0) throw new Killed();
        const output = await runTool(program, args, options);
        left -= 1;
        if (left < 0) throw new Killed();
        return output;
      };
      const killedId = { ...id, name: `kill${points}` };
      const outcome = await volumesWith(killing)
        .ensure(killedId, { ...wish, bytes: minVolumeBytes })
        .catch((cause: unknown) => cause);
      const at = await volumesWith().ensure(killedId, { ...wish, bytes: minVolumeBytes });
      await writeFile(join(at, 'data'), 'x');
      if (!(outcome instanceof Killed)) break;
      kills += 1;
    }
    // fallocate, mkfs.ext4, losetup, e2fsck, mount.
    expect(kills).toBe(10);
    expect(await new LoopFiles().mountedBelow(folder)).toHaveLength(kills + 1);
  });

  it('that were half made are made anew, and one with data never', async () => {
    const { image, mount } = places();
    await mkdir(mount, { recursive: true });
    await writeFile(`${image}.new`, 'half a file system');
    const at = await volumesWith().ensure(id, wish);
    await writeFile(join(at, 'kept'), 'x');
    await runTool('umount', [mount]);
    const refusing: RunTool = (program, args, options) => {
      if (program === 'mkfs.ext4' || program === 'fallocate') throw new Error(`${program} on a volume with data`);
      return runTool(program, args, options);
    };
    await volumesWith(refusing).ensure(id, wish);
    expect(await readdir(at)).toEqual(['kept']);
    expect(await readdir(dirname(image))).toEqual(['mount', 'volume.img']);
  });

  it('leave nothing where the disk fills up while they are made', async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    await runTool('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', disk]);
    try {
      const files = new LoopFiles();
      const making = files.create(join(disk, 'v.img'), 64 << 20);
      await expect(making).rejects.toMatchObject({
        reason: 'failed',
        message: expect.stringContaining('No space left'),
      });
      expect(await readdir(disk)).toEqual([]);
    } finally {
      await runTool('umount', [disk]);
    }
  });

  it('that somebody still has by the same device are mounted by it, not by a second one', async () => {
    const at = await volumesWith().ensure(id, wish);
    const elsewhere = join(folder, 'elsewhere');
    await mkdir(elsewhere);
    // As a container has it that outlives our mount.
    await runTool('mount', ['--bind', at, elsewhere]);
    await runTool('umount', [places().mount]);
    await volumesWith().ensure(id, wish);
    await writeFile(join(at, 'x'), 'seen by both');
    expect(await readFile(join(elsewhere, 'x'), 'utf8')).toBe('seen by both');
    const devices = await runTool('losetup', ['--associated', places().image, '--noheadings', '--output', 'NAME']);
    expect(devices.trim().split('\n')).toHaveLength(1);
    await runTool('umount', [elsewhere]);
  });

  it('are unmounted at the lease’s end and erased when they are due', async () => {
    const clock = { ms: 0 };
    const volumes = volumesWith(runTool, clock);
    await volumes.ensure(id, wish);
    await volumes.retire('7', day);
    expect(await new LoopFiles().mountedBelow(folder)).toEqual([]);
    clock.ms = day;
    await volumes.sweep();
    expect(await readdir(join(folder, 'volumes'))).toEqual([]);
  });

  it('of a folder that is not the daemon’s alone are not readable by others', async () => {
    const at = await volumesWith().ensure(id, wish);
    await chmod(folder, 0o755);
    await chown(folder, 0, 0);
    for (let above = dirname(dirname(at)); above !== folder; above = dirname(above)) {
      expect((await stat(above)).mode & 0o077).toBe(0);
    }
  });
}
