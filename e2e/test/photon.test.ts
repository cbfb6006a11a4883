/** The Photon sample over three datacenters, each in a network namespace of its own with an engine of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Lease } from '@mu/proto/market';
import { describeWithDocker } from '../../provider-daemon/test/support/docker.ts';
import { ConstantAsker } from '../../scripts/lib/constant-asker.ts';
import { Datacenters, type Place } from '../src/datacenters.ts';
import { must, Network } from '../src/network.ts';
import {
  createPhoton,
  firstVisit,
  manifestFrom,
  type PhotonWorld,
  photonEndpoint,
  photonGenesis,
  photonStack,
  runningLeases,
  startPhoton,
  visit,
} from '../src/photon.ts';
import { eventually } from '../src/process.ts';

jest.setTimeout(240_000);

/** Beside the sample's two: one in each infrastructure that nobody may call, and that may call nobody. */
const strangers = ['front', 'data']
  .map(
    (infrastructure) => `  - type: Workload
    name: ${infrastructure}-stranger
    infrastructure: [${infrastructure}]
    container: manifest:build/web.tar
    compute: { cpu: 50m, memory: 16MiB }
    health: { path: /health, port: 8080, interval: 1s }
`,
  )
  .join('');

const withStrangers = (text: string): string =>
  text
    .replace('infrastructure:\n  - name: front', `${strangers}infrastructure:\n  - name: front`)
    .replace('{ cpu: 100m, memory: 32MiB, disk: 16MiB }', '{ cpu: 150m, memory: 48MiB, disk: 16MiB }')
    .replace('{ cpu: 200m, memory: 64MiB, disk: 64MiB }', '{ cpu: 250m, memory: 80MiB, disk: 64MiB }');

describeWithDocker('a web tier and its database in two regions', () => {
  let network: Network;
  let datacenters: Datacenters;
  let places: Place[];
  let world: PhotonWorld;
  let dseq: bigint;
  let endpoint: string;
  let database: Lease;

  beforeAll(async () => {
    const tag = randomBytes(3).toString('hex');
    const folder = mkdtempSync(join(tmpdir(), 'mu-photon-'));
    datacenters = new Datacenters(folder, tag);
    places = [];
    for (const _ of ['front', 'data', 'spare']) places.push(await datacenters.add());
    network = new Network({
      folder,
      chainId: `mu-photon-${tag}`,
      blockIntervalMs: 500,
      address: datacenters.address,
      genesis: photonGenesis,
    });
    world = await startPhoton(network, places);
    dseq = await createPhoton(network, photonStack(network, withStrangers));
    endpoint = await photonEndpoint(world.client, world.user, dseq);
  });

  afterAll(async () => {
    world?.client.disconnect();
    await network?.stop({ keepFolder: true });
    await datacenters?.stop();
  });

  test('the application answers over the tunnel, while the user is away', async () => {
    const running = await runningLeases(world.client, world.user, dseq);
    database = running.get('data') as Lease;
    expect([running.get('front')?.provider, database.provider]).toEqual([world.front.owner, world.data.owner]);
    const first = await firstVisit(endpoint);
    expect((await visit(endpoint)).visits).toBe(first.visits + 1);
  });

  test('of all pairs the one that is declared can be reached, and no other', async () => {
    const workloads = ['web', 'front-stranger', 'db', 'data-stranger'];
    const ports = new Map([
      ['web', 8080],
      ['front-stranger', 8080],
      ['db', 6379],
      ['data-stranger', 8080],
    ]);
    const own = providersOf(world).flatMap(({ gatewayUri, place }) => [
      `${place?.address} ${new URL(gatewayUri).port}`,
      `${place?.address} 22`,
    ]);
    const rpc = new URL(network.rpc);
    const targets = [
      ...workloads.map((name) => `${name}.mu.internal ${ports.get(name)}`),
      ...own,
      `${rpc.hostname} ${rpc.port}`,
    ];
    const reached = await Promise.all(
      workloads.map(async (caller) => (await reachedFrom(caller, targets)).map((target) => `${caller} → ${target}`)),
    );
    // What is global is for everybody, and nearest where it runs; of the rest there is one connection.
    expect(reached.flat()).toEqual(['web → db.mu.internal 6379', 'front-stranger → web.mu.internal 8080']);
  });

  test('a network that splits for some blocks and heals: nobody is answered wrongly, and nothing is ordered anew', async () => {
    const { client } = world;
    const before = await visit(endpoint);
    datacenters.wire(places[1] as Place, 'down');
    let answered = false;
    const during = firstVisit(endpoint).finally(() => {
      answered = true;
    });
    try {
      await network.untilHeight((await client.height()) + 6);
      expect(answered).toBe(false);
    } finally {
      datacenters.wire(places[1] as Place, 'up');
    }
    expect((await during).visits).toBeGreaterThan(before.visits);
    expect((await runningLeases(client, world.user, dseq)).get('data')?.number).toBe(database.number);
  });

  test('daemons that are killed and started again drop no connection between datacenters', async () => {
    const asker = new ConstantAsker(() => visit(endpoint).then(() => undefined));
    for (const provider of [world.front, world.data]) {
      await network.program(provider.name).kill();
      const before = (await visit(endpoint)).visits;
      await network.startProvider(provider);
      expect((await visit(endpoint)).visits).toBeGreaterThan(before);
    }
    const { answered, failed, firstFailure } = await asker.end();
    expect([failed, firstFailure]).toEqual([0, '']);
    expect(answered).toBeGreaterThan(10);
    expect((await runningLeases(world.client, world.user, dseq)).get('data')?.number).toBe(database.number);
  });

  test('the database’s datacenter is gone: another one takes over with the manifest from a peer', async () => {
    await datacenters.destroy(places[1] as Place);
    const renewed = await eventually(
      'a new lease of the database',
      async () => {
        const lease = (await runningLeases(world.client, world.user, dseq)).get('data');
        return lease === undefined || lease.number === database.number ? undefined : lease;
      },
      180_000,
    );
    expect(renewed.provider).toBe(world.spare.owner);
    await firstVisit(endpoint);
    expect(await manifestFrom(network, dseq, renewed.number)).toEqual([world.front.owner]);
  });

  /** What a shell in a container gets a connection to, of `host port` pairs. */
  async function reachedFrom(service: string, targets: readonly string[]): Promise<string[]> {
    const script = targets.map(
      (target) => `(if echo QUIT | nc -w 2 ${target} > /dev/null 2>&1; then echo "${target}"; fi) &`,
    );
    const args = [
      'deployment',
      'exec',
      `${dseq}`,
      '--service',
      service,
      '--',
      'sh',
      '-c',
      [...script, 'wait'].join('\n'),
    ];
    const { stdout } = await must(network.mucli(args));
    return stdout.split('\n').filter((line) => line !== '');
  }
});

const providersOf = ({ front, data, spare }: PhotonWorld) => [front, data, spare];
