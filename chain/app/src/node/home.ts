/** The folder of a node, laid out as CometBFT's: config/ is the operator's, data/ is the node's. */
import { join } from 'node:path';

export interface Home {
  readonly root: string;
  readonly config: string;
  /** CometBFT's own config, where it shares the folder */
  readonly cometConfig: string;
  readonly genesis: string;
  readonly validatorKey: string;
  readonly validatorState: string;
  readonly nodeKey: string;
  /** committed state of the application */
  readonly state: string;
  /** snapshots of the state for peers */
  readonly snapshots: string;
  /** blocks, results and the transaction index of the embedded engine */
  readonly engine: string;
}

export function homeAt(root: string): Home {
  return {
    root,
    config: join(root, 'config', 'mud.toml'),
    cometConfig: join(root, 'config', 'config.toml'),
    genesis: join(root, 'config', 'genesis.json'),
    validatorKey: join(root, 'config', 'priv_validator_key.json'),
    nodeKey: join(root, 'config', 'node_key.json'),
    validatorState: join(root, 'data', 'priv_validator_state.json'),
    state: join(root, 'data', 'state'),
    snapshots: join(root, 'data', 'snapshots'),
    engine: join(root, 'data', 'engine'),
  };
}
