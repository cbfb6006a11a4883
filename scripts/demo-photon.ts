/**
 * Shows what runs between datacenters: a web tier in one region and its database in another, with a tunnel between them. The
 * user hands over the manifest and leaves; the database's provider is killed; another one takes over with the manifest from
 * the first one, and the application answers again.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Network, type NetworkProvider, stopProvider } from '@mu/e2e/network';
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
} from '@mu/e2e/photon';
import { eventually } from '@mu/e2e/process';
import { type Lease, LeaseState } from '@mu/proto/market';
import { demoFlags, runDemo } from './lib/demo-run.ts';

const say = demoFlags('photon');

const network = new Network({
  folder: mkdtempSync(join(tmpdir(), 'mu-demo-')),
  chainId: `mu-demo-${randomBytes(3).toString('hex')}`,
  blockIntervalMs: 1000,
  genesis: photonGenesis,
});

/** As if the machine had lost its power: daemon, data plane and containers. */
async function powerOff(provider: NetworkProvider): Promise<void> {
  await network.program(provider.name).kill();
  await stopProvider(provider.home);
}

/** The new lease of the database, once it runs elsewhere. */
function replacement({ client, user }: PhotonWorld, dseq: bigint, old: Lease): Promise<Lease> {
  return eventually(
    'a new lease of the database',
    async () => {
      const lease = (await runningLeases(client, user, dseq)).get('data');
      return lease === undefined || lease.number === old.number ? undefined : lease;
    },
    180_000,
  );
}

async function main(): Promise<object> {
  const world = await startPhoton(network);
  const { client, user } = world;
  const providers = [world.front, world.data, world.spare];
  const nameOf = (owner: string): string => providers.find((one) => one.owner === owner)?.name ?? owner;
  say(`chain ${network.options.chainId}: "front" serves the region east, "data" and "spare" serve west`);
  say('\nthe user: mucli tx deployment create examples/photon/stack.yaml --detach');
  const dseq = await createPhoton(network, photonStack(network), (line) => say(`  ${line}`));
  say('the user has left');
  const endpoint = await photonEndpoint(client, user, dseq);
  const before = await runningLeases(client, user, dseq);
  const [web, db] = [before.get('front') as Lease, before.get('data') as Lease];
  const answerBefore = await firstVisit(endpoint);
  say(`\nthe web tier runs at ${nameOf(web.provider)}, the database at ${nameOf(db.provider)}`);
  say(`  GET ${endpoint}/cgi-bin/visit  ${JSON.stringify(answerBefore)}`);

  const victim = providers.find(({ owner }) => owner === db.provider) as NetworkProvider;
  say(`\nthe machine of ${victim.name} loses its power`);
  await powerOff(victim);
  const renewed = await replacement(world, dseq, db);
  const { lease: broken } = await client.market.lease({ number: db.number });
  const from = await manifestFrom(network, dseq, renewed.number);
  say(
    `  lease ${db.number} is broken; ${nameOf(renewed.provider)} has lease ${renewed.number}, and the manifest from ${from.map(nameOf).join(', ')}`,
  );
  const answerAfter = await firstVisit(endpoint);
  say(`  GET ${endpoint}/cgi-bin/visit  ${JSON.stringify(answerAfter)}\n`);
  if (broken?.state !== LeaseState.LEASE_STATE_BROKEN) throw new Error(`lease ${db.number} is not broken`);
  const summary = {
    demo: 'ok',
    chain_id: network.options.chainId,
    height: await client.height(),
    deployment: `${user}/${dseq}`,
    leases: [web, db, renewed].map(({ number, provider }) => ({ lease: Number(number), provider })),
    broken: [Number(db.number)],
    manifest_from: from,
    endpoint,
    answer_before: answerBefore,
    answer_after: answerAfter,
  };
  client.disconnect();
  return summary;
}

await runDemo(network, main);
