/**
 * Shows the main job: a stack file goes in, a function answers, everybody is paid. Starts a chain and two providers that
 * ask different prices, deploys examples/login as a user would, calls it, and reads the bill from the chain.
 */

import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { viewDeployment } from '@mu/client/deployment/follow';
import { must, Network, type NetworkProvider } from '@mu/e2e/network';
import { eventually } from '@mu/e2e/process';
import { Dec } from '@mu/lib/dec';
import { messageOf } from '@mu/lib/error-message';
import { type BillLine, BillLineKind } from '@mu/proto/billing';
import { FulfillmentState, type Lease } from '@mu/proto/market';
import { requireCometbft } from './lib/cometbft.ts';
import { maxValidators } from './lib/localnet/layout.ts';

const { values: flags } = parseArgs({
  options: {
    name: { type: 'string', default: 'world' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    engine: { type: 'string', default: 'solo' },
    validators: { type: 'string', default: '4' },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  console.log(`./scripts/demo [--name NAME] [--engine solo|cometbft] [--validators N] [--keep] [--json]
       ./scripts/demo --market [--json]
       ./scripts/demo --containers [--json]
       ./scripts/demo --photon [--json]
  --market      the market alone: two users, five providers, hand-overs, broken leases, bills
  --containers  containers and a function of one stack: an update, a scaling, a daemon that is killed in the middle
  --photon      a web tier and its database in two regions; the database's provider is killed while the user is away
  --name        whom the function greets (world)
  --engine      solo: one validator in one process (default); cometbft: N validators, each mud behind CometBFT
  --validators  how many with --engine cometbft, 1 to ${maxValidators} (4)
  --keep        leave all running, print what to try
  --json        print only the last line`);
  process.exit(0);
}

const say = (text: string): void => {
  if (!flags.json) console.log(text);
};
const coins = (umu: bigint): string => `${umu} umu`;

/** Undefined for the engine solo. @throws Error for what cannot be */
async function chosenEngine(): Promise<{ readonly validators: number; readonly cometbft: string } | undefined> {
  const validators = Number(flags.validators);
  if (flags.engine === 'solo') return undefined;
  if (flags.engine !== 'cometbft') throw new Error(`--engine ${flags.engine}: it is solo or cometbft`);
  if (!Number.isInteger(validators) || validators < 1 || validators > maxValidators)
    throw new Error(`--validators ${flags.validators}: it must be a number from 1 to ${maxValidators}`);
  return { validators, cometbft: await requireCometbft({ say: (text) => console.error(text) }) };
}

async function makeNetwork(): Promise<Network> {
  const engine = await chosenEngine();
  return new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-demo-')),
    chainId: `mu-demo-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 1000,
    ...(engine === undefined ? {} : { engine }),
  });
}

const network = await makeNetwork().catch((error: unknown): never => {
  console.error(`demo: ${messageOf(error)}`);
  process.exit(2);
});

/** Whatever happens, nothing stays behind. */
let stopping: Promise<void> | undefined;
function stop(): Promise<void> {
  stopping ??= network.stop();
  return stopping;
}
const canceled = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    canceled.abort();
    void stop().then(() => process.exit(130));
  });
}

/** When the deployment was broadcast, by this machine's clock. */
let broadcastAt = 0;

interface World {
  readonly user: string;
  readonly providers: readonly NetworkProvider[];
  readonly client: ChainClient;
}

async function startWorld(): Promise<World> {
  await network.initChain();
  const [user, dear, cheap] = await Promise.all([
    network.initUser(),
    network.initProvider({ name: 'provider-a', price: { cpu: '0.06', memoryMib: '0.012' } }),
    network.initProvider({ name: 'provider-b', price: { cpu: '0.05', memoryMib: '0.01' } }),
  ]);
  const providers = [dear, cheap];
  for (const address of [user, ...providers.flatMap(({ owner, operator }) => [owner, operator])])
    await network.addAccount(address);
  await network.startChain();
  const { engine } = network.options;
  const who = engine === undefined ? '' : ` (${engine.validators} validators behind CometBFT)`;
  say(`chain ${network.options.chainId}${who} makes blocks, its RPC is ${network.rpc}`);
  await network.untilHeight(1);
  await Promise.all(providers.map((provider) => network.registerProvider(provider)));
  await Promise.all(providers.map((provider) => network.startProvider(provider)));
  for (const { name, owner } of providers) say(`${name} is ${owner}: registered, watching the market`);
  return { user, providers, client: await network.client() };
}

interface Created {
  readonly dseq: string;
  readonly height: string;
  readonly endpoints: readonly { readonly lease: string; readonly endpoint: string }[];
}

async function createDeployment(): Promise<Created> {
  say('\nthe user: mucli tx deployment create examples/login/stack.yaml');
  const stack = join(import.meta.dirname, '..', 'examples', 'login', 'stack.yaml');
  const args = ['tx', 'deployment', 'create', stack, '--yes', '--output', 'json'];
  const onStderr = (line: string): void => {
    if (line.startsWith('submitted deployment')) broadcastAt = performance.now();
    say(`  ${line}`);
  };
  const done = await must(network.mucli(args, { onStderr }));
  return JSON.parse(done.stdout) as Created;
}

async function call(endpoint: string): Promise<string> {
  const response = await fetch(`${endpoint}/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: flags.name }),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`POST ${endpoint}/login answered ${response.status}: ${text}`);
  return text;
}

/** The bill once it holds a usage report and a confirmation that came after it. */
async function completeBill(client: ChainClient, lease: bigint): Promise<readonly BillLine[]> {
  return eventually('a usage report and a confirmation', async () => {
    const { lines } = await client.billing.bill({ lease });
    const reported = lines.findIndex(
      ({ kind, amount }) => kind === BillLineKind.BILL_LINE_KIND_USAGE && amount !== '0',
    );
    const confirmed = lines.some(({ kind }, at) => kind === BillLineKind.BILL_LINE_KIND_LEASE && at > reported);
    return reported >= 0 && confirmed ? lines : undefined;
  });
}

function showBill(lines: readonly BillLine[], denom: string): void {
  for (const line of lines) {
    const period = `blocks ${line.fromHeight}–${line.toHeight}`;
    if (line.kind === BillLineKind.BILL_LINE_KIND_LEASE) {
      say(`  ${period}: ${Dec.fromAtomics(line.pricePerBlock).toPlain()} ${denom} per block, paid ${line.amount}`);
      continue;
    }
    const items = line.items.map(({ service, metric, quantity }) => `${service} ${metric} ${quantity}`).join(', ');
    say(`  ${period}: usage (${items}), paid ${line.amount}`);
  }
}

async function main(): Promise<void> {
  const { user, providers, client } = await startWorld();
  const denom = 'umu';
  const supplyBefore = await client.supply(denom);
  const created = await createDeployment();
  const [first] = created.endpoints;
  if (first === undefined) throw new Error('the deployment has no address');
  const dseq = BigInt(created.dseq);
  const answer = await call(first.endpoint);
  const firstAnswerMs = Math.round(performance.now() - broadcastAt);
  say(
    `\nPOST ${first.endpoint}/login with {"name":"${flags.name}"} answers:\n  ${answer}\n  ${firstAnswerMs} ms after the deployment was broadcast`,
  );
  const { escrow: before } = await client.billing.escrow({ owner: user, dseq });
  say('\nwaiting for a usage report and a confirmation …');
  const lines = await completeBill(client, BigInt(first.lease));
  const [{ escrow: after }, { lease }, supplyAfter, view] = await Promise.all([
    client.billing.escrow({ owner: user, dseq }),
    client.market.lease({ number: BigInt(first.lease) }),
    client.supply(denom),
    viewDeployment(client, user, dseq),
  ]);
  if (lease === undefined || before === undefined || after === undefined)
    throw new Error('the chain has lost the lease or its escrow');
  say(`\nthe bill of lease ${lease.number}:`);
  showBill(lines, denom);
  const bids = view.bids.map((bid) => ({
    provider: bid.provider,
    price: Dec.fromAtomics(bid.total).toPlain(),
    state: stateName(bid.state),
  }));
  checkOutcome({
    lease,
    providers,
    bids,
    answer,
    supply: [supplyBefore, supplyAfter],
    escrow: [after.deposited, after.balance, after.spent],
  });
  say(
    `\nescrow: ${coins(BigInt(after.deposited))} deposited, ${coins(BigInt(before.balance))} when it answered, ${coins(BigInt(after.balance))} now, ${coins(BigInt(after.spent))} spent`,
  );
  say(
    `the provider earned ${coins(BigInt(lease.paid))}; the supply of the chain is ${coins(supplyAfter)}, as before: no coin was lost or made\n`,
  );
  const summary = {
    demo: 'ok',
    chain_id: network.options.chainId,
    height: Number(view.height),
    deployment: `${user}/${dseq}`,
    lease: Number(lease.number),
    winner: lease.provider,
    bids,
    endpoint: first.endpoint,
    answer,
    first_answer_ms: firstAnswerMs,
    paid_umu: Number(lease.paid),
    supply_unchanged: supplyBefore === supplyAfter,
  };
  client.disconnect();
  if (flags.keep) await keepRunning(providers, created);
  else await stop();
  console.log(JSON.stringify(summary));
  if (flags.keep) process.exit(0);
}

function stateName(state: FulfillmentState): string {
  const name = Object.entries(FulfillmentState).find(([, value]) => value === state)?.[0] ?? '';
  return name.replace('FULFILLMENT_STATE_', '').toLowerCase();
}

interface Outcome {
  readonly lease: Lease;
  readonly providers: readonly NetworkProvider[];
  readonly bids: readonly { readonly provider: string; readonly price: string; readonly state: string }[];
  readonly answer: string;
  readonly supply: readonly [bigint, bigint];
  readonly escrow: readonly [string, string, string];
}

/** What must be so for the demo to be true. @throws Error with what is not */
function checkOutcome({ lease, providers, bids, answer, supply, escrow }: Outcome): void {
  const cheapest = [...bids].sort((a, b) => Dec.fromString(a.price).cmp(Dec.fromString(b.price)))[0];
  if (bids.length !== providers.length) throw new Error(`${bids.length} bids, ${providers.length} providers`);
  if (cheapest?.provider !== lease.provider || cheapest.state !== 'matched')
    throw new Error('the lease did not go to the cheapest bid');
  if (!answer.includes(flags.name)) throw new Error(`the answer does not greet ${flags.name}: ${answer}`);
  if (supply[0] !== supply[1]) throw new Error(`the supply was ${supply[0]} and is ${supply[1]}`);
  const [deposited, balance, spent] = escrow.map(BigInt) as [bigint, bigint, bigint];
  if (deposited !== balance + spent)
    throw new Error(`escrow: ${deposited} deposited, but ${balance} left and ${spent} spent`);
  if (spent !== BigInt(lease.paid) + BigInt(lease.commission))
    throw new Error(`${spent} left the escrow, the provider got ${lease.paid}`);
}

async function keepRunning(providers: readonly NetworkProvider[], created: Created): Promise<void> {
  const env = Object.entries(network.userEnv())
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  const root = join(import.meta.dirname, '..');
  const pids = providers.map(({ name }) => network.program(name).pid);
  say('everything goes on running:');
  say(`  RPC of the chain      ${network.rpc}`);
  for (const { name, owner, gatewayUri } of providers) say(`  ${name}            ${owner}, gateway ${gatewayUri}`);
  for (const { endpoint } of created.endpoints) say(`  the function          ${endpoint}/login`);
  say(`\nfor your shell:\n  export PATH=${root}/node_modules/.bin:$PATH ${env}`);
  say('\nto try:');
  const [endpoint] = created.endpoints;
  say(`  curl -d '{"name":"Ada"}' ${endpoint?.endpoint}/login`);
  say('  mucli provider list');
  say('  mucli market');
  say(`  mucli bill ${created.dseq}`);
  say(`  mucli bill verify ${created.dseq}`);
  say(`  mucli runway ${created.dseq}`);
  say(`  mucli logs ${endpoint?.lease}`);
  say(`  mucli tx deployment create ${join(root, 'examples/login/stack.yaml')}`);
  say(`  mucli tx deployment cancel ${created.dseq}`);
  say(`\nto stop it all:\n  kill ${pids.join(' ')}; ${network.stopChainCommand}; rm -r ${network.options.folder}\n`);
}

try {
  await main();
} catch (error) {
  if (!canceled.signal.aborted) {
    console.error(`demo failed: ${messageOf(error)}`);
    for (const [name, lines] of network.lastLines()) console.error(`last lines of ${name}:\n${lines}`);
  }
  await stop();
  process.exit(canceled.signal.aborted ? 130 : 1);
}
