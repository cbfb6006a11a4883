/**
 * Shows what runs at a datacenter: a container and a function of one stack, an update, a scaling, and a daemon that is
 * killed in the middle, while somebody asks all the time.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { viewDeployment } from '@mu/client/deployment/follow';
import { must, Network, type NetworkProvider } from '@mu/e2e/network';
import { eventually } from '@mu/e2e/process';
import { ConstantAsker } from './lib/constant-asker.ts';
import { demoFlags, runDemo } from './lib/demo-run.ts';

const say = demoFlags('containers');
const example = resolve(import.meta.dirname, '..', 'examples', 'shop');

const network = new Network({
  folder: mkdtempSync(join(tmpdir(), 'mu-demo-')),
  chainId: `mu-demo-${randomBytes(3).toString('hex')}`,
  blockIntervalMs: 1000,
});

/** What the page of the web container says. */
interface Visit {
  readonly greeting: string;
  readonly instance: string;
  readonly visits: number;
}

interface Created {
  readonly dseq: string;
  readonly endpoints: readonly { readonly lease: string; readonly endpoint: string; readonly provider: string }[];
}

async function startWorld(): Promise<{ user: string; providers: NetworkProvider[] }> {
  await network.initChain();
  const settings = { '--offer-services': 'mu-db,mu-function,mu-gateway,mu-workload' };
  const [user, ...providers] = await Promise.all([
    network.initUser(),
    network.initProvider({ name: 'provider-a', price: { cpu: '0.06', memoryMib: '0.012' }, settings }),
    network.initProvider({ name: 'provider-b', price: { cpu: '0.05', memoryMib: '0.01' }, settings }),
  ]);
  await network.startWith(user, providers);
  say(`chain ${network.options.chainId} makes blocks; two providers with containers watch its market`);
  return { user, providers };
}

/** The stack of the example, changed, in a folder of its own. */
function stackWith(change: (text: string) => string): string {
  const file = network.path('stack.yaml');
  const text = readFileSync(join(example, 'stack.yaml'), 'utf8')
    .replaceAll('manifest:build', `manifest:${join(example, 'build')}`)
    .replace('../login', resolve(example, '..', 'login'));
  writeFileSync(file, change(text));
  return file;
}

async function mucli(...args: string[]): Promise<unknown> {
  say(`\nthe user: mucli ${args.join(' ')}`);
  const done = await must(network.mucli([...args, '--output', 'json'], { onStderr: (line) => say(`  ${line}`) }));
  return JSON.parse(done.stdout);
}

async function visit(endpoint: string): Promise<Visit> {
  const response = await fetch(`${endpoint}/cgi-bin/visit`);
  const text = await response.text();
  if (response.status !== 200) throw new Error(`GET ${endpoint}/cgi-bin/visit answered ${response.status}: ${text}`);
  return JSON.parse(text) as Visit;
}

/** Asks until so many different instances have answered. */
function visitsOf(endpoint: string, instances: number): Promise<readonly Visit[]> {
  const seen = new Map<string, Visit>();
  return eventually(`answers of ${instances} instances`, async () => {
    const answer = await visit(endpoint);
    seen.set(answer.instance, answer);
    return seen.size >= instances ? [...seen.values()] : undefined;
  });
}

async function main(): Promise<object> {
  const { user, providers } = await startWorld();
  const client = await network.client();
  const created = (await mucli(
    'tx',
    'deployment',
    'create',
    stackWith((text) => text),
    '--yes',
  )) as Created;
  const [served] = created.endpoints;
  if (served === undefined) throw new Error('the deployment has no address');
  const { endpoint } = served;
  const winner = providers.find(({ owner }) => owner === served.provider) as NetworkProvider;
  const before = await visit(endpoint);
  const login = await fetch(`${endpoint}/login`, { method: 'POST', body: JSON.stringify({ name: 'world' }) });
  say(`\n${winner.name} serves a container and a function at ${endpoint}`);
  say(`  GET  /cgi-bin/visit  ${JSON.stringify(before)}`);
  say(`  POST /login          ${(await login.text()).trim()}`);
  if (login.status !== 200) throw new Error(`the function answered ${login.status}`);

  const asker = new ConstantAsker(() => visit(endpoint).then(() => undefined));
  const updated = stackWith((text) => text.replace('GREETING: welcome', 'GREETING: "welcome back"'));
  const updating = mucli('tx', 'deployment', 'update', updated, '--yes');
  // Whoever waits for it learns of a failure; until then others may fail first.
  updating.catch(() => {});
  const revision = (await client.deployment.deployment({ owner: user, dseq: BigInt(created.dseq) })).deployment
    ?.revision;
  await eventually('the update on the chain', async () => {
    const { deployment } = await client.deployment.deployment({ owner: user, dseq: BigInt(created.dseq) });
    return deployment?.revision === revision ? undefined : true;
  });
  say(`\nkill -9 of the daemon of ${winner.name}, in the middle of the update`);
  await network.program(winner.name).kill();
  const whileGone = await visit(endpoint);
  say(`  without it: GET /cgi-bin/visit ${JSON.stringify(whileGone)}`);
  await network.startProvider(winner);
  await updating;
  const after = await eventually('the new greeting', async () => {
    const answer = await visit(endpoint);
    return answer.greeting === 'welcome back' ? answer : undefined;
  });
  say(`\nupdated, on the same volume: ${JSON.stringify(after)}`);

  const scaled = stackWith((text) =>
    text.replace('GREETING: welcome', 'GREETING: "welcome back"').replace('count: 1', 'count: 2'),
  );
  await mucli('tx', 'deployment', 'update', scaled, '--yes');
  const instances = await visitsOf(endpoint, 2);
  say(`\nscaled to two instances: ${instances.map(({ instance }) => instance).join(', ')}`);
  const asked = await asker.end();
  say(`${asked.answered} requests were answered meanwhile, ${asked.failed} were not`);

  const number = BigInt(served.lease);
  const { lease } = await client.market.lease({ number });
  const view = await viewDeployment(client, user, BigInt(created.dseq));
  if (asked.failed > 0) throw new Error(`${asked.failed} requests failed, the first: ${asked.firstFailure}`);
  if (after.visits <= before.visits) throw new Error('the volume has forgotten its visits');
  const summary = {
    demo: 'ok',
    chain_id: network.options.chainId,
    height: Number(view.height),
    deployment: `${user}/${created.dseq}`,
    lease: Number(number),
    winner: served.provider,
    endpoint,
    workloads: { containers: instances.length + 1, functions: 1 },
    survived_kill: lease?.provider === served.provider && whileGone.visits > before.visits,
    answer_before: before,
    answer_after: after,
    requests: asked.answered,
    failed: asked.failed,
  };
  client.disconnect();
  return summary;
}

await runDemo(network, main);
