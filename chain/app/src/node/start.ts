/** Starts a node by the engine that its config names. */
import type { NodeConfig } from './config.ts';
import { driveCometbft } from './drive-cometbft.ts';
import { driveSolo } from './drive-solo.ts';
import type { Home } from './home.ts';
import { nodeLog } from './log.ts';
import type { RunningNode } from './running-node.ts';

export type { RunningNode } from './running-node.ts';

/** @throws Error that says what is wrong with the home folder, and what to do */
export async function startNode(home: Home, config: NodeConfig): Promise<RunningNode> {
  const log = nodeLog(config);
  return config.engine.kind === 'cometbft' ? driveCometbft(home, config, log) : driveSolo(home, config, log);
}
