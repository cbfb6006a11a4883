/** Each restriction, looked at from outside: by the engine’s inspect, and by /proc of what runs; then what tries to break out of it. */
import { readdirSync, readFileSync, readlinkSync, statfsSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ContainerInspectInfo } from 'dockerode';
import type { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import { restrictions } from '../../../src/workloads/container/create-options.ts';
import type { ContainerSpec, ServingWorkload } from '../../../src/workloads/driver.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { eventually } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';

allowSeconds(120);

const mebibyte = 1024 * 1024;

describeWithDocker('restrictions of containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let artifact: ContainerSpec['artifact'];
  let workload: ServingWorkload;
  let inspected: ContainerInspectInfo;
  /** Of the container’s program, behind the engine’s init. */
  let pid: number;

  const inspect = async (service: string): Promise<ContainerInspectInfo> => {
    const label = [`mu.provider=${docker.name}`, `mu.service=${service}`];
    const [found] = await docker.docker.listContainers({ all: true, filters: { label } });
    return docker.docker.getContainer(found!.Id).inspect();
  };
  const status = (name: string): string =>
    new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '';
  /** What a command in the container writes. */
  const said = async (command: string): Promise<string> => {
    const session = await workload.exec({ instance: 0, command: ['sh', '-c', `${command} 2>&1`], tty: false });
    let text = '';
    for await (const { chunk } of session.output) text += Buffer.from(chunk).toString();
    await session.exitCode;
    return text.trim();
  };

  beforeAll(async () => {
    bench = await containerBench(docker);
    driver = await bench.driver();
    artifact = await bench.archive('strict', { config: { User: 'root', Volumes: { '/data': {} } } });
    workload = await driver.start(
      shell(artifact, answers('strict'), {
        service: 'strict',
        memoryBytes: 32 * mebibyte,
        cpu: 250,
        env: { NAME: 'value = with spaces' },
        health: { path: '/', port: 8080, intervalMs: 500 },
        volumes: [{ name: 'files', path: '/files', bytes: 8 * mebibyte }],
      }),
    );
    inspected = await inspect('strict');
    const tree = readFileSync(`/proc/${inspected.State.Pid}/task/${inspected.State.Pid}/children`, 'utf8');
    pid = Number(tree.trim().split(' ')[0]);
  });
  afterAll(() => driver.close());

  test('what the engine was asked for is what it holds', () => {
    const { HostConfig: host, Config: config } = inspected;
    expect(host).toMatchObject({
      Privileged: false,
      CapDrop: ['ALL'],
      ReadonlyRootfs: true,
      SecurityOpt: ['no-new-privileges:true'],
      PidsLimit: restrictions.pids,
      Memory: 32 * mebibyte,
      MemorySwap: 32 * mebibyte,
      CpuPeriod: 100_000,
      CpuQuota: 25_000,
      IpcMode: 'private',
      PidMode: '',
      UTSMode: '',
      CgroupnsMode: 'private',
      UsernsMode: '',
      Init: true,
      OomKillDisable: false,
      PublishAllPorts: false,
      RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 0 },
    });
    expect(host.CapAdd ?? []).toEqual([]);
    expect(host.Devices ?? []).toEqual([]);
    expect(host.DeviceRequests ?? []).toEqual([]);
    expect(host.PortBindings ?? {}).toEqual({});
    expect(host.Binds ?? []).toEqual([]);
    expect(host.OomScoreAdj).toBeGreaterThanOrEqual(0);
    expect(host.NetworkMode).not.toMatch(/^(host|bridge|default|none|container:.*)$/);
    expect(host.MaskedPaths).toContain('/proc/kcore');
    expect(host.ReadonlyPaths).toContain('/proc/sys');
    expect(host.LogConfig!.Type).toBe('json-file');
    expect(config.User).toBe('65534:65534');
    expect(Object.keys(inspected.NetworkSettings.Networks)).toEqual([host.NetworkMode]);
  });

  test('its only mounts from the host are its own volume and the name of its resolver, and nothing writes to the host’s disk', () => {
    const found = inspected.Mounts.map(({ Type, Destination, RW }) => ({ Type, Destination, RW }));
    expect(found.sort((a, b) => (a.Destination < b.Destination ? -1 : 1))).toEqual([
      { Type: 'bind', Destination: '/etc/resolv.conf', RW: false },
      { Type: 'bind', Destination: '/files', RW: true },
    ]);
    const volume = inspected.Mounts.find(({ Destination }) => Destination === '/files');
    expect(volume?.Source).toMatch(new RegExp(`^${bench.folder}/volumes/7/strict/0/files/`));
    const mounts = readFileSync(`/proc/${pid}/mounts`, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' '));
    const at = (path: string) => mounts.find((parts) => parts[1] === path)!;
    expect(at('/')[3]).toMatch(/^ro,/);
    for (const path of ['/tmp', '/run', '/data']) {
      expect(at(path)[2]).toBe('tmpfs');
      expect(at(path)[3]).toMatch(/nosuid,nodev/);
      expect(at(path)[3]).toMatch(/size=\d+k/);
    }
    expect(at('/files')[2]).toBe('ext4');
    expect(mounts.filter((parts) => /docker\.sock/.test(parts.join(' ')))).toEqual([]);
    // What could be written and is on a disk: the volume alone.
    const writable = mounts.filter(([device, , , options]) => device!.startsWith('/dev/') && /^rw\b/.test(options!));
    expect(writable.map(([, path]) => path).filter((path) => !path!.startsWith('/etc/'))).toEqual(['/files']);
  });

  test('it is nobody, without any capability, and cannot get one', () => {
    expect(status('Uid')).toBe('65534\t65534\t65534\t65534');
    expect(status('Gid')).toBe('65534\t65534\t65534\t65534');
    expect(status('Groups').trim()).toBe('65534');
    for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'])
      expect(status(name)).toBe('0000000000000000');
    expect(status('NoNewPrivs')).toBe('1');
    expect(status('Seccomp')).toBe('2');
  });

  test('no namespace is the host’s', () => {
    const namespaces = (of: number | string) =>
      new Map(readdirSync(`/proc/${of}/ns`).map((name) => [name, readlinkSync(`/proc/${of}/ns/${name}`)]));
    const host = namespaces('self');
    const own = namespaces(pid);
    for (const name of ['mnt', 'net', 'pid', 'ipc', 'uts', 'cgroup']) expect(own.get(name)).not.toBe(host.get(name));
  });

  test('its limits are the kernel’s: memory, processor, processes, files', () => {
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    expect(limits).toMatch(
      new RegExp(`^Max open files\\s+${restrictions.openFiles}\\s+${restrictions.openFiles}\\s`, 'm'),
    );
    expect(limits).toMatch(/^Max core file size\s+0\s+0\s/m);
    expect(Number(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8'))).toBeGreaterThanOrEqual(0);
    const groups = cgroups(pid);
    expect(groups.read('memory', 'memory.limit_in_bytes', 'memory.max')).toBe(String(32 * mebibyte));
    expect(groups.read('pids', 'pids.max', 'pids.max')).toBe(String(restrictions.pids));
    expect(groups.read('cpu', 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^25000\b/);
  });

  test('the environment is the spec’s and the image’s', () => {
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
      .split('\0')
      .filter((text) => text !== '');
    const names = environment.map((text) => text.split('=')[0]).sort();
    // The last two are the shell’s.
    expect(names).toEqual(['HOME', 'HOSTNAME', 'NAME', 'PATH', 'PWD', 'SHLVL']);
    expect(environment).toContain('NAME=value = with spaces');
  });

  test('it has no IPv6, and asks our resolver alone', async () => {
    expect(await said('cat /proc/sys/net/ipv6/conf/all/disable_ipv6; cat /proc/net/if_inet6')).toMatch(
      /^1\s*$|No such file/,
    );
    const gateway = inspected.NetworkSettings.Networks[inspected.HostConfig.NetworkMode!]!.Gateway;
    expect(inspected.HostConfig.Dns).toEqual([gateway]);
    // Not the engine's own, which is away when the engine is.
    expect((await said('cat /etc/resolv.conf')).trim().split(/\r?\n/)).toEqual([
      `nameserver ${gateway}`,
      'search mu.internal',
      'options ndots:1 timeout:2 attempts:2',
    ]);
  });

  test('what it must not do is refused inside', async () => {
    expect(await said('echo x > /new')).toMatch(/Read-only file system/);
    expect(await said('echo x > /etc/passwd')).toMatch(/Read-only|denied/);
    expect(await said('mount -t tmpfs none /tmp')).toMatch(/denied|permitted/);
    expect(await said('echo 1 > /proc/sys/net/ipv4/ip_forward')).toMatch(/Read-only|denied/);
    expect(await said('dd if=/dev/mem count=1')).toMatch(/No such|denied|can't open/);
    expect(await said('ls -l /dev | grep "^b"; echo none')).toBe('none');
    expect(
      await said('cp /bin/busybox /tmp/busybox && chmod 4755 /tmp/busybox && /tmp/busybox id -u; rm /tmp/busybox'),
    ).toBe('65534');
    expect(await said('ls /var/run/docker.sock /run/docker.sock')).toMatch(/No such file/);
    expect(await said('id -u; id -g')).toBe('65534\n65534');
    // An image’s own volume can be written, in memory.
    expect(await said('echo fine > /data/x && cat /data/x')).toBe('fine');
  });

  test('a volume is full at its size, and the host’s disk does not notice', async () => {
    const before = statfsSync('/var/lib/docker').bavail * statfsSync('/var/lib/docker').bsize;
    expect(await said('dd if=/dev/zero of=/files/fill bs=1M count=64')).toMatch(/No space left/);
    const after = statfsSync('/var/lib/docker').bavail * statfsSync('/var/lib/docker').bsize;
    expect(before - after).toBeLessThan(64 * mebibyte);
    expect((await workload.metrics())[0]!.diskBytes).toBeGreaterThan(4n * 1024n * 1024n);
    expect(await said('rm /files/fill; dd if=/dev/zero of=/tmp/fill bs=1M count=64')).toMatch(/No space left/);
    expect(await said('rm /tmp/fill; echo ok')).toBe('ok');
    expect(await ask(workload)).toBe('strict');
  });

  /** In a container now; 0 while none of its is there: a shell that finds no room for more may end, and is started again. */
  async function processesOf(service: string): Promise<number> {
    const { State } = await inspect(service);
    if (State.Pid === 0) return 0;
    try {
      return Number(cgroups(State.Pid).maybe('pids', 'pids.current', 'pids.current') ?? 0);
    } catch (error) {
      // It has ended between the two looks.
      if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0;
      throw error;
    }
  }

  test('a fork bomb ends at its limit, another workload answers meanwhile, and it can be stopped', async () => {
    // A subshell each, which stays; when there is no room for more it says so.
    const bomb = await driver.start(
      shell(artifact, 'sleep 1; while true; do sleep 1000 & done', {
        service: 'bomb',
        cpu: 300,
        memoryBytes: 64 * mebibyte,
      }),
    );
    const most = await eventually('the bomb’s limit', async () => {
      const count = await processesOf('bomb');
      return count >= restrictions.pids - 20 ? count : undefined;
    });
    expect(most).toBeLessThanOrEqual(restrictions.pids);
    expect(await ask(workload)).toBe('strict');
    await bomb.stop();
  });

  test('one that spawns with the smallest share of a processor can be stopped too', async () => {
    const swarm = await driver.start(
      shell(artifact, 'sleep 1; b() { b | b & }; b; while true; do b; done', { service: 'swarm', cpu: 50 }),
    );
    await eventually('the swarm', async () => ((await processesOf('swarm')) > 50 ? true : undefined));
    expect(await ask(workload)).toBe('strict');
    await swarm.stop();
    expect(swarm.status()[0]!.state).toBe('ended');
  });

  test('one that ignores SIGTERM is killed after its time', async () => {
    const deaf = await driver.start(
      shell(artifact, 'trap "" TERM; echo deaf; while true; do sleep 1; done', { service: 'deaf' }),
    );
    const before = performance.now();
    await deaf.stop();
    const seconds = (performance.now() - before) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(restrictions.stopSeconds - 1);
    expect(seconds).toBeLessThan(restrictions.stopSeconds + 30);
    expect(deaf.status()[0]!.lastEnd).toBe('exit code 137 (SIGKILL)');
  });

  test('the user is the spec’s, else the image’s where it is a number', async () => {
    const named = await bench.archive('numeric', { config: { User: '1234' } });
    const image = await driver.start(shell(named, 'id -u; id -g; exec sleep 1000', { service: 'image' }));
    const spec = await driver.start(shell(named, 'id -u; id -g; exec sleep 1000', { service: 'spec', user: '77:78' }));
    const ids = (service: string) =>
      eventually('its ids', () => {
        const found = bench.lines.filter((line) => line.startsWith(`7/${service} stdout: `));
        return found.length === 2 ? found.map((line) => line.split(': ')[1]) : undefined;
      });
    expect(await ids('image')).toEqual(['1234', '1234']);
    expect(await ids('spec')).toEqual(['77', '78']);
    await image.stop();
    await spec.stop();
  });
});

/** Figures of a process’s control groups, under version 1 (a hierarchy each) or 2 (one for all). */
function cgroups(pid: number) {
  const lines = readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => line.split(':'));
  const read = (controller: string, v1: string, v2: string): string => {
    const old = lines.find(([, controllers]) => controllers!.split(',').includes(controller));
    const unified = lines.find(([number]) => number === '0');
    const path = old === undefined ? `/sys/fs/cgroup${unified![2]}/${v2}` : `/sys/fs/cgroup/${old[1]}${old[2]}/${v1}`;
    return readFileSync(path, 'utf8').trim();
  };
  const maybe = (controller: string, v1: string, v2: string): string | undefined => {
    try {
      return read(controller, v1, v2);
    } catch {
      return undefined;
    }
  };
  return { read, maybe };
}
