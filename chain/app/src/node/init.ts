/** Makes the home folder of a new chain with this node as its validator. */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Json } from '@mu/framework/module';
import { toHex } from '@mu/lib/bytes';
import { publicKeyToAmino } from '../engine/keys.ts';
import { loadOrCreateNodeKey, loadOrCreateValidator } from '../engine/private-validator.ts';
import { defaultAppState } from '../mu-app.ts';
import { loadConfig, renderConfig } from './config.ts';
import { newGenesis, writeGenesis } from './genesis.ts';
import type { Home } from './home.ts';

export interface InitOptions {
  readonly chainId: string;
  readonly moniker: string;
  readonly prefix: string;
  readonly denom: string;
  /** RFC 3339 */
  readonly time: string;
  /** settings by dotted key, as `--set` gives them */
  readonly settings: Readonly<Record<string, string>>;
}

/** @throws Error when the folder holds a node already: nothing is overwritten */
export function initHome(home: Home, options: InitOptions): { readonly nodeId: string; readonly validator: string } {
  for (const file of [home.genesis, home.config, home.validatorKey]) {
    if (existsSync(file)) throw new Error(`${file} exists: this folder holds a node already; choose another --home`);
  }
  for (const file of [home.config, home.validatorState]) mkdirSync(dirname(file), { recursive: true });
  const validator = loadOrCreateValidator({ key: home.validatorKey, state: home.validatorState });
  const { id: nodeId } = loadOrCreateNodeKey(home.nodeKey);
  const address = toHex(validator.address).toUpperCase();
  const appState = defaultAppState({ bech32Prefix: options.prefix, denom: options.denom });
  const genesis = newGenesis({
    chainId: options.chainId,
    time: options.time,
    validators: [
      {
        address,
        pub_key: publicKeyToAmino({ ed25519: validator.publicKey }) as {
          type: 'tendermint/PubKeyEd25519';
          value: string;
        },
        power: '10',
        name: options.moniker,
      },
    ],
    appState: appState as { [module: string]: Json },
  });
  const config = loadConfig(home.config, {}, { 'node.moniker': options.moniker, ...options.settings });
  writeGenesis(home.genesis, genesis);
  writeFileSync(home.config, renderConfig(config));
  return { nodeId, validator: address };
}
