/**
 * One node of a local network: the application `mud` and the engine `cometbft` behind it, started and ended together.
 * An engine whose application died does not always end by itself, so whoever starts one again starts both.
 */
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '@mu/e2e/process';
import { type Localnet, logsOf, type NodeLayout, nodeHome, rpcOf } from './layout.ts';
import { killProgram, lastLines, type ProgramFiles, pidOf, signal, startDetached, stopProgram } from './processes.ts';
import { heightOf } from './rpc.ts';

const mud = join(import.meta.dirname, '..', '..', '..', 'chain', 'app', 'bin', 'mud');
const stopMs = 10_000;
const startMs = 60_000;

export interface NodePrograms {
  readonly app: ProgramFiles & { readonly outFile: string };
  readonly engine: ProgramFiles;
}

export function programsOf(net: Localnet, node: NodeLayout): NodePrograms {
  const home = nodeHome(net, node);
  const logs = logsOf(net, node);
  const files = (program: string, logFile: string): ProgramFiles => ({
    title: `${program} of ${node.name}`,
    mark: home,
    pidFile: join(home, `${program}.pid`),
    logFile,
  });
  return {
    app: { ...files('mud', logs.app), outFile: join(home, 'mud.out') },
    engine: files('cometbft', logs.engine),
  };
}

/** Starts what of the node does not run. Returns when its RPC answers with a block. @throws Error with the last log lines */
export async function startNode(net: Localnet, node: NodeLayout, cometbft: string): Promise<void> {
  await startPrograms(net, node, cometbft);
  const { app, engine } = programsOf(net, node);
  await eventually(
    `an answer of ${node.name}`,
    async () => {
      for (const program of [app, engine]) assertAlive(program);
      return (await heightOf(rpcOf(node))) > 0 ? true : undefined;
    },
    startMs,
  );
}

/** As `startNode`, but does not wait for the RPC: the first block needs most of the validators. */
export async function startPrograms(
  net: Localnet,
  node: NodeLayout,
  cometbft: string,
  signal?: AbortSignal,
): Promise<void> {
  const { app, engine } = programsOf(net, node);
  signal?.throwIfAborted();
  // An engine that still hangs on a dead application would never speak to the new one.
  if (pidOf(app) === undefined) await killProgram(engine);
  const home = nodeHome(net, node);
  if (pidOf(app) === undefined) await startDetached(app, mud, ['start', '--home', home]);
  // The engine waits 3 s after a refused connection: it starts when the application listens.
  await eventually(
    `${app.title}`,
    () => {
      signal?.throwIfAborted();
      assertAlive(app);
      return saysReady(app.outFile) ? true : undefined;
    },
    startMs,
  );
  if (pidOf(engine) === undefined) await startDetached(engine, cometbft, ['start', '--home', home]);
}

/** The first line of stdout, whole, says that it listens. */
const saysReady = (file: string): boolean => existsSync(file) && readFileSync(file, 'utf8').includes('\n');

function assertAlive(program: ProgramFiles): void {
  if (pidOf(program) !== undefined) return;
  throw new Error(`${program.title} has ended; its log ${program.logFile} ends with:\n${lastLines(program.logFile)}`);
}

/** Ends both, the engine first: it ends by itself while its application answers. */
export async function stopNode(net: Localnet, node: NodeLayout): Promise<void> {
  const { app, engine } = programsOf(net, node);
  // A paused application would keep its engine from ending.
  signal(app, 'SIGCONT');
  await stopProgram(engine, pidOf(app) === undefined ? 1000 : stopMs);
  await stopProgram(app, stopMs);
}

/** `kill -9` of both. */
export async function killNode(net: Localnet, node: NodeLayout): Promise<void> {
  const { app, engine } = programsOf(net, node);
  await Promise.all([killProgram(app), killProgram(engine)]);
}

/** Both stand still as they are; nobody is told. */
export function pauseNode(net: Localnet, node: NodeLayout): void {
  const { app, engine } = programsOf(net, node);
  for (const program of [engine, app]) signal(program, 'SIGSTOP');
}

export function resumeNode(net: Localnet, node: NodeLayout): void {
  const { app, engine } = programsOf(net, node);
  for (const program of [app, engine]) signal(program, 'SIGCONT');
}

/**
 * Throws away what a stopped node knows: blocks, state, address book. What its validator signed last stays: without it
 * the validator could sign a height twice.
 */
export function wipeNode(net: Localnet, node: NodeLayout): void {
  const { app, engine } = programsOf(net, node);
  for (const program of [app, engine]) {
    if (pidOf(program) !== undefined)
      throw new Error(`${program.title} is running: stop the node before its data goes`);
  }
  const data = join(nodeHome(net, node), 'data');
  for (const entry of readdirSync(data)) {
    if (entry !== 'priv_validator_state.json') rmSync(join(data, entry), { recursive: true, force: true });
  }
  rmSync(join(nodeHome(net, node), 'config', 'addrbook.json'), { force: true });
}
