/** Versions, numbers of instances, volumes, commands inside, and what other hands do to containers. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { UnderWay } from '../../../src/gateway/upstreams.ts';
import type { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import type { ContainerSpec, ServingWorkload } from '../../../src/workloads/driver.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { errorOf, eventually, failureOf, soon } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';

allowSeconds(120);

const health = { path: '/', port: 8080, intervalMs: 300 };
const mebibyte = 1024 * 1024;

describeWithDocker('life of containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let artifact: ContainerSpec['artifact'];
  /** Resolves when an instance that goes answers nothing any more. */
  let drained: (leaving: readonly string[]) => Promise<void> = async () => {};

  beforeAll(async () => {
    bench = await containerBench(docker);
    driver = await bench.driver({ onLeave: (_, { leaving }) => drained(leaving) });
    artifact = await bench.archive('busybox');
  });
  afterAll(() => driver.close());

  const containers = async (service = 'app') => {
    const label = [`mu.provider=${docker.name}`, `mu.service=${service}`];
    const found = await docker.docker.listContainers({ all: true, filters: { label } });
    return found.map(({ Id, Names, Labels }) => ({ id: Id, name: Names[0]!, instance: Number(Labels['mu.instance']) }));
  };
  const said = async (workload: ServingWorkload, command: string): Promise<string> => {
    const session = await workload.exec({ instance: 0, command: ['sh', '-c', command], tty: false });
    let text = '';
    for await (const { chunk } of session.output) text += Buffer.from(chunk).toString();
    return text;
  };
  const all = (workload: ServingWorkload, text: string) =>
    eventually(`all answer ${text}`, async () => {
      const told = await Promise.all(workload.status().map(({ index }) => soon(ask(workload, index))));
      return told.every((answer) => answer === text) ? told.length : undefined;
    });

  test('the number of instances changes in place', async () => {
    const workload = await driver.start(shell(artifact, answers('one'), { health }));
    const [first] = await containers();
    await workload.update(shell(artifact, answers('one'), { health, count: 3 }));
    expect(await all(workload, 'one')).toBe(3);
    expect(new Set(workload.status().map(({ address }) => address)).size).toBe(3);
    expect((await containers()).map(({ instance }) => instance).sort()).toEqual([0, 1, 2]);
    await workload.update(shell(artifact, answers('one'), { health, count: 1 }));
    expect(await containers()).toEqual([first]);
    expect(workload.status().map(({ index }) => index)).toEqual([0]);
    await workload.stop();
  });

  test('a new version is up before the old one goes, instance by instance', async () => {
    const workload = await driver.start(shell(artifact, answers('old'), { health, count: 2 }));
    const seen = new Set<string>();
    const stopListening = workload.onChange(() => {
      seen.add(
        workload
          .status()
          .map(({ state }) => state)
          .join(),
      );
    });
    let failures = 0;
    let over = false;
    const underWay = new UnderWay();
    drained = (leaving) => underWay.over(leaving, 10_000);
    const asking = (async () => {
      while (!over) {
        // As the gateway does: an instance that is ready now.
        const ready = workload.status().find(({ state }) => state === 'ready');
        if (ready?.address !== undefined) underWay.begin(ready.address);
        if (ready === undefined || (await soon(ask(workload, ready.index))) === undefined) failures += 1;
        if (ready?.address !== undefined) underWay.end(ready.address);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    await workload.update(shell(artifact, answers('new'), { health, count: 2 }));
    over = true;
    await asking;
    stopListening();
    expect(await all(workload, 'new')).toBe(2);
    expect(failures).toBe(0);
    expect([...seen].filter((states) => !states.includes('ready'))).toEqual([]);
    await workload.stop();
  });

  test('a version that fails at its second instance is rolled back at the first one too', async () => {
    const workload = await driver.start(shell(artifact, answers('old'), { health, count: 2 }));
    // It comes up as instance 0 alone.
    const half = `case $(hostname 2>/dev/null || cat /etc/hostname) in *-1) echo I am the second; exit 9;; esac; ${answers('new')}`;
    const error = await errorOf(workload.update(shell(artifact, half, { health, count: 2 })));
    expect(error.reason).toBe('unhealthy');
    expect(error.message).toMatch(/instance 1 ended ([3-9]|\d\d+) times: exit code 9/);
    expect(error.message).toContain('I am the second');
    expect(await all(workload, 'old')).toBe(2);
    expect(await containers()).toHaveLength(2);
    expect(workload.spec).toEqual(shell(artifact, answers('old'), { health, count: 2 }));
    await workload.stop();
  });

  test('one that never answers its check is not taken, within the time', async () => {
    const impatient = await bench.driver({ patience: { readyMs: 1_500, settleMs: 300, maxEnds: 3 } });
    const error = await errorOf(impatient.start(shell(artifact, 'exec sleep 1000', { service: 'mute', health })));
    expect(error.message).toMatch(
      /mute: instance 0 has not answered 2xx or 3xx at port 8080, \/ within 1.5 s; it wrote nothing/,
    );
    expect(await containers('mute')).toEqual([]);
    await impatient.close();
  });

  test('an instance that stops answering is told as unhealthy, and as ready when it answers again', async () => {
    const workload = await driver.start(shell(artifact, answers('up'), { health }));
    await said(workload, 'mv /tmp/www/index.html /tmp/www/gone');
    await eventually('unhealthy', () => workload.status().find(({ state }) => state === 'unhealthy'));
    await said(workload, 'mv /tmp/www/gone /tmp/www/index.html');
    await eventually('ready', () => workload.status().find(({ state }) => state === 'ready'));
    expect(workload.status()[0]!.restarts).toBe(0);
    await workload.stop();
  });

  test('a volume keeps its content over a crash, an update and a roll-back; two versions never hold it at once', async () => {
    const volumes = [{ name: 'data', path: '/data', bytes: 16 * mebibyte }];
    // Whoever holds the volume has a lock in it; who finds the lock of another says so.
    const holds = `[ -e /data/lock ] && echo held by another; touch /data/lock; trap 'rm /data/lock; exit 0' TERM;`;
    const script = (text: string) =>
      `${holds} mkdir -p /tmp/www; echo ${text} >> /data/history; cp /data/history /tmp/www/index.html; httpd -f -p 8080 -h /tmp/www & wait`;
    const version = (text: string): ContainerSpec =>
      shell(artifact, script(text), { service: 'store', health, volumes });
    const workload = await driver.start(version('a'));
    await workload.update(version('b'));
    expect(await ask(workload)).toBe('a\nb\n');
    const bad = shell(artifact, `${holds} echo bad >> /data/history; rm /data/lock; exit 1`, {
      service: 'store',
      health,
      volumes,
    });
    expect(await failureOf(workload.update(bad))).toBe('unhealthy');
    // The engine may have started it once more before it was told to end.
    expect(await eventually('the old version', () => soon(ask(workload)))).toMatch(/^a\nb\n(bad\n){3,}b\n$/);
    expect(bench.lines.filter((line) => line.includes('held by another'))).toEqual([]);
    expect((await workload.metrics())[0]!.diskBytes).toBeGreaterThan(0n);
    await workload.stop();
    const again = await driver.start(version('c'));
    expect(await ask(again)).toMatch(/bad\nb\nc\n$/);
    await again.stop();
  });

  test('a container that somebody stops, or removes, comes back', async () => {
    const workload = await driver.start(shell(artifact, answers('mine'), { health }));
    const [before] = await containers();
    await docker.docker.getContainer(before!.id).kill();
    await eventually('a restart', () =>
      workload.status().find(({ state, restarts }) => state === 'ready' && restarts === 1),
    );
    expect(workload.status()[0]!.lastEnd).toBe('exit code 137 (SIGKILL)');
    await docker.docker.getContainer(before!.id).remove({ force: true });
    await eventually('another container', async () => {
      const [now] = await containers();
      return now !== undefined && now.id !== before!.id ? now : undefined;
    });
    expect(await all(workload, 'mine')).toBe(1);
    expect(bench.lines).toContain('7/app system: instance 0 was removed from outside; it is made anew');
    await workload.stop();
  });

  test('commands inside: output, exit code, input, a terminal with a size', async () => {
    const workload = await driver.start(shell(artifact, answers('shell'), { health }));
    const plain = await workload.exec({ instance: 0, command: ['sh', '-c', 'cat; echo err >&2; exit 7'], tty: false });
    await plain.write(Buffer.from('given'));
    plain.end();
    const chunks: Record<'stdout' | 'stderr', string> = { stdout: '', stderr: '' };
    for await (const { stream, chunk } of plain.output) chunks[stream] += Buffer.from(chunk).toString();
    expect(chunks).toEqual({ stdout: 'given', stderr: 'err\n' });
    expect(await plain.exitCode).toBe(7);

    const terminal = await workload.exec({ instance: 0, command: ['sh'], tty: true });
    await terminal.resize(123, 45);
    await terminal.write(Buffer.from('stty size; tty; exit 3\n'));
    let text = '';
    for await (const { stream, chunk } of terminal.output) {
      expect(stream).toBe('stdout');
      text += Buffer.from(chunk).toString();
    }
    expect(text).toContain('45 123');
    expect(await terminal.exitCode).toBe(3);
    await expect(terminal.resize(0, 10)).rejects.toThrow(/terminal of 0 × 10/);
    await workload.stop();
  });

  test('a command and its children end when the tenant goes; what does not exist is told', async () => {
    const workload = await driver.start(shell(artifact, answers('shell'), { health }));
    const left = () => said(workload, 'ps | grep "sleep 4[0-9][0-9]" | grep -v grep');
    const session = await workload.exec({
      instance: 0,
      command: ['sh', '-c', 'sleep 444 & echo on; sleep 443'],
      tty: false,
    });
    for await (const { chunk } of session.output) {
      expect(Buffer.from(chunk).toString()).toBe('on\n');
      break;
    }
    expect(await left()).toContain('sleep 444');
    session.close();
    await eventually('its end', async () => ((await left()) === '' ? true : undefined));
    expect(await session.exitCode).toBe(137);
    expect(await failureOf(workload.exec({ instance: 0, command: ['/no/such'], tty: false }))).toBe('invalid');
    expect(await failureOf(workload.exec({ instance: 5, command: ['sh'], tty: false }))).toBe('invalid');
    expect(await failureOf(workload.exec({ instance: 0, command: [], tty: false }))).toBe('invalid');
    const open = await Promise.all(
      Array.from({ length: 8 }, () => workload.exec({ instance: 0, command: ['sleep', '999'], tty: true })),
    );
    expect(await failureOf(workload.exec({ instance: 0, command: ['sh'], tty: true }))).toBe('busy');
    await workload.stop();
    await Promise.all(open.map(({ exitCode }) => exitCode.catch(() => 0)));
  });

  test('figures: processor, memory, network, and of each instance its own', async () => {
    const workload = await driver.start(shell(artifact, answers('figures'), { health, count: 2 }));
    for (let asked = 0; asked < 20; asked++) await ask(workload, 1);
    const [first, second] = await workload.metrics();
    expect(first!.index).toBe(0);
    for (const metrics of [first!, second!]) {
      expect(metrics.cpuMicros).toBeGreaterThan(0n);
      expect(metrics.memoryBytes).toBeGreaterThan(100_000n);
      expect(metrics.memoryBytes).toBeLessThan(BigInt(32 * mebibyte));
      expect(metrics.diskBytes).toBe(0n);
    }
    expect(second!.sentBytes).toBeGreaterThan(first!.sentBytes);
    await workload.stop();
    expect(await workload.metrics()).toEqual([]);
  });

  test('lines are neither lost nor doubled over restarts of the daemon and of the program', async () => {
    const script =
      'n=$(cat /data/n 2>/dev/null || echo 0); end=$((n + 300)); while [ $n -lt $end ]; do n=$((n + 1)); echo line $n; echo $n > /data/n; done; sleep 1';
    const spec = shell(artifact, script, {
      service: 'counter',
      volumes: [{ name: 'n', path: '/data', bytes: 8 * mebibyte }],
    });
    const numbers = () =>
      bench.lines
        .filter((line) => line.startsWith('7/counter stdout: line '))
        .map((line) => Number(line.split(' ').at(-1)));
    await driver.start(spec);
    for (let restart = 1; restart <= 3; restart++) {
      await driver.close();
      const seen = numbers().length;
      driver = await bench.driver();
      await driver.start(spec);
      await eventually('more lines', () => (numbers().length >= seen + 300 ? true : undefined));
    }
    const workload = await driver.start(spec);
    await workload.stop();
    const all = numbers();
    expect(all).toEqual(Array.from({ length: all.length }, (_, at) => at + 1));
  });

  test('a long line is cut at 16 KiB, and its end that no newline makes comes with the program’s', async () => {
    const script = 'head -c 40000 /dev/zero | tr "\\0" x; echo; printf "no end"; sleep 1';
    const workload = await driver.start(shell(artifact, script, { service: 'long' }));
    const lines = () => bench.lines.filter((line) => line.startsWith('7/long stdout: ')).map((line) => line.slice(15));
    await eventually('its end', () => (lines().includes('no end') ? true : undefined));
    expect(
      lines()
        .slice(0, 4)
        .map(({ length }) => length),
    ).toEqual([16_384, 16_384, 40_000 - 2 * 16_384, 6]);
    await workload.stop();
  });
});
