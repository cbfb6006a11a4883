/**
 * `npm run bench:chain`: Mu and a Go chain of the Cosmos SDK in turns on one machine, each behind a CometBFT of its own with
 * the same settings, under the same load. Absolute figures mean little; the ratios are what it is for.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { goSide } from './chain/go-side.ts';
import { Load, type LoadReport, type QueryReport } from './chain/load.ts';
import { muSide } from './chain/mu-side.ts';
import { findPrograms, type Programs } from './chain/programs.ts';
import { mnemonic, type Side } from './chain/side.ts';
import { balanceRequest, socketQueryP99 } from './chain/socket-queries.ts';
import { heightAt } from './chain/until.ts';
import { percentile } from './figures.ts';
import { measureGoCommits } from './state/commits.ts';
import { blockFigures, commitFigures } from './state/run.ts';

const usage = `npm run bench:chain [-- OPTIONS]

  --accounts N   accounts in both geneses beside those of the load (0)
  --rounds N     turns of each side (2)
  --senders N    accounts that send (200)
  --txs N        transactions of each (200)
  --warm N       transactions of each before the clock starts (50)
  --only SIDE    mu or go
  --json         the last line is one JSON object
`;

interface Options {
  readonly accounts: number;
  readonly rounds: number;
  readonly senders: number;
  readonly txs: number;
  readonly warm: number;
  readonly only: string | undefined;
  readonly json: boolean;
}

/** What one turn of a side gave. */
interface Turn {
  readonly side: Side['name'];
  readonly startMs: number;
  readonly load: LoadReport;
  readonly queries: QueryReport;
  /** of a query at the application's socket */
  readonly socketP99Ms: number;
  readonly restartMs: number;
  /** memory of the application right after it */
  readonly restartedMb: number;
  readonly bytesPerTx: number;
}

async function turn(side: Side, options: Options, load: Load): Promise<Turn> {
  const startMs = await side.start(1);
  try {
    // Funds the senders and warms both programs up.
    await load.sends(side, options.senders, options.warm);
    const before = side.diskBytes();
    const report = await load.sends(side, options.senders, options.txs);
    const bytesPerTx = (side.diskBytes() - before) / report.committed_ok;
    const busy = load.sends(side, options.senders, Math.ceil(options.txs / 2));
    const [, queries, socketP99Ms] = await Promise.all([
      busy,
      load.queries(side, 5),
      socketQueryP99(side, await payerBalance(side), busy),
    ]);
    const restartMs = await restart(side);
    const restartedMb = residentMb(side.pids()['app'] as number);
    return { side: side.name, startMs, load: report, queries, socketP99Ms, restartMs, restartedMb, bytesPerTx };
  } finally {
    await side.stop();
  }
}

/** @returns milliseconds from the start after `kill -9` to the next block, CometBFT's pause between blocks left out */
async function restart(side: Side): Promise<number> {
  const height = await heightAt(side.rpc);
  await side.kill();
  side.hurry();
  return side.start(height);
}

/** RSS as Linux counts it, the pages of mapped files too. */
function residentMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024;
}

async function payerBalance({ prefix, denom }: Side): Promise<Uint8Array> {
  const [payer] = await (await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix })).getAccounts();
  return balanceRequest(payer?.address ?? '', denom);
}

async function oneTurn(name: Side['name'], programs: Programs, options: Options): Promise<Turn> {
  const folder = mkdtempSync(join(tmpdir(), `mu-bench-${name}-`));
  try {
    const make = name === 'mu' ? muSide : goSide;
    const side = await make(programs, { folder: join(folder, 'home'), accounts: options.accounts });
    return await turn(side, options, new Load(programs.peerload));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function row({ side, startMs, load, queries, socketP99Ms, restartMs, bytesPerTx }: Turn): string {
  const cpu = Object.entries(load.use)
    .map(([name, { cpu_s }]) => `${name} ${((1000 * cpu_s) / load.committed_ok).toFixed(2)} ms`)
    .join(', ');
  const rss = load.use['app']?.rss_peak_mib ?? 0;
  return [
    side.padEnd(3),
    `${load.tx_per_s.toFixed(0)} sends/s`.padStart(14),
    `CPU a send: ${cpu}`,
    `${queries.per_s.toFixed(0)} queries/s, p99 ${queries.p99_ms} ms, at the socket ${socketP99Ms.toFixed(1)} ms`,
    `start ${startMs.toFixed(0)} ms`,
    `restart ${restartMs.toFixed(0)} ms`,
    `${bytesPerTx.toFixed(0)} bytes/send`,
    `RSS ${rss.toFixed(0)} MiB`,
    load.failed + load.lost > 0 ? `FAILED ${load.failed} LOST ${load.lost}` : '',
  ].join('  ');
}

function summary(turns: readonly Turn[], options: Options): Record<string, number> {
  const of = (side: Side['name'], pick: (turn: Turn) => number): number =>
    percentile(turns.filter((one) => one.side === side).map(pick), 0.5);
  const both = (name: string, pick: (turn: Turn) => number): Record<string, number> => ({
    [name]: of('mu', pick),
    [`go_${name}`]: of('go', pick),
  });
  const mu = of('mu', ({ load }) => load.tx_per_s);
  const go = of('go', ({ load }) => load.tx_per_s);
  return {
    accounts: options.accounts,
    sends_per_s: mu,
    go_sends_per_s: go,
    ratio_sends: mu / go,
    ...(options.accounts >= 1_000_000 ? { ratio_sends_1m: mu / go } : {}),
    ...both('query_p99_ms', ({ queries }) => queries.p99_ms),
    ...both('query_socket_p99_ms', ({ socketP99Ms }) => socketP99Ms),
    ...both('queries_per_s', ({ queries }) => queries.per_s),
    ...both('start_ms', ({ startMs }) => startMs),
    ...both('restart_ms', ({ restartMs }) => restartMs),
    ...both('rss_mb', ({ load }) => load.use['app']?.rss_peak_mib ?? Number.NaN),
    ...both('restarted_rss_mb', ({ restartedMb }) => restartedMb),
    ...both('bytes_per_tx', ({ bytesPerTx }) => bytesPerTx),
  };
}

/** What the state alone takes, in turns with cosmos/iavl: without engine, socket and load. */
async function stateSummary(accounts: number): Promise<Record<string, number>> {
  const size = Math.max(accounts, 10_000);
  const { check_ms, execute_ms, hash_ms, commit_ms } = await blockFigures(size);
  const own = await commitFigures(size);
  const go = await measureGoCommits({ accounts: size, changed: 10_000, blocks: 10 });
  return {
    block_5000_check_ms: check_ms,
    block_5000_execute_ms: execute_ms,
    block_5000_hash_ms: hash_ms,
    block_5000_commit_ms: commit_ms,
    commit_leaves_per_s: own.leaves_per_s,
    go_iavl_leaves_per_s: go?.leaves_per_s ?? Number.NaN,
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      accounts: { type: 'string', default: '0' },
      rounds: { type: 'string', default: '2' },
      senders: { type: 'string', default: '200' },
      txs: { type: 'string', default: '200' },
      warm: { type: 'string', default: '50' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const options: Options = {
    accounts: Number(values.accounts),
    rounds: Number(values.rounds),
    senders: Number(values.senders),
    txs: Number(values.txs),
    warm: Number(values.warm),
    only: values.only,
    json: values.json,
  };
  const programs = await findPrograms((text) => console.error(text));
  const turns: Turn[] = [];
  for (let round = 0; round < options.rounds; round += 1) {
    for (const name of ['mu', 'go'] as const) {
      if (options.only !== undefined && options.only !== name) continue;
      const done = await oneTurn(name, programs, options);
      turns.push(done);
      console.log(row(done));
    }
  }
  const figures = { ...summary(turns, options), ...(await stateSummary(options.accounts)) };
  console.log(options.json ? JSON.stringify(figures) : figures);
}

await main();
