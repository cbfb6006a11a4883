/** All nodes of a local network at once: up, down, and what each says of itself. */
import { setTimeout as pause } from 'node:timers/promises';
import { eventually } from '@mu/e2e/process';
import { type Localnet, type NodeLayout, nodeOf, rpcOf } from './layout.ts';
import { killNode, programsOf, startNode, startPrograms, stopNode } from './node.ts';
import { lastLines, type ProgramFiles, pidOf } from './processes.ts';
import { heightOf, syncInfo } from './rpc.ts';

const allPrograms = (net: Localnet): ProgramFiles[] =>
  net.nodes.flatMap((node) => Object.values(programsOf(net, node)) as ProgramFiles[]);

/** What of a network runs, by `mud of node0`. */
export function runningPrograms(net: Localnet): string[] {
  return allPrograms(net)
    .filter((program) => pidOf(program) !== undefined)
    .map(({ title }) => title);
}

/** @throws Error with the last lines of the log of each program that does not run */
export function assertUp(net: Localnet): void {
  const ended = allPrograms(net).filter((program) => pidOf(program) === undefined);
  if (ended.length === 0) return;
  const logs = ended.map(({ title, logFile }) => `${title} has ended; ${logFile} ends with:\n${lastLines(logFile)}`);
  throw new Error(logs.join('\n'));
}

/** @throws Error that says what to do when something of it runs already */
export function assertDown(net: Localnet): void {
  const running = runningPrograms(net);
  if (running.length === 0) return;
  const whole = running.length === net.nodes.length * 2;
  throw new Error(
    `the network in ${net.home} is ${whole ? 'up' : `up in part (${running.join(', ')})`}: ` +
      `stop it with \`./scripts/localnet down --home ${net.home}\`, start a stopped node with \`restart NAME\`, or choose another --home`,
  );
}

export interface WaitOptions {
  readonly limitMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export interface StartOptions {
  /** waits until all have a block of this height; 2 by default */
  readonly height?: number;
  /** gives up; then too nothing is left running */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts all nodes and waits until all make blocks. When that fails nothing is left running.
 * @throws Error with the last lines of the log of what ended
 */
export async function startNetwork(net: Localnet, cometbft: string, options: StartOptions = {}): Promise<void> {
  const { height = 2, signal } = options;
  assertDown(net);
  try {
    // All at once would make each of them slow; the network needs them all anyway.
    for (let at = 0; at < net.nodes.length; at += 4)
      await startTogether(net, net.nodes.slice(at, at + 4), cometbft, signal);
    await untilHeight(net, height, { signal });
    // A network that had blocks before answers with those: that it goes on shows one more.
    const heights = await Promise.all(net.nodes.map((node) => heightOf(rpcOf(node))));
    await untilHeight(net, Math.max(...heights) + 1, { signal });
  } catch (error) {
    await killNetwork(net);
    throw error;
  }
}

/** Starts nodes at the same time, as `startPrograms` does one. @throws Error of the first that failed */
export async function startTogether(
  net: Localnet,
  nodes: readonly NodeLayout[],
  cometbft: string,
  signal?: AbortSignal,
): Promise<void> {
  const started = await Promise.allSettled(nodes.map((node) => startPrograms(net, node, cometbft, signal)));
  // Thrown when all have come to an end: nobody starts one behind the back of who then stops them.
  const failed = started.find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

/** Waits until every node has a block of this height. @throws Error that names the heights, or what has ended */
export async function untilHeight(
  net: Localnet,
  height: number,
  { limitMs = 60_000 + net.nodes.length * 5000, signal }: WaitOptions = {},
): Promise<void> {
  const end = performance.now() + limitMs;
  for (;;) {
    signal?.throwIfAborted();
    const heights = await Promise.all(net.nodes.map((node) => heightOf(rpcOf(node))));
    if (heights.every((one) => one >= height)) return;
    assertUp(net);
    if (performance.now() > end)
      throw new Error(
        `height ${height} did not come within ${limitMs / 1000} s: the nodes are at ${heights.join(', ')}`,
      );
    await pause(100);
  }
}

/** Ends all, asking first. */
export async function stopNetwork(net: Localnet): Promise<void> {
  await Promise.all(net.nodes.map((node) => stopNode(net, node)));
}

/** `kill -9` of all. */
export async function killNetwork(net: Localnet): Promise<void> {
  await Promise.all(net.nodes.map((node) => killNode(net, node)));
}

/** Ends both programs of a node, where they live, and starts both. */
export async function restartNode(net: Localnet, name: string, cometbft: string): Promise<void> {
  const node = nodeOf(net, name);
  await stopNode(net, node);
  await startNode(net, node, cometbft);
}

/** Waits until a node has the blocks that the others have, and takes part. @returns the height it has then */
export async function untilCaughtUp(
  net: Localnet,
  name: string,
  { limitMs = 90_000, signal }: WaitOptions = {},
): Promise<number> {
  const own = rpcOf(nodeOf(net, name));
  const others = net.nodes.filter((node) => node.name !== name);
  return eventually(
    `${name} among the others`,
    async () => {
      signal?.throwIfAborted();
      const [sync, ...heights] = await Promise.all([syncInfo(own), ...others.map((node) => heightOf(rpcOf(node)))]);
      if (sync === undefined || sync.catching_up) return undefined;
      const height = Number(sync.latest_block_height);
      // A block may be on its way while they are asked one after the other.
      return height + 1 >= Math.max(...(heights as number[]), 0) && height > 0 ? height : undefined;
    },
    limitMs,
  );
}

export interface NodeStatus {
  readonly name: string;
  readonly rpc: string;
  /** null where the program does not run */
  readonly pid_app: number | null;
  readonly pid_engine: number | null;
  /** of the latest block; null where the node does not answer */
  readonly height: number | null;
  /** of the state that the latest block was made on, upper-case hex */
  readonly app_hash: string | null;
}

export function statusOf(net: Localnet): Promise<NodeStatus[]> {
  return Promise.all(
    net.nodes.map(async (node) => {
      const { app, engine } = programsOf(net, node);
      const [rpc, pidEngine] = [rpcOf(node), pidOf(engine)];
      // Without its engine whoever answers at that port is somebody else.
      const sync = pidEngine === undefined ? undefined : await syncInfo(rpc);
      return {
        name: node.name,
        rpc,
        pid_app: pidOf(app) ?? null,
        pid_engine: pidEngine ?? null,
        height: sync === undefined ? null : Number(sync.latest_block_height),
        app_hash: sync?.latest_app_hash ?? null,
      };
    }),
  );
}
