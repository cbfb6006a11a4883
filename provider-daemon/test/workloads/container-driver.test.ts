import { createHash } from 'node:crypto';
import { beforeAll } from '@jest/globals';
import type { ContainerSpec, ServingWorkload } from '../../src/workloads/driver.ts';
import { describeWithDocker } from '../support/docker.ts';
import { answers, ask, type ContainerBench, containerBench, shell } from './container/bench.ts';
import { describeDriver, eventually, type Habit } from './driver-compliance.ts';
import { allowSeconds } from './patience.ts';

allowSeconds(120);

const habits: Readonly<Record<Habit, string>> = {
  v1: answers('version 1'),
  v2: answers('version 2'),
  // It comes up first: what never does is refused when it is started.
  crashes: 'sleep 1; exit 3',
  hogs: 'sleep 1; tail /dev/zero',
  // The engine gives a line that has no end only when the program ends (container/logs.test.ts).
  logs: 'echo first line; echo second line; echo no end; exec sleep 1000',
  'does-not-start': 'echo cannot; exit 1',
};

describeWithDocker('containers', (docker) => {
  let bench: ContainerBench;
  let artifact: ContainerSpec['artifact'];

  beforeAll(async () => {
    bench = await containerBench(docker);
    artifact = await bench.archive('busybox');
  });

  const inspect = async (workload: ServingWorkload) => {
    const { deployment, service } = workload.spec;
    const labels = [`mu.provider=${docker.name}`, `mu.lease=${deployment}`, `mu.service=${service}`];
    const [found] = await docker.docker.listContainers({ filters: { label: labels } });
    return docker.docker.getContainer(found!.Id).inspect();
  };
  const lastEnd = (workload: ServingWorkload): Promise<string> =>
    eventually('two ends', () => workload.status().find(({ restarts }) => restarts >= 2)?.lastEnd);

  describeDriver<ContainerSpec, ServingWorkload>('container', () => ({
    open: (log) => bench.driver({ log }),
    spec: (habit, more) =>
      shell(artifact, habits[habit], {
        deployment: more?.deployment ?? 'd1',
        service: more?.service ?? 'f',
        ...(/^v\d/.test(habit) ? { health: { path: '/', port: 8080, intervalMs: 500 } } : {}),
      }),
    invalid: () => shell(artifact, '', { deployment: 'd1', service: 'f', memoryBytes: 1 }),
    ask: (workload) => ask(workload),
    kill: async (workload) => {
      process.kill((await inspect(workload)).State.Pid, 'SIGKILL');
    },
    crash: lastEnd,
    crashTold: /^exit code 3$/,
    hog: lastEnd,
    write: async () => {},
    logStream: 'stdout',
    outlives: true,
    identity: async (workload) => {
      const { Id, State } = await inspect(workload);
      return createHash('sha256').update(`${Id} ${State.StartedAt}`).digest('hex');
    },
    parts: async ({ deployment, service }) => {
      const label = [`mu.provider=${docker.name}`, `mu.lease=${deployment}`, `mu.service=${service}`];
      const containers = await docker.docker.listContainers({ all: true, filters: { label } });
      const networks = await docker.docker.listNetworks({ filters: { label } });
      const images = await docker.docker.listImages({ filters: { reference: ['mu/*/*'] } });
      const tags = images.flatMap(({ RepoTags }) => RepoTags ?? []);
      const prefix = `mu/${createHash('sha256').update(docker.name).digest('hex').slice(0, 16)}/${deployment}:${service}.`;
      return containers.length + networks.length + tags.filter((tag) => tag.startsWith(prefix)).length;
    },
    startFailure: 'unhealthy',
  }));
});
