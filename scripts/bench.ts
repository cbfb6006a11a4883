/**
 * Figures, not tests: `npm run bench` prints a table and appends it to docs/PERFORMANCE.md; `-- --json` prints one JSON
 * object a line; `-- --no-append` leaves the docs alone. Absolute figures mean little on a shared machine: compare runs.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { must, Network } from '@mu/e2e/network';
import { runCommand } from '@mu/e2e/process';
import { measureApplication } from './bench/application.ts';
import { Figures, percentile } from './bench/figures.ts';
import { callGateway, callSideBySide } from './bench/functions.ts';
import { fundedWallets, measureSends, signSends } from './bench/sends.ts';

const { values: flags } = parseArgs({
  options: { json: { type: 'boolean', default: false }, 'no-append': { type: 'boolean', default: false } },
});
const figures = new Figures(flags.json);
// The mempool takes what a load hands over faster than blocks are made.
process.env['MUD_MEMPOOL_SIZE'] = '20000';
const cores = `${availableParallelism()} cores, shared with the load`;

/** Runs something on a network of its own. */
async function withNetwork(blockIntervalMs: number, run: (network: Network) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-'));
  const network = new Network({ folder, chainId: `mu-bench-${randomBytes(3).toString('hex')}`, blockIntervalMs });
  try {
    await network.initChain();
    await run(network);
  } finally {
    await network.stop();
  }
}

async function benchSends(blockIntervalMs: number): Promise<void> {
  await withNetwork(blockIntervalMs, async (network) => {
    const wallets = fundedWallets(network, 250);
    const txs = signSends(network.options.chainId, wallets, 40);
    await network.startChain();
    await network.untilHeight(1);
    const perSecond = await measureSends(network, txs, 8);
    const blocks = blockIntervalMs === 0 ? 'instant blocks' : `blocks of ${blockIntervalMs} ms`;
    figures.add(
      'bank sends, committed',
      perSecond,
      'sends/s',
      `10,000 sends of 250 accounts by broadcast_tx_sync, 8 connections, ${blocks}, ${cores}`,
    );
  });
}

async function benchApplication(): Promise<void> {
  await measureApplication(200, 10);
  const cost = await measureApplication(200, 25);
  const conditions = '5,000 sends of 200 accounts in one block, in process, LMDB; processor time of the thread';
  const add = (step: string, value: number, unit = 'µs/send'): void =>
    figures.add(`application alone: ${step}`, value, unit, conditions);
  add('one verification', cost.verifyUs, 'µs');
  add('CheckTx', cost.checkUs);
  add('CheckTx beside a verifying thread', cost.threadedCheckUs);
  add('recheck', cost.recheckUs);
  add('FinalizeBlock without trees', cost.executeUs);
  add('hashes of the trees', cost.hashUs);
  add('Commit', cost.commitMs, 'ms');
}

async function benchStart(): Promise<void> {
  await withNetwork(1000, async (network) => {
    const started = async (): Promise<[number, number]> => {
      const start = performance.now();
      await network.startChain();
      const client = await network.client();
      const height =
        network.rpc === ''
          ? 0
          : Number(
              (
                (await (await fetch(`${network.rpc}/abci_info`)).json()) as {
                  result: { response: { last_block_height?: string } };
                }
              ).result.response.last_block_height ?? 0,
            );
      const ready = performance.now() - start;
      client.disconnect();
      await network.untilHeight(height + 1);
      return [ready, performance.now() - start];
    };
    const [ready, block] = await started();
    figures.add('mud: start to RPC', ready, 'ms', 'new chain');
    figures.add('mud: start to first block', block, 'ms', 'new chain, blocks of 1 s');
    await network.untilHeight(3);
    await network.program('chain').kill();
    const [again, next] = await started();
    figures.add('mud: restart to RPC', again, 'ms', 'after kill -9');
    figures.add('mud: restart to next block', next, 'ms', 'after kill -9, blocks of 1 s');
  });
}

async function benchDeployment(): Promise<void> {
  await withNetwork(1000, async (network) => {
    const user = await network.initUser();
    const provider = await network.initProvider({ name: 'provider', price: { cpu: '0.05', memoryMib: '0.01' } });
    for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
    await network.startChain();
    await network.untilHeight(1);
    await network.registerProvider(provider);
    await network.startProvider(provider);
    const stack = join(import.meta.dirname, '..', 'examples', 'login', 'stack.yaml');
    const { stdout } = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
    const created = JSON.parse(stdout) as {
      height: string;
      first_address_ms: number;
      endpoints: { endpoint: string; lease: string }[];
    };
    const endpoint = created.endpoints[0]?.endpoint ?? '';
    const cold = await callGateway(endpoint, 1, 1);
    const client = await network.client();
    const { deployment } = await client.deployment.deployment({ owner: user, dseq: 1n });
    client.disconnect();
    figures.add(
      'create to the first answer',
      created.first_address_ms + (cold.times[0] ?? 0),
      'ms',
      'blocks of 1 s, one provider',
    );
    figures.add(
      'create to the first answer',
      Number(created.height) - Number(deployment?.createdHeight ?? 0n),
      'blocks',
      'min_auction_blocks 3',
    );
    figures.add('function, cold', cold.times[0] ?? 0, 'ms', 'first call after the start');
    await callGateway(endpoint, 1, 100);
    const warm = await callGateway(endpoint, 1, 1000);
    figures.add('function, warm p50', percentile(warm.times, 0.5), 'ms', 'through the gateway, 1 connection');
    figures.add('function, warm p99', percentile(warm.times, 0.99), 'ms', 'through the gateway, 1 connection');
    figures.add('function, 1 connection', warm.perSecond, 'requests/s', cores);
    for (const connections of [8, 32]) {
      const { perSecond } = await callGateway(endpoint, connections, 1500);
      figures.add(`function, ${connections} connections`, perSecond, 'requests/s', cores);
    }
  });
  const { gateway, driver } = await callSideBySide(600);
  const [through, alone] = [gateway, driver].map((times) => percentile(times.slice(100), 0.5)) as [number, number];
  const conditions = 'by turns in one process, 1 connection, p50';
  figures.add('function, engine alone', alone, 'ms', conditions);
  figures.add('function, through the gateway', through, 'ms', conditions);
  figures.add('gateway adds', through - alone, 'ms', conditions);
}

async function benchHelp(): Promise<void> {
  const mucli = join(import.meta.dirname, '..', 'cli', 'bin', 'mucli');
  const times: number[] = [];
  for (let run = 0; run < 7; run += 1) {
    const start = performance.now();
    await must(runCommand(mucli, ['--help']));
    times.push(performance.now() - start);
  }
  figures.add('mucli --help', percentile(times, 0.5), 'ms', 'median of 7');
}

await benchHelp();
await benchApplication();
await benchStart();
await benchSends(1000);
await benchSends(0);
await benchDeployment();
if (!flags['no-append']) figures.append(join(import.meta.dirname, '..', 'docs', 'PERFORMANCE.md'), new Date());
