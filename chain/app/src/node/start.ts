/** Starts a node: the application on its committed state, the embedded engine, the RPC; and stops them in turn. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { parseGenesis } from '../engine/genesis.ts';
import { loadOrCreateNodeKey, loadOrCreateValidator } from '../engine/private-validator.ts';
import { SoloEngine } from '../engine/solo-engine.ts';
import { startRpc } from '../rpc/server.ts';
import type { NodeConfig } from './config.ts';
import { driveCometbft } from './drive-cometbft.ts';
import { readGenesis } from './genesis.ts';
import type { Home } from './home.ts';
import { nodeLog } from './log.ts';
import { openApplication } from './open-application.ts';

export interface RunningNode {
  /** where it listens, by what for: `rpc` (http://host:port) or `abci` */
  readonly addresses: Readonly<Record<string, string>>;
  /** Ends after the block that is being made. */
  stop(): Promise<void>;
  /** Rejects when the node can make no more blocks. */
  readonly failed: Promise<never>;
}

/** @throws Error that says what is wrong with the home folder, and what to do */
export async function startNode(home: Home, config: NodeConfig): Promise<RunningNode> {
  const log = nodeLog(config);
  const node = config.engine.kind === 'cometbft' ? driveCometbft : driveSolo;
  return node(home, config, log);
}

async function driveSolo(home: Home, config: NodeConfig, log: Logger): Promise<RunningNode> {
  const genesis = parseGenesis(readGenesis(home.genesis));
  const { promise: failed, reject } = Promise.withResolvers<never>();
  const opened = openApplication(home, config, log, { onFailure: reject, answersQueries: true });
  // Whoever waits for it learns of a failure; nobody has to.
  failed.catch(() => undefined);
  const engine = new SoloEngine({
    app: opened.application,
    genesis,
    dataPath: home.engine,
    validator: loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState }),
    blocks:
      config.engine.block_interval_ms === 0
        ? { mode: 'instant' }
        : { mode: 'timed', intervalMs: config.engine.block_interval_ms },
    mempool: {
      size: config.mempool.size,
      maxTxsBytes: config.mempool.max_txs_bytes,
      maxTxBytes: config.mempool.max_tx_bytes,
    },
    log: log.child({ part: 'engine' }),
    onFailure: reject,
  });
  try {
    await engine.start();
  } catch (error) {
    // Else threads and files would keep a process alive that has nothing to do.
    await engine.stop();
    await opened.close();
    throw error;
  }
  const { id: nodeId } = loadOrCreateNodeKey(home.nodeKey);
  const rpc = await startRpc({
    engine,
    listen: config.rpc.laddr,
    nodeId,
    moniker: config.node.moniker,
    corsAllowedOrigins: config.rpc.cors_allowed_origins,
    log: log.child({ part: 'rpc' }),
  });
  writeAddresses(home, rpc.url);
  log.info({ rpc: rpc.url, chain: genesis.chainId }, 'node is ready');
  return {
    addresses: { rpc: rpc.url },
    failed,
    async stop() {
      rmSync(addressesFile(home), { force: true });
      await rpc.close();
      await engine.stop();
      await opened.close();
    },
  };
}

/** Where a running node says at which addresses it listens: with port 0 nobody else knows. */
export function addressesFile(home: Home): string {
  return join(home.root, 'data', 'addresses.json');
}

function writeAddresses(home: Home, rpc: string): void {
  const file = addressesFile(home);
  writeFileSync(`${file}.new`, `${JSON.stringify({ rpc, pid: process.pid })}\n`);
  renameSync(`${file}.new`, file);
}

/** The RPC address that a running node of this home says. @throws Error when none runs */
export function readAddresses(home: Home): { readonly rpc: string; readonly pid: number } {
  try {
    return JSON.parse(readFileSync(addressesFile(home), 'utf8')) as { rpc: string; pid: number };
  } catch {
    throw new Error(
      `no node of ${home.root} is running: start it with \`mud start --home ${home.root}\`, or name its address with --node`,
    );
  }
}
