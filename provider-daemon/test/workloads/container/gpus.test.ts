/**
 * Graphics processors on the real engine. Nodes of harmless devices stand in their place: /dev/zero and /dev/full under
 * other names.
 */
import { chmodSync, chownSync, mkdtempSync, rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { runTool } from '../../../src/network/run-tool.ts';
import type { ContainerDriver, ContainerDriverOptions } from '../../../src/workloads/container/container-driver.ts';
import { DockerEngine } from '../../../src/workloads/container/docker-engine.ts';
import type { Engine } from '../../../src/workloads/container/engine.ts';
import type { ContainerSpec, ServingWorkload } from '../../../src/workloads/driver.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { errorOf, eventually, failureOf, soon } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';
import { mortal } from './mortal-engine.ts';

allowSeconds(120);

const health = { path: '/', port: 8080, intervalMs: 300 };
const gpu = { count: 1, vendor: 'test', model: '' };
const renderGroup = 4_242;

describeWithDocker('graphics processors in containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let artifact: ContainerSpec['artifact'];
  /** Of the nodes; below /dev, where containers can have them. */
  let folder: string;

  const open = (nodes = ['gpu0', 'gpu1'], options: Partial<ContainerDriverOptions> = {}) =>
    bench.driver({
      gpus: [{ vendor: 'test', model: 'zero', devices: nodes.map((name) => `${folder}/${name}`) }],
      ...options,
    });

  beforeAll(async () => {
    bench = await containerBench(docker);
    folder = mkdtempSync('/dev/mu-test-');
    docker.later(() => rmSync(folder, { recursive: true, force: true }));
    chmodSync(folder, 0o755);
    for (const [name, minor] of [
      ['gpu0', '5'],
      ['gpu1', '7'],
    ] as const) {
      await runTool('mknod', [`${folder}/${name}`, 'c', '1', minor]);
      // As drivers of graphics processors have it.
      chownSync(`${folder}/${name}`, 0, renderGroup);
      chmodSync(`${folder}/${name}`, 0o660);
    }
    driver = await open();
    artifact = await bench.archive('busybox');
  });
  afterEach(async () => {
    for (const name of await driver.found()) await driver.remove(name);
  });
  afterAll(() => driver.close());

  const wants = (service: string, text: string, count = 1): ContainerSpec =>
    shell(artifact, answers(text), { service, health, gpu, count });
  const said = async (workload: ServingWorkload, instance: number, command: string): Promise<string> => {
    const session = await workload.exec({ instance, command: ['sh', '-c', `${command} 2>&1`], tty: false });
    let text = '';
    for await (const { chunk } of session.output) text += Buffer.from(chunk).toString();
    return text.trim();
  };
  /** Names of the nodes inside. */
  const inside = (workload: ServingWorkload, instance = 0) => said(workload, instance, `ls ${folder}`);
  const answer = (workload: ServingWorkload, index = 0) => eventually('an answer', () => soon(ask(workload, index)));
  const containers = async (service: string) => {
    const label = [`mu.provider=${docker.name}`, `mu.service=${service}`];
    return docker.docker.listContainers({ all: true, filters: { label } });
  };

  test('each instance has one of its own and nothing else of the machine; a third finds none, and is told', async () => {
    const workload = await driver.start(wants('two', 'two', 2));
    const names = await Promise.all([inside(workload, 0), inside(workload, 1)]);
    expect([...names].sort()).toEqual(['gpu0', 'gpu1']);
    for (const [instance, name] of names.entries()) {
      const minor = name === 'gpu0' ? '5' : '7';
      expect(await said(workload, instance, `stat -c '%F %t %T' ${folder}/*`)).toBe(
        `character special file 1 ${minor}`,
      );
      // Whoever it runs as, nobody here, is in the device’s group.
      expect(await said(workload, instance, `head -c 5 ${folder}/${name} | wc -c`)).toBe('5');
    }
    const [first] = await containers('two');
    const { HostConfig: host } = await docker.docker.getContainer(first!.Id).inspect();
    const device = first!.Labels['mu.gpus']!;
    expect(host.Devices).toEqual([{ PathOnHost: device, PathInContainer: device, CgroupPermissions: 'rw' }]);
    expect(host.GroupAdd).toEqual([String(renderGroup)]);
    expect(host.Privileged).toBe(false);
    expect(host.CapDrop).toEqual(['ALL']);

    const error = await errorOf(driver.start(wants('third', 'third')));
    expect([error.reason, error.message]).toEqual([
      'busy',
      '1 graphics processor (test/any model) cannot be had now: other containers hold what this provider has',
    ]);
    expect(await containers('third')).toEqual([]);
    expect(await failureOf(workload.update(wants('two', 'two', 3)))).toBe('busy');
    expect(await Promise.all([answer(workload, 0), answer(workload, 1)])).toEqual(['two', 'two']);
    expect(await containers('two')).toHaveLength(2);
    const without = await driver.start(shell(artifact, answers('none'), { service: 'none', health }));
    expect(await inside(without)).toMatch(/No such file/);
  });

  test('two that start at the same time get different ones, and one that ends leaves its own to the next', async () => {
    const [one, two] = await Promise.all([driver.start(wants('one', '1')), driver.start(wants('two', '2'))]);
    const freed = await inside(one);
    expect([freed, await inside(two)].sort()).toEqual(['gpu0', 'gpu1']);
    await one.stop();
    const next = await driver.start(wants('next', '3'));
    expect(await inside(next)).toBe(freed);
  });

  test('where all are taken an update puts the new instance in the place of the old one, with what that had', async () => {
    const workload = await driver.start(wants('app', 'old', 2));
    const before = [await inside(workload, 0), await inside(workload, 1)];
    await workload.update(wants('app', 'new', 2));
    expect([await answer(workload, 0), await answer(workload, 1)]).toEqual(['new', 'new']);
    expect([await inside(workload, 0), await inside(workload, 1)]).toEqual(before);
    const bad = shell(artifact, 'exit 9', { service: 'app', count: 2, health, gpu });
    expect(await failureOf(workload.update(bad))).toBe('unhealthy');
    expect([await answer(workload, 0), await answer(workload, 1)]).toEqual(['new', 'new']);
    expect([await inside(workload, 0), await inside(workload, 1)]).toEqual(before);
    expect(await containers('app')).toHaveLength(2);
  });

  test('where one is free an update starts the new instance beside the old one', async () => {
    const workload = await driver.start(wants('app', 'old'));
    const before = await inside(workload);
    const numbers: number[] = [];
    const stopListening = workload.onChange(() => numbers.push(workload.status().length));
    await workload.update(wants('app', 'new'));
    stopListening();
    expect(await answer(workload)).toBe('new');
    expect(new Set([before, await inside(workload)])).toEqual(new Set(['gpu0', 'gpu1']));
    expect(numbers).not.toContain(0);
  });

  test('a daemon that starts again takes containers over with what they hold, and gives that to nobody else', async () => {
    const workload = await driver.start(wants('kept', 'kept'));
    const [before] = await containers('kept');
    const kept = await inside(workload);
    await driver.close();
    driver = await open();
    const other = await driver.start(wants('other', 'other'));
    expect([kept, await inside(other)].sort()).toEqual(['gpu0', 'gpu1']);
    expect(await failureOf(driver.start(wants('third', 'third')))).toBe('busy');
    const adopted = await driver.start(wants('kept', 'kept'));
    expect((await containers('kept')).map(({ Id }) => Id)).toEqual([before?.Id]);
    expect(await inside(adopted)).toBe(kept);
  });

  /** An engine that notes when a container is started while another that holds a processor runs. */
  const watched = (): { engine: Engine; overlaps: string[] } => {
    const overlaps: string[] = [];
    const real = new DockerEngine();
    const start = async (id: string): Promise<void> => {
      const label = [`mu.provider=${docker.name}`, 'mu.gpus'];
      const running = await docker.docker.listContainers({ filters: { label } });
      overlaps.push(...running.filter(({ Id }) => Id !== id).flatMap(({ Names }) => Names));
      return real.start(id);
    };
    const engine = new Proxy(real, {
      get(target, name) {
        const value: unknown = name === 'start' ? start : Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { engine, overlaps };
  };

  test('killed after any step of an update that had to end the old instance first: the next daemon completes it', async () => {
    let kills = 0;
    for (let after = 1; ; after++) {
      const first = await open(['gpu0']);
      await first.start(wants('app', 'old'));
      await first.close();
      const { engine, isDead } = mortal(after);
      const doomed = await open(['gpu0'], { engine });
      await doomed.start(wants('app', 'new')).catch(() => {});
      const wasKilled = isDead();
      await doomed.close();
      const { engine: itsEngine, overlaps } = watched();
      const next = await open(['gpu0'], { engine: itsEngine });
      const text = after % 2 === 0 ? 'old' : 'new';
      const workload = await next.start(wants('app', text));
      expect([await answer(workload), await inside(workload)]).toEqual([text, 'gpu0']);
      expect(overlaps).toEqual([]);
      expect((await containers('app')).map(({ State }) => State)).toEqual(['running']);
      await next.remove({ deployment: '7', service: 'app' });
      await next.close();
      if (!wasKilled) break;
      kills += 1;
    }
    // Stop the old one, create and start the new one, stop and remove the old one.
    expect(kills).toBe(5);
  });
});
