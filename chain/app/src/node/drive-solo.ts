/** The node with the embedded engine and its RPC: over this chain's application, or over any other by its socket. */
import { readFileSync } from 'node:fs';
import type { Application } from '@mu/abci/application';
import { AbciClient } from '@mu/abci/client';
import type { Logger } from 'pino';
import { type GenesisDoc, parseGenesis } from '../engine/genesis.ts';
import { loadOrCreateNodeKey, loadOrCreateValidator } from '../engine/private-validator.ts';
import { SoloEngine } from '../engine/solo-engine.ts';
import { type RunningRpc, startRpc } from '../rpc/server.ts';
import type { StoreFigures } from '../telemetry/metrics.ts';
import { newPulse, openMeter, serveTelemetry } from '../telemetry/telemetry.ts';
import { removeAddresses, writeAddresses } from './addresses.ts';
import type { NodeConfig } from './config.ts';
import { openGenesis } from './genesis-file.ts';
import type { Home } from './home.ts';
import { openApplication } from './open-application.ts';
import type { RunningNode } from './running-node.ts';

/** What the engine drives, and how that ends. */
interface Driven {
  readonly application: Application;
  readonly genesis: GenesisDoc;
  /** of this program's own application */
  readonly figures?: () => Promise<StoreFigures>;
  close(): Promise<void>;
}

/** @throws Error that says what is wrong with the home folder or the other application, and what to do */
export async function driveSolo(home: Home, config: NodeConfig, log: Logger): Promise<RunningNode> {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  // Whoever waits for it learns of a failure; nobody has to.
  failed.catch(() => undefined);
  const pulse = newPulse(config);
  const fail = (error: Error): void => {
    pulse.failed(error);
    reject(error);
  };
  const driven = await openDriven(home, config, log, fail);
  const undo = [() => driven.close()];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const meter = await openMeter({
      config,
      figures: driven.figures,
      onCommitted: (height) => pulse.committed(height),
    });
    const application = meter?.over(driven.application) ?? driven.application;
    const engine = soloEngine(home, config, { ...driven, application }, log, fail);
    undo.push(() => engine.stop());
    await engine.start();
    const rpc = await openRpc(home, config, engine, log);
    undo.push(() => rpc.close());
    const telemetry = meter && (await serveTelemetry(config, { metrics: () => meter.text(), pulse, log }));
    undo.push(async () => telemetry?.close());
    const addresses = { rpc: rpc.url, ...(telemetry === undefined ? {} : { telemetry: telemetry.url }) };
    writeAddresses(home, addresses);
    undo.push(async () => removeAddresses(home));
    log.info({ ...addresses, chain: engine.genesis.chainId }, 'node is ready');
    return { addresses, failed, stop };
  } catch (error) {
    // Else threads and files would keep a process alive that has nothing to do.
    await stop();
    throw error;
  }
}

async function openDriven(
  home: Home,
  config: NodeConfig,
  log: Logger,
  onFailure: (error: Error) => void,
): Promise<Driven> {
  const { proxy_app: address } = config.engine;
  if (address === '') {
    const genesis = openGenesis(home.genesis);
    const opened = openApplication(home, config, log, { onFailure, answersQueries: true });
    return {
      application: opened.application,
      genesis,
      figures: () => opened.figures(),
      close: () => opened.close(),
    };
  }
  log.info({ address }, 'another application is driven, none of this program');
  const client = await AbciClient.connect(address, { maxMessageBytes: config.abci.max_message_bytes, onFailure });
  // Its genesis is its own affair: only what the engine reads of it is checked.
  const genesis = parseGenesis(JSON.parse(readFileSync(home.genesis, 'utf8')));
  return { application: client, genesis, close: async () => client.close() };
}

function soloEngine(
  home: Home,
  config: NodeConfig,
  { application, genesis }: Driven,
  log: Logger,
  onFailure: (error: Error) => void,
): SoloEngine {
  const { block_interval_ms: intervalMs } = config.engine;
  return new SoloEngine({
    app: application,
    genesis,
    dataPath: home.engine,
    validator: loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState }),
    blocks: intervalMs === 0 ? { mode: 'instant' } : { mode: 'timed', intervalMs },
    mempool: {
      size: config.mempool.size,
      maxTxsBytes: config.mempool.max_txs_bytes,
      maxTxBytes: config.mempool.max_tx_bytes,
    },
    log: log.child({ part: 'engine' }),
    onFailure,
  });
}

function openRpc(home: Home, config: NodeConfig, engine: SoloEngine, log: Logger): Promise<RunningRpc> {
  return startRpc({
    engine,
    listen: config.rpc.laddr,
    nodeId: loadOrCreateNodeKey(home.nodeKey).id,
    moniker: config.node.moniker,
    corsAllowedOrigins: config.rpc.cors_allowed_origins,
    log: log.child({ part: 'rpc' }),
  });
}
