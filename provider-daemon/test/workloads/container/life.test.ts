import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import type { ContainerSpec } from '../../../src/workloads/driver.ts';
import { describeWithDocker } from '../../support/docker.ts';
import { allowSeconds } from '../patience.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './bench.ts';

allowSeconds(20);

describeWithDocker('life of containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let artifact: ContainerSpec['artifact'];

  beforeAll(async () => {
    bench = await containerBench(docker);
    driver = await bench.driver();
    artifact = await bench.archive('web');
  });
  afterAll(() => driver.close());

  test('starts, answers, stops', async () => {
    const workload = await driver.start(
      shell(artifact, answers('hello'), { health: { path: '/', port: 8080, intervalMs: 1000 } }),
    );
    expect(await ask(workload)).toBe('hello');
    console.log(workload.status(), await workload.metrics(), bench.lines);
    await workload.stop();
    console.log(workload.status());
  });
});
