/** Starts a node by the engine that its config names. */
import type { NodeConfig } from './config.ts';
import { openDataFolder } from './data-folder.ts';
import { driveCometbft } from './drive-cometbft.ts';
import { driveSolo } from './drive-solo.ts';
import type { Home } from './home.ts';
import { nodeLog } from './log.ts';
import type { RunningNode } from './running-node.ts';

export type { RunningNode } from './running-node.ts';

/** @throws Error that says what is wrong with the home folder, and what to do */
export async function startNode(home: Home, config: NodeConfig): Promise<RunningNode> {
  const log = nodeLog(config);
  const folder = openDataFolder(home);
  try {
    const drive = config.engine.kind === 'cometbft' ? driveCometbft : driveSolo;
    const node = await drive(home, config, log);
    return { ...node, stop: () => node.stop().finally(() => folder.close()) };
  } catch (error) {
    folder.close();
    throw error;
  }
}
