/** A network under load, to which one thing after the other happens; and the proof at the end that nothing is wrong. */
import { setTimeout as pause } from 'node:timers/promises';
import { addAccount } from '@mu/app/node/genesis';
import { eventually } from '@mu/e2e/process';
import { toBech32 } from '@mu/lib/bech32';
import { createLocalnet, editGenesis } from '../localnet/create.ts';
import { type Localnet, type NodeLayout, rpcOf } from '../localnet/layout.ts';
import { killNetwork, startNetwork, untilCaughtUp, untilHeight } from '../localnet/network.ts';
import { heightOf } from '../localnet/rpc.ts';
import { type TestWallet, testWallets } from '../wallets.ts';
import { type HeightTime, heightBoundMs, heightTimes, type Standstill } from './bound.ts';
import { type Kind, type Perturbation, perturbations, planSteps, type Step, snapshotInterval } from './kinds.ts';
import { Load } from './load.ts';
import { seeded } from './random.ts';
import { checkTransactions, compareChains, readAccounts, waitingTxs } from './verify.ts';

export interface PerturbOptions {
  readonly home: string;
  readonly cometbft: string;
  readonly seed: number;
  readonly rounds: number;
  readonly validators: number;
  readonly accounts: number;
  readonly kinds: readonly Kind[];
  readonly say: (text: string) => void;
  /** ends the run between two steps */
  readonly signal?: AbortSignal;
}

export interface PerturbResult {
  readonly perturb: 'ok';
  readonly seed: number;
  readonly rounds: number;
  readonly validators: number;
  readonly heights: number;
  readonly txs: number;
  readonly median_height_ms: number;
  readonly longest_height_ms: number;
  readonly bound_ms: number;
  readonly longest_catch_up_ms: number;
}

/** Nobody has its key: what arrives there stays. */
const receiver = toBech32('mu', new Uint8Array(20).fill(9));

/** Runs it all. All processes are gone when this ends, the folder stays. @throws Error with what is wrong */
export async function perturb(options: PerturbOptions): Promise<PerturbResult> {
  const { home, validators, cometbft, seed, say } = options;
  const settings = { 'store.snapshot_interval': String(snapshotInterval), 'store.snapshot_keep_recent': '4' };
  const net = await createLocalnet({ home, validators, cometbft, chainId: `mu-perturb-${seed}`, settings });
  const wallets = testWallets(`perturb ${seed}`, options.accounts);
  editGenesis(net, (genesis) =>
    wallets.reduce((all, { address }) => addAccount(all, address, '1000000000umu'), genesis),
  );
  const load = new Load({ net, wallets, receiver, random: seeded(seed ^ 0x5eed) });
  try {
    await startNetwork(net, cometbft, { signal: options.signal });
    say(`${validators} validators are up in ${home}; a height may take ${heightBoundMs(net.timeouts)} ms`);
    load.start();
    const happened = await happen(options, net);
    await load.stop();
    return await judge(options, net, wallets, load, happened);
  } finally {
    await killNetwork(net);
    await load.stop().catch(() => undefined);
  }
}

interface Happened {
  readonly standstills: readonly Standstill[];
  readonly catchUpMs: readonly number[];
}

async function happen(
  { rounds, seed, kinds, cometbft, say, signal }: PerturbOptions,
  net: Localnet,
): Promise<Happened> {
  const standstills: Standstill[] = [];
  const catchUpMs: number[] = [];
  const steps = planSteps(seeded(seed), rounds, net.nodes.length, kinds);
  for (const [index, step] of steps.entries()) {
    signal?.throwIfAborted();
    await pause(step.waitMs);
    const victim = net.nodes[step.victim] as NodeLayout;
    const fromMs = Date.now();
    const { stopsChain, apply }: Perturbation = perturbations[step.kind];
    await apply({ net, cometbft, victim, awayMs: step.awayMs, signal });
    const back = performance.now();
    const nodes = stopsChain === true ? net.nodes : [victim];
    // Who lost its blocks executes all of them again, beside three nodes that are at work.
    const limitMs = 90_000 + 500 * Math.max(...(await Promise.all(net.nodes.map((node) => heightOf(rpcOf(node))))));
    await Promise.all(nodes.map(({ name }) => untilCaughtUp(net, name, { limitMs, signal })));
    if (stopsChain === true) standstills.push({ fromMs, toMs: Date.now() });
    // Not only what was: the node takes part in what comes.
    const height = 1 + Math.max(...(await Promise.all(net.nodes.map((node) => heightOf(rpcOf(node))))));
    await untilHeight(net, height, { signal });
    catchUpMs.push(performance.now() - back);
    say(line(index, step, victim, height, catchUpMs.at(-1) as number));
  }
  return { standstills, catchUpMs };
}

function line(index: number, { kind }: Step, victim: NodeLayout, height: number, ms: number): string {
  const { what, stopsChain }: Perturbation = perturbations[kind];
  const who = stopsChain === true ? 'all' : victim.name;
  return `${String(index + 1).padStart(3)}  ${kind.padEnd(12)} ${who.padEnd(7)} ${what}; at height ${height} again after ${Math.round(ms)} ms`;
}

async function judge(
  options: PerturbOptions,
  net: Localnet,
  wallets: readonly TestWallet[],
  load: Load,
  happened: Happened,
): Promise<PerturbResult> {
  const [first] = net.nodes as [NodeLayout];
  await eventually('empty mempools', async () => {
    const waiting = await Promise.all(net.nodes.map(waitingTxs));
    return waiting.every((count) => count === 0) ? true : undefined;
  });
  // The state after the last transaction is hashed into the next block.
  const last = (await heightOf(rpcOf(first))) + 2;
  await untilHeight(net, last);
  const chain = await compareChains(net, last);
  const addresses = wallets.map(({ address }) => address);
  checkTransactions(chain.txs, load, await readAccounts(net, chain, addresses, receiver));
  if (chain.txs.length === 0) throw new Error('no transaction was committed: nothing was shown');
  const times = heightTimes(chain.metas, net.timeouts, happened.standstills);
  checkTimes(times);
  const usual = times.filter(({ allowedMs }) => allowedMs === heightBoundMs(net.timeouts)).map(({ tookMs }) => tookMs);
  usual.sort((a, b) => a - b);
  return {
    perturb: 'ok',
    seed: options.seed,
    rounds: options.rounds,
    validators: net.nodes.length,
    heights: last,
    txs: chain.txs.length,
    median_height_ms: usual[usual.length >> 1] ?? 0,
    longest_height_ms: usual.at(-1) ?? 0,
    bound_ms: heightBoundMs(net.timeouts),
    longest_catch_up_ms: Math.round(Math.max(0, ...happened.catchUpMs)),
  };
}

/** @throws Error with every height that took too long */
function checkTimes(times: readonly HeightTime[]): void {
  const late = times.filter(({ tookMs, allowedMs }) => tookMs > allowedMs);
  if (late.length === 0) return;
  const list = late.map(({ height, tookMs, allowedMs }) => `${height} took ${tookMs} ms of ${allowedMs} ms`);
  throw new Error(`heights took longer than the timeouts explain: ${list.join('; ')}`);
}
