/** Starts a node by the engine that its config names. */
import type { Logger } from 'pino';
import type { NodeConfig } from './config.ts';
import { openDataFolder } from './data-folder.ts';
import type { Home } from './home.ts';
import { nodeLog } from './log.ts';
import type { RunningNode } from './running-node.ts';

export type { RunningNode } from './running-node.ts';

/** @throws Error that says what is wrong with the home folder, and what to do */
export async function startNode(home: Home, config: NodeConfig): Promise<RunningNode> {
  const log = nodeLog(config);
  const folder = openDataFolder(home);
  try {
    const drive = config.engine.kind === 'cometbft' ? behindCometbft : alone;
    const node = await drive(home, config, log);
    return { ...node, stop: () => node.stop().finally(() => folder.close()) };
  } catch (error) {
    folder.close();
    throw error;
  }
}

/** The state machine is loaded on its thread while this one loads the rest. */
async function behindCometbft(home: Home, config: NodeConfig, log: Logger): Promise<RunningNode> {
  if (config.engine.proxy_app !== '')
    throw new Error('engine.proxy_app is what the engine solo drives: leave it empty where engine.kind is cometbft');
  const { startApplicationWorker } = await import('../threads/start-worker.ts');
  const started = startApplicationWorker({ home, config });
  try {
    const { driveCometbft } = await import('./drive-cometbft.ts');
    return await driveCometbft(started, home, config, log);
  } catch (error) {
    await started.worker.terminate();
    throw error;
  }
}

async function alone(home: Home, config: NodeConfig, log: Logger): Promise<RunningNode> {
  const { driveSolo } = await import('./drive-solo.ts');
  return driveSolo(home, config, log);
}
