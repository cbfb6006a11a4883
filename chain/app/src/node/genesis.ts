/** The genesis file in CometBFT's form: made by `mud init`, extended by `mud genesis …`, checked before a start. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Json } from '@mu/framework/module';
import { addCoins, type Coin, parseCoins } from '@mu/lib/amounts';
import { fromBech32 } from '@mu/lib/bech32';

type JsonObject = { [key: string]: Json };

export interface Genesis {
  /** RFC 3339 */
  readonly genesis_time: string;
  readonly chain_id: string;
  readonly initial_height: string;
  readonly consensus_params: JsonObject;
  readonly validators: readonly GenesisValidator[];
  readonly app_hash: string;
  readonly app_state: { [module: string]: Json };
}

export interface GenesisValidator {
  /** upper-case hex */
  readonly address: string;
  readonly pub_key: { readonly type: 'tendermint/PubKeyEd25519'; readonly value: string };
  readonly power: string;
  readonly name: string;
}

/** A genesis file that is wrong, with the place and what to do. */
export class GenesisError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'GenesisError';
  }
}

/** 2 MB and a gas limit by default: what validators can carry (ASA-2023-002). */
export const defaultConsensusParams: JsonObject = {
  block: { max_bytes: '2097152', max_gas: '500000000' },
  evidence: { max_age_num_blocks: '100000', max_age_duration: '172800000000000', max_bytes: '1048576' },
  validator: { pub_key_types: ['ed25519'] },
  version: { app: '0' },
  abci: { vote_extensions_enable_height: '0' },
};

const chainIdPattern = /^[a-zA-Z0-9][a-zA-Z0-9_-]{0,49}$/;

export function newGenesis(options: {
  readonly chainId: string;
  readonly time: string;
  readonly validators: readonly GenesisValidator[];
  readonly appState: { [module: string]: Json };
}): Genesis {
  if (!chainIdPattern.test(options.chainId)) {
    throw new GenesisError(
      `"${options.chainId}" is no chain id: up to 50 of a–z, A–Z, 0–9, - and _, beginning with a letter or digit`,
    );
  }
  return {
    genesis_time: options.time,
    chain_id: options.chainId,
    initial_height: '1',
    consensus_params: defaultConsensusParams,
    validators: options.validators,
    app_hash: '',
    app_state: options.appState,
  };
}

const knownKeys = [
  'genesis_time',
  'chain_id',
  'initial_height',
  'consensus_params',
  'validators',
  'app_hash',
  'app_state',
];

/** @throws GenesisError for a file that is missing, no JSON, or has keys that nobody knows */
export function readGenesis(file: string): Genesis {
  if (!existsSync(file)) throw new GenesisError(`${file} does not exist: make it with \`mud init\``);
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new GenesisError(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed))
    throw new GenesisError(`${file} is not a JSON object`);
  for (const key of Object.keys(parsed)) {
    if (!knownKeys.includes(key))
      throw new GenesisError(`${file}: unknown key "${key}"; known: ${knownKeys.join(', ')}`);
  }
  const genesis = parsed as Genesis;
  if (typeof genesis.chain_id !== 'string' || !chainIdPattern.test(genesis.chain_id))
    throw new GenesisError(`${file}: chain_id is missing or malformed`);
  if (Number.isNaN(Date.parse(genesis.genesis_time)))
    throw new GenesisError(`${file}: genesis_time is no RFC 3339 time`);
  if (typeof genesis.app_state !== 'object' || genesis.app_state === null)
    throw new GenesisError(`${file}: app_state is missing`);
  return genesis;
}

export function writeGenesis(file: string, genesis: Genesis): void {
  writeFileSync(file, `${JSON.stringify(genesis, null, 2)}\n`);
}

/**
 * The genesis with an account and its coins; a second call for the same address is refused, so that a script run twice
 * does not double anybody's money.
 * @param coins like `1000umu`, several divided by commas
 * @throws GenesisError
 */
export function addAccount(genesis: Genesis, address: string, coins: string): Genesis {
  const app = (genesis.app_state['app'] ?? {}) as JsonObject;
  const prefix = (app['bech32_prefix'] as string | undefined) ?? 'mu';
  try {
    fromBech32(address, prefix);
  } catch (error) {
    throw new GenesisError(`"${address}" is no address of this chain: ${error instanceof Error ? error.message : ''}`);
  }
  const auth = structuredClone(genesis.app_state['auth'] ?? {}) as JsonObject & { accounts?: JsonObject[] };
  const bank = structuredClone(genesis.app_state['bank'] ?? {}) as JsonObject & {
    balances?: JsonObject[];
    supply?: Coin[];
  };
  const balances = bank.balances ?? [];
  if (balances.some((one) => one['address'] === address))
    throw new GenesisError(`${address} is in this genesis already`);
  const added = coinsOf(coins);
  auth.accounts = [
    ...(auth.accounts ?? []),
    { '@type': '/cosmos.auth.v1beta1.BaseAccount', address, pub_key: null, account_number: '0', sequence: '0' },
  ];
  bank.balances = [...balances, { address, coins: added as unknown as Json }];
  bank.supply = [...addCoins(bank.supply ?? [], added)];
  return { ...genesis, app_state: { ...genesis.app_state, auth, bank: bank as unknown as Json } };
}

function coinsOf(text: string): Coin[] {
  try {
    return [...parseCoins(text)];
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new GenesisError(
      `"${text}" is no list of coins: write amounts and denominations, like 1000umu,5other (${why})`,
    );
  }
}
