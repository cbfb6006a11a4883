/** From a delivered manifest to a container that reads its files, over updates and the end of old revisions; on the real engine. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hashedBytes } from '@mu/client/manifest/files';
import { utf8 } from '@mu/lib/bytes';
import { Lease } from '@mu/proto/market';
import { build, owner } from '../../../client/test/manifest/fixture.ts';
import { read } from '../../../client/test/stack/sample.ts';
import type { Plane } from '../../src/data-plane/plane.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { Databases } from '../../src/leases/databases.ts';
import { LeaseRunner } from '../../src/leases/lease-runner.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { receiveDelivery } from '../../src/manifests/receive.ts';
import type { ContainerDriver } from '../../src/workloads/container/container-driver.ts';
import type { ContainerSpec, ServingWorkload } from '../../src/workloads/driver.ts';
import { arriving, bodyOf, factsOf } from '../manifests/fixture.ts';
import { describeWithDocker } from '../support/docker.ts';
import { counted } from '../support/surroundings.ts';
import { type ContainerBench, containerBench } from '../workloads/container/bench.ts';
import { eventually, soon } from '../workloads/driver-compliance.ts';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(120);

const place = { lease: 7n, owner, dseq: 17n, infrastructure: 'main' };
const lease = Lease.fromPartial({ resources: [{ compute: { cpu: 2000, memory: 1n << 32n }, count: 2 }] });
const plane = {
  ...{ open: async () => {}, serve: async () => {}, place: async () => {}, withdraw: async () => {} },
  totals: async () => [],
} as unknown as Plane;

/** Larger than a piece. */
const model = utf8('model '.repeat(50_000));

describeWithDocker('files of a manifest in containers', (docker) => {
  let bench: ContainerBench;
  let driver: ContainerDriver;
  let journal: Journal;
  let databases: Databases;
  let manifests: ManifestStore;
  let runner: LeaseRunner;
  let archive: Uint8Array;

  beforeAll(async () => {
    bench = await containerBench(docker);
    driver = await bench.driver();
    journal = openJournal(join(bench.folder, 'journal'), { chainId: 'mu-1', provider: 'mu1p', nodeId: 'node-1' });
    databases = new Databases(join(bench.folder, 'databases'));
    const options = { folder: join(bench.folder, 'manifests'), index: journal.manifests, random: counted().random };
    manifests = new ManifestStore(options);
    const host = { driver, networks: bench.networks, volumes: bench.volumes };
    runner = new LeaseRunner({
      ...{ plane, manifests, databases, volumeRetentionMs: 0, gatewayUri: 'http://127.0.0.1:8080', domain: '' },
      containers: { here: host, host: () => host },
      onTrouble: (_lease, error) => {
        throw error;
      },
    });
    const artifact = (await bench.archive('reader')) as Extract<ContainerSpec['artifact'], { kind: 'image' }>;
    if (artifact.image.from !== 'archive') throw new Error('the bench makes archives');
    archive = new Uint8Array(readFileSync(artifact.image.path));
  });
  afterAll(async () => {
    await driver.close();
    await databases.close();
    await journal.close();
  });

  /** Delivers a revision in which two replicas mount the text. */
  const hold = async (revision: bigint, content: Uint8Array): Promise<void> => {
    const workload = `{ type: Workload, name: web, container: "manifest:a.tar", command: [sleep, "1000"], count: 2, compute: { cpu: 200m, memory: 32MiB }, files: [{ source: m, path: /models/m }] }`;
    const built = build({
      revision,
      stack: read(`name: A\nversion: 1\nservices: [${workload}]`).stack,
      placements: [{ infrastructure: 'main', share: 'lease', services: ['web'] }],
      images: new Map([['web', hashedBytes(archive)]]),
      mounted: new Map([['web', [hashedBytes(content)]]]),
    });
    const { chunks, sha256 } = arriving(bodyOf(built));
    await receiveDelivery({ chunks, sha256 }, factsOf(built), manifests);
  };
  const start = (revision: bigint) => runner.start(place, lease, { revision, height: revision });
  const forget = (revision: bigint) => manifests.remove({ owner, dseq: 17n, revision });
  const web = (): ServingWorkload => runner.view(7n)!.containers.get('web')!;
  const readBy = async (instance: number): Promise<string> => {
    const session = await web().exec({ instance, command: ['cat', '/models/m'], tty: false });
    const chunks: Uint8Array[] = [];
    for await (const { chunk } of session.output) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const containers = async () => {
    const found = await docker.docker.listContainers({ all: true, filters: { label: [`mu.provider=${docker.name}`] } });
    return found.map(({ Id }) => Id).sort();
  };

  test('they are what was delivered, through updates, old revisions that go, and restarts, until the lease ends', async () => {
    const text = Buffer.from(model).toString();
    await hold(1n, model);
    await start(1n);
    for (const instance of [0, 1]) expect(await readBy(instance)).toBe(text);

    // The same file, held anew: nothing is made anew, and the first revision may go.
    const before = await containers();
    await hold(2n, model);
    await start(2n);
    expect(await containers()).toEqual(before);
    forget(1n);
    await docker.docker.getContainer(before[0]!).restart({ t: 0 });
    for (const instance of [0, 1]) expect(await eventually('the file', () => soon(readBy(instance)))).toBe(text);

    await hold(3n, utf8('another'));
    await start(3n);
    forget(2n);
    for (const instance of [0, 1]) expect(await readBy(instance)).toBe('another');
    expect((await containers()).filter((id) => before.includes(id))).toEqual([]);

    // Without funds, and with them again.
    await runner.stop(7n);
    expect([await containers(), readdirSync(join(bench.folder, 'mounted-files'))]).toEqual([[], []]);
    await start(3n);
    for (const instance of [0, 1]) expect(await readBy(instance)).toBe('another');
    await runner.stop(7n);
    expect([await containers(), readdirSync(join(bench.folder, 'mounted-files'))]).toEqual([[], []]);
  });
});
