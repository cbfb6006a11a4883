/** A market of one size: filled, then driven; what its blocks took and what their messages cost. */
import { createMuNodeApp, muStoreNames } from '@mu/app/mu-app';
import type { BlockPhase } from '@mu/framework/block-executor';
import { RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import { ownMemory, percentile } from '../figures.ts';
import { type BenchChain, type BlockDone, type BlockTimes, PhaseClock, runBlock } from './block.ts';
import { benchCast, type Cast } from './cast.ts';
import { FilledMarket } from './filled-market.ts';
import { marketGenesis } from './genesis.ts';
import { machineCheck } from './machine-check.ts';
import { type Counts, Plan } from './plan.ts';
import { firstHeight } from './terms.ts';
import { Traffic } from './traffic.ts';

export interface MarketOptions {
  /** of the state; to be made */
  readonly folder: string;
  readonly size: number;
  readonly counts: Counts;
  readonly cacheMb: number;
  readonly checkInvariants?: boolean;
}

/** Medians over the blocks of a kind. */
export interface MarketFigures {
  readonly size: number;
  readonly fill_s: number;
  /** of a block of all kinds: list, begin, system transaction, users' transactions, end; no trees, no commit */
  readonly block_ms: number;
  /** processor time of it, and of the trees: other programs share the machine */
  readonly block_cpu_ms: number;
  readonly trees_cpu_ms: number;
  readonly check_ms: number;
  readonly prepare_ms: number;
  readonly due_ms: number;
  readonly begin_us: number;
  readonly system_ms: number;
  readonly users_ms: number;
  readonly end_ms: number;
  readonly trees_ms: number;
  readonly commit_ms: number;
  readonly write_ms: number;
  /** of a block with nothing in it and nothing due */
  readonly idle_due_us: number;
  readonly idle_begin_us: number;
  readonly idle_end_us: number;
  readonly matches_per_s: number;
  readonly matches_executed_per_s: number;
  readonly match_cpu_us: number;
  readonly confirmations: number;
  readonly confirmations_per_s: number;
  readonly confirmations_executed_per_s: number;
  readonly confirmation_cpu_us: number;
  /** of each kind of message, the least and the most */
  readonly gas: Readonly<Record<string, readonly [string, string]>>;
  readonly blocks: number;
  /** without the pages of the state's files, which the kernel keeps as long as nobody else needs the room */
  readonly memory_mb: number;
  readonly files_mb: number;
  readonly machine_ms: number;
}

/** @throws Error when a message fails, or a block does not do what it was made for */
export async function measureMarket(options: MarketOptions): Promise<MarketFigures> {
  const { folder, size, counts, cacheMb } = options;
  const [cast, plan, clock] = [benchCast(), new Plan(size, counts), new PhaseClock()];
  const began = performance.now();
  const store = new FilledMarket(folder, muStoreNames, { cast, plan, cacheBytes: cacheMb * 1_048_576 });
  const { onPhase } = clock;
  const { app } = createMuNodeApp({ store, onPhase, checkInvariants: options.checkInvariants ?? false });
  app.initChain(marketGenesis(cast, size));
  app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: firstHeight }));
  app.commit();
  await store.settled();
  clock.take();
  const fill = (performance.now() - began) / 1000;
  const machine = [machineCheck()];
  const run = await drive({ app, store, clock }, cast, plan);
  machine.push(machineCheck());
  const figures = figuresOf(run, plan);
  const [memory, files] = [ownMemory(), store.figures.bytes].map((bytes) => Math.round(bytes / 1_048_576));
  await store.close();
  return {
    size,
    fill_s: fill,
    ...figures,
    memory_mb: memory ?? 0,
    files_mb: files ?? 0,
    machine_ms: percentile(machine, 0.5),
  };
}

interface Run {
  readonly mixed: readonly BlockDone[];
  readonly matches: readonly BlockDone[];
  readonly confirmed: readonly BlockDone[];
  readonly idle: readonly BlockDone[];
  readonly gas: Gas;
}

async function drive(chain: BenchChain, cast: Cast, plan: Plan): Promise<Run> {
  const [traffic, gas, { counts }] = [new Traffic(cast, plan), new Gas(), plan];
  let height = firstHeight;
  const blocks = async (
    count: number,
    txsOf: (block: number) => ReturnType<Traffic['mixed']>,
  ): Promise<BlockDone[]> => {
    const done: BlockDone[] = [];
    for (let block = 0; block < count; block += 1) {
      const txs = txsOf(block);
      height += 1n;
      const one = await runBlock(chain, height, txs);
      done.push(one);
      for (const [at, { kind }] of txs.entries()) gas.add(kind, one.results[at]?.gasUsed ?? 0n);
    }
    return done;
  };
  const mixed = await blocks(plan.mixedBlocks, (block) => traffic.mixed(block));
  for (const one of mixed) expectEvents(one, 'lease_created', counts.each);
  const matches = await blocks(counts.matchBlocks, () => []);
  for (const one of matches) expectEvents(one, 'lease_created', counts.matches);
  const idle = await blocks(counts.idleBlocks, () => []);
  const confirmed = await blocks(1, () => traffic.confirmations());
  // Later ones pay fewer blocks: shorter numbers, another gas.
  gas.close();
  confirmed.push(...(await blocks(counts.confirmBlocks - 1, () => traffic.confirmations())));
  for (const one of confirmed) expectEvents(one, 'lease_confirmed', plan.confirmed().length);
  return { mixed: mixed.slice(1), matches, confirmed, idle, gas };
}

/** The least and the most gas of each kind of message. */
class Gas {
  readonly #kinds = new Map<string, bigint[]>();
  #isClosed = false;

  add(kind: string, used: bigint): void {
    if (this.#isClosed) return;
    const [least = used, most = used] = this.#kinds.get(kind) ?? [];
    this.#kinds.set(kind, [used < least ? used : least, used > most ? used : most]);
  }

  close(): void {
    this.#isClosed = true;
  }

  figures(): Record<string, readonly [string, string]> {
    return Object.fromEntries(
      [...this.#kinds].map(([kind, [least, most]]) => [kind, [`${least}`, `${most}`] as const]),
    );
  }
}

function expectEvents({ events }: BlockDone, type: string, count: number): void {
  const seen = events.get(type) ?? 0;
  if (seen !== count) throw new Error(`a block was made for ${count} ${type}, it has ${seen}`);
}

type Timed = (times: BlockTimes) => number;
const executed = ({ due, begin, system, users, end }: Record<BlockPhase, number>): number =>
  due + begin + system + users + end;
const executedCpu: Timed = ({ cpu }) => executed(cpu);
const whole: Timed = (times) => executed(times) + times.trees + times.answer + times.commit;

function figuresOf({ mixed, matches, confirmed, idle, gas }: Run, plan: Plan) {
  const median = (blocks: readonly BlockDone[], of: Timed): number =>
    percentile(
      blocks.map((one) => of(one.times)),
      0.5,
    );
  const perSecond = (count: number, blocks: readonly BlockDone[], of: Timed): number =>
    (count * 1000) / median(blocks, of);
  const confirmations = plan.confirmed().length;
  return {
    block_ms: median(mixed, executed),
    block_cpu_ms: median(mixed, executedCpu),
    trees_cpu_ms: median(mixed, ({ cpu }) => cpu.trees),
    check_ms: median(mixed, ({ check }) => check),
    prepare_ms: median(mixed, ({ prepare }) => prepare),
    due_ms: median(mixed, ({ due }) => due),
    begin_us: 1000 * median(mixed, ({ begin }) => begin),
    system_ms: median(mixed, ({ system }) => system),
    users_ms: median(mixed, ({ users }) => users),
    end_ms: median(mixed, ({ end }) => end),
    trees_ms: median(mixed, ({ trees }) => trees),
    commit_ms: median(mixed, ({ commit }) => commit),
    write_ms: median(mixed, ({ write }) => write),
    idle_due_us: 1000 * median(idle, ({ due }) => due),
    idle_begin_us: 1000 * median(idle, ({ begin }) => begin),
    idle_end_us: 1000 * median(idle, ({ end }) => end),
    matches_per_s: perSecond(plan.counts.matches, matches, whole),
    matches_executed_per_s: perSecond(plan.counts.matches, matches, executed),
    match_cpu_us: (1000 * median(matches, executedCpu)) / plan.counts.matches,
    confirmations,
    confirmations_per_s: perSecond(confirmations, confirmed, whole),
    confirmations_executed_per_s: perSecond(confirmations, confirmed, executed),
    confirmation_cpu_us: (1000 * median(confirmed, executedCpu)) / confirmations,
    gas: gas.figures(),
    blocks: mixed.length,
  };
}
