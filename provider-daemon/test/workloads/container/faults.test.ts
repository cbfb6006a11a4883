/** The daemon killed between any two steps, and the engine gone for a while. */
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import type { ContainerSpec } from '../../../src/workloads/driver.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { errorOf, eventually, failureOf, soon } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';
import { mortal } from './mortal-engine.ts';

allowSeconds(300);

const health = { path: '/', port: 8080, intervalMs: 300 };
/** The engine’s socket as the driver sees it, which can be cut. */
async function switchedSocket(path: string): Promise<{ cut: () => void; mend: () => Promise<void> }> {
  const open = new Set<Socket>();
  let server: Server | undefined;
  const mend = async (): Promise<void> => {
    const made = createServer({ allowHalfOpen: true }, (client) => {
      const engine = connect({ path: '/var/run/docker.sock', allowHalfOpen: true });
      for (const socket of [client, engine]) {
        open.add(socket);
        socket.on('close', () => open.delete(socket)).on('error', () => {});
      }
      client.pipe(engine).pipe(client);
      client.on('close', () => engine.destroy());
    });
    server = made;
    await new Promise<void>((resolve) => made.listen(path, resolve));
  };
  const cut = (): void => {
    server?.close();
    for (const socket of open) socket.destroy();
  };
  await mend();
  return { cut, mend };
}

describeWithDocker('containers and faults', (docker) => {
  let bench: ContainerBench;
  let artifact: ContainerSpec['artifact'];

  beforeAll(async () => {
    bench = await containerBench(docker);
    artifact = await bench.archive('busybox');
  });

  const version = (text: string, count: number): ContainerSpec => shell(artifact, answers(text), { health, count });
  const containers = async () => {
    const label = [`mu.provider=${docker.name}`];
    const found = await docker.docker.listContainers({ all: true, filters: { label } });
    return found.map(({ Labels, State }) => `${Labels['mu.service']} ${Labels['mu.instance']} ${State}`).sort();
  };
  const expectWhole = async (driver: ContainerDriver, spec: ContainerSpec, text: string): Promise<void> => {
    const workload = await driver.start(spec);
    for (let index = 0; index < spec.count; index++) {
      expect(await eventually('an answer', () => soon(ask(workload, index)))).toBe(text);
    }
    expect(await containers()).toEqual(['app 0 running', 'app 1 running'].slice(0, spec.count));
    expect(await driver.found()).toEqual([{ deployment: '7', service: 'app' }]);
  };

  test('killed after any step of a first start: the next daemon completes it, nothing is there twice', async () => {
    const seen: string[][] = [];
    for (let after = 1; ; after++) {
      const { engine, isDead, done } = mortal(after);
      const doomed = await bench.driver({ engine });
      await doomed.start(version('first', 2)).catch(() => {});
      const wasKilled = isDead();
      await doomed.close();
      const next = await bench.driver();
      await expectWhole(next, version('first', 2), 'first');
      await next.remove({ deployment: '7', service: 'app' });
      expect(await containers()).toEqual([]);
      expect(await next.found()).toEqual([]);
      await next.close();
      if (!wasKilled) break;
      seen.push(done);
    }
    expect(seen.at(-1)).toEqual(['load', 'create', 'start', 'create', 'start']);
  });

  test('killed after any step of an update: the next daemon completes it, or goes back where it is told to', async () => {
    let kills = 0;
    for (let after = 1; ; after++) {
      const first = await bench.driver();
      await first.start(version('old', 1));
      await first.close();
      const { engine, isDead } = mortal(after);
      const doomed = await bench.driver({ engine });
      await doomed.start(version('new', 1)).catch(() => {});
      const wasKilled = isDead();
      await doomed.close();
      const next = await bench.driver();
      const text = after % 2 === 0 ? 'new' : 'old';
      await expectWhole(next, version(text, 1), text);
      await next.remove({ deployment: '7', service: 'app' });
      await next.close();
      if (!wasKilled) break;
      kills += 1;
    }
    // Create and start the new one, stop and remove the old one.
    expect(kills).toBe(4);
  });

  test('a daemon that stops while a version comes up leaves it as it is, and the next one goes on with it', async () => {
    const slow = shell(artifact, `sleep 3; ${answers('slow')}`, { health });
    const first = await bench.driver();
    const starting = failureOf(first.start(slow));
    const before = await eventually('its container', async () => {
      const found = await docker.docker.listContainers({ filters: { label: [`mu.provider=${docker.name}`] } });
      return found[0]?.Id;
    });
    await first.close();
    expect(await starting).toBe('stopped');
    const next = await bench.driver();
    const workload = await next.start(slow);
    expect(await eventually('an answer', () => soon(ask(workload)))).toBe('slow');
    const found = await docker.docker.listContainers({ filters: { label: [`mu.provider=${docker.name}`] } });
    expect(found.map(({ Id }) => Id)).toEqual([before]);
    await workload.stop();
    await next.close();
  });

  test('the engine is gone for a while: what runs is served, the status says so, and all is read anew', async () => {
    const socket = join(bench.folder, 'engine.sock');
    const wire = await switchedSocket(socket);
    const told: string[] = [];
    const driver = await bench.driver({ socket, logger: (line) => told.push(line) });
    const script = `(n=0; while true; do n=$((n + 1)); echo tick $n; sleep 0.2; done) & ${answers('through')}`;
    const workload = await driver.start(shell(artifact, script, { service: 'through', health }));
    const ticks = () =>
      bench.lines
        .filter((line) => line.startsWith('7/through stdout: tick '))
        .map((line) => Number(line.split(' ').at(-1)));
    await eventually('a tick', () => ticks()[0]);
    wire.cut();
    await eventually('a note', () => workload.status()[0]!.note);
    expect(workload.status()[0]).toMatchObject({ index: 0, state: 'ready' });
    expect(workload.status()[0]!.note).toMatch(/^the container engine has not answered since \d{4}-/);
    expect(await ask(workload)).toBe('through');
    const refused = await errorOf(driver.start(shell(artifact, answers('other'), { service: 'other' })));
    expect(refused.reason).toBe('failed');
    expect(refused.message).toMatch(/no container engine at unix:.*engine\.sock .*systemctl start docker/);
    await expect(workload.stop()).rejects.toThrow(/no container engine/);

    await wire.mend();
    await eventually('the end of the note', () => (workload.status()[0]?.note === undefined ? true : undefined));
    expect(told.at(-1)).toBe('the container engine is back; everything has been read anew');
    const before = ticks().length;
    await eventually('more ticks', () => (ticks().length > before + 5 ? true : undefined));
    const all = ticks();
    expect(all).toEqual(Array.from({ length: all.length }, (_, at) => at + 1));
    await workload.stop();
    expect(await containers()).toEqual([]);
    await driver.close();
    wire.cut();
  });

  test('what ended while the engine could not be asked is known when it can', async () => {
    const socket = join(bench.folder, 'other.sock');
    const wire = await switchedSocket(socket);
    const driver = await bench.driver({ socket });
    const workload = await driver.start(shell(artifact, answers('again'), { service: 'again', health }));
    const [found] = await docker.docker.listContainers({ filters: { label: [`mu.provider=${docker.name}`] } });
    const { State } = await docker.docker.getContainer(found!.Id).inspect();
    wire.cut();
    await eventually('a note', () => workload.status()[0]!.note);
    process.kill(State.Pid, 'SIGKILL');
    await eventually('an answer of the next run', () => soon(ask(workload)));
    await wire.mend();
    await eventually('the restart', () =>
      workload.status().find(({ restarts, state }) => restarts === 1 && state === 'ready'),
    );
    expect(workload.status()[0]!.note).toBeUndefined();
    await workload.stop();
    await driver.close();
    wire.cut();
  });
});
