/** The Photon sample over three datacenters, each in a network namespace of its own with an engine of its own. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Lease } from '@mu/proto/market';
import { describeWithDocker } from '../../provider-daemon/test/support/docker.ts';
import { ConstantAsker } from '../../scripts/lib/constant-asker.ts';
import { Datacenters, type Place } from '../src/datacenters.ts';
import { type Answer, answersOf, askNames, namesPort, writeNamesImage } from '../src/names.ts';
import { must, Network, type NetworkProvider } from '../src/network.ts';
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

/** Beside the database: what the web tier, and nobody else, may ask by UDP. @param image archive of its image */
const names = (image: string): string => `  - type: Workload
    name: names
    infrastructure: [data]
    container: manifest:${image}
    compute: { cpu: 50m, memory: 16MiB }
    connections:
      - { name: ask, port: ${namesPort}, protocol: udp, scope: workload, from: [web] }
`;

/** The sample with these further workloads. */
const withFurther =
  (workloads: string) =>
  (text: string): string =>
    text
      .replace('infrastructure:\n  - name: front', `${workloads}infrastructure:\n  - name: front`)
      .replace('{ cpu: 100m, memory: 32MiB, disk: 16MiB }', '{ cpu: 150m, memory: 48MiB, disk: 16MiB }')
      .replace('{ cpu: 200m, memory: 64MiB, disk: 64MiB }', '{ cpu: 300m, memory: 96MiB, disk: 64MiB }');

describeWithDocker('a web tier and its database in two regions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-photon-'));
  let network: Network;
  let datacenters: Datacenters;
  let world: PhotonWorld;
  let dseq: bigint;
  let endpoint: string;
  let database: Lease;
  /** Of the region west: who has the database's lease, and who has nothing yet. */
  let data: NetworkProvider;
  let spare: NetworkProvider;

  beforeAll(async () => {
    const tag = randomBytes(3).toString('hex');
    datacenters = new Datacenters(folder, tag);
    const places = await Promise.all(['front', 'data', 'spare'].map(() => datacenters.add()));
    network = new Network({
      folder,
      chainId: `mu-photon-${tag}`,
      blockIntervalMs: 500,
      address: datacenters.address,
      genesis: (appState) => {
        photonGenesis(appState);
        // A daemon that was cut off or killed, and a busy machine, still confirm in time.
        Object.assign(appState['market']?.['params'] as object, { reconfirmation_blocks: '30' });
      },
    });
    world = await startPhoton(network, places);
    const image = await writeNamesImage(folder);
    dseq = await createPhoton(network, photonStack(network, withFurther(strangers + names(image))));
    endpoint = await photonEndpoint(world.client, world.user, dseq);
    database = (await runningLeases(world.client, world.user, dseq)).get('data') as Lease;
    // The cheaper one wins, unless the machine is so busy that its bid comes late.
    const isData = database.provider === world.data.owner;
    [data, spare] = isData ? [world.data, world.spare] : [world.spare, world.data];
  });

  afterAll(async () => {
    world?.client.disconnect();
    await network?.stop({ keepFolder: true });
    await datacenters?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('the application answers over the tunnel, while the user is away', async () => {
    const running = await runningLeases(world.client, world.user, dseq);
    expect([running.get('front')?.provider, running.get('data')?.provider]).toEqual([world.front.owner, data.owner]);
    const first = await firstVisit(endpoint);
    expect((await visit(endpoint)).visits).toBe(first.visits + 1);
  });

  test('datagrams go both ways over a tunnel of their own, by the name of who is asked', async () => {
    const answers = await asked('web', 'one.question', 'another.question');
    expect(answers.map(({ name }) => name)).toEqual(['one.question', 'another.question']);
    // It is one server that hears all of them; of a question that had to be asked again it hears two.
    const [first, second] = answers.map(({ count }) => count);
    expect(second).toBeGreaterThan(first as number);
  });

  test('of all pairs those that are declared can be reached, and no others', async () => {
    const ports = new Map([
      ['web', 8080],
      ['front-stranger', 8080],
      ['db', 6379],
      ['data-stranger', 8080],
      ['names', namesPort],
    ]);
    const workloads = [...ports.keys()];
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
    // What is global is for everybody, and nearest where it runs; of the rest there is one connection of each protocol.
    expect(reached.flat()).toEqual([
      'web → db.mu.internal 6379',
      `web → names.mu.internal ${namesPort}/udp`,
      'front-stranger → web.mu.internal 8080',
    ]);
  });

  test('a network that splits for some blocks and heals: nobody is answered wrongly, and nothing is ordered anew', async () => {
    const { client } = world;
    const before = await visit(endpoint);
    datacenters.wire(data.place as Place, 'down');
    let answered = false;
    const during = firstVisit(endpoint).finally(() => {
      answered = true;
    });
    try {
      await network.untilHeight((await client.height()) + 4);
      expect(answered).toBe(false);
    } finally {
      datacenters.wire(data.place as Place, 'up');
    }
    expect((await during).visits).toBeGreaterThan(before.visits);
    expect(await asked('web', 'after.the.split')).toMatchObject([{ name: 'after.the.split' }]);
    expect((await databaseLease()).number).toBe(database.number);
  });

  test('daemons that are killed and started again drop no connection between datacenters', async () => {
    const asker = new ConstantAsker(() => visit(endpoint).then(() => undefined));
    for (const provider of [world.front, data]) {
      await network.program(provider.name).kill();
      const before = (await visit(endpoint)).visits;
      await network.startProvider(provider);
      expect((await visit(endpoint)).visits).toBeGreaterThan(before);
    }
    const { answered, failed, firstFailure } = await asker.end();
    expect([failed, firstFailure]).toEqual([0, '']);
    expect(answered).toBeGreaterThan(0);
    expect((await databaseLease()).number).toBe(database.number);
  });

  test('the database’s datacenter is gone: another one takes over with the manifest from a peer', async () => {
    await datacenters.destroy(data.place as Place);
    const renewed = await eventually(
      'a new lease of the database',
      async () => {
        const lease = (await runningLeases(world.client, world.user, dseq)).get('data');
        return lease === undefined || lease.number === database.number ? undefined : lease;
      },
      180_000,
    );
    expect(renewed.provider).toBe(spare.owner);
    await firstVisit(endpoint);
    expect(await manifestFrom(network, dseq, renewed.number)).toEqual([world.front.owner]);
    // The name server has moved along, and has a memory of its own there.
    expect(await asked('web', 'moved')).toEqual([{ name: 'moved', count: expect.any(Number) }]);
  });

  /** That of the database which is confirmed as running, once there is one. */
  function databaseLease(): Promise<Lease> {
    return eventually('the lease of the database', async () =>
      (await runningLeases(world.client, world.user, dseq)).get('data'),
    );
  }

  /** What a shell in a container gets a connection to, of `host port` pairs, and whether the name server answers it. */
  async function reachedFrom(service: string, targets: readonly string[]): Promise<string[]> {
    const script = targets.map(
      (target) => `(if echo QUIT | nc -w 5 ${target} > /dev/null 2>&1; then echo "${target}"; fi) &`,
    );
    const host = 'names.mu.internal';
    const byUdp = `(if ${askNames(host)} > /dev/null 2>&1; then echo "${host} ${namesPort}/udp"; fi) &`;
    const stdout = await inside(service, [...script, byUdp, 'wait'].join('\n'));
    // They answer in any order.
    return stdout
      .split('\n')
      .filter((line) => line !== '')
      .sort();
  }

  /**
   * What the name server answers a workload that asks it for one name after the other. They are asked again until all are
   * answered, as anybody does by UDP: a datagram that finds no tunnel is dropped.
   */
  function asked(service: string, ...questions: readonly string[]): Promise<readonly Answer[]> {
    const script = questions.map((name) => askNames('names.mu.internal', name)).join(' && ');
    return eventually(`answers to ${questions.join(' and ')}`, () =>
      inside(service, script).then(answersOf, () => undefined),
    );
  }

  /** What a shell prints in a container. */
  async function inside(service: string, script: string): Promise<string> {
    const args = ['deployment', 'exec', `${dseq}`, '--service', service, '--', 'sh', '-c', script];
    return (await must(network.mucli(args))).stdout;
  }
});

const providersOf = ({ front, data, spare }: PhotonWorld) => [front, data, spare];
