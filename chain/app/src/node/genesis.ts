/** The genesis file: made by `mud init`, extended by `mud genesis …`, checked before a start. Written in CometBFT's form. */
import { existsSync, readFileSync } from 'node:fs';
import type { Json } from '@mu/framework/module';
import { addCoins, type Coin, parseCoins } from '@mu/lib/amounts';
import { fromBech32 } from '@mu/lib/bech32';
import { parseParts, printParts } from '@mu/lib/json-parts';
import { writeFileAtomically } from './files.ts';

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
  // The gas lets 10,000 confirmations of leases into a block, in messages of 500.
  block: { max_bytes: '2097152', max_gas: '600000000' },
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

const commonKeys = ['genesis_time', 'chain_id', 'initial_height', 'app_hash', 'app_state'];
/** CometBFT's form. */
const cometKeys = [...commonKeys, 'consensus_params', 'validators'];
/** The Cosmos SDK's AppGenesis: what concerns consensus stands in an object of its own. */
const sdkKeys = [...commonKeys, 'app_name', 'app_version', 'consensus'];

/**
 * Reads either form, gives CometBFT's.
 * @throws GenesisError for a file that is missing, no JSON, or has keys that nobody knows
 */
export function readGenesis(file: string): Genesis {
  return genesisOf(parseFile(file), file);
}

/** @param file for messages @throws GenesisError */
export function genesisOf(json: unknown, file: string): Genesis {
  const fields = requireObject(json, file);
  const isSdk = fields['consensus'] !== undefined;
  requireKnown(fields, isSdk ? sdkKeys : cometKeys, file);
  const genesis = (isSdk ? fromSdk(fields, file) : fields) as unknown as Genesis;
  if (typeof genesis.chain_id !== 'string' || !chainIdPattern.test(genesis.chain_id))
    throw new GenesisError(`${file}: chain_id is missing or malformed`);
  if (Number.isNaN(Date.parse(genesis.genesis_time)))
    throw new GenesisError(`${file}: genesis_time is no RFC 3339 time`);
  requireObject(genesis.app_state, `${file}: app_state`);
  return genesis;
}

export function writeGenesis(file: string, genesis: Genesis): void {
  writeFileAtomically(file, parts(genesis));
}

/**
 * The genesis with an account and its coins; a second call for the same address is refused, so that a script run twice
 * does not double anybody's money.
 * @param coins like `1000umu`, several divided by commas
 * @throws GenesisError
 */
export function addAccount(genesis: Genesis, address: string, coins: string): Genesis {
  requireAddress(address, prefixOf(genesis));
  const auth = structuredClone(genesis.app_state['auth'] ?? {}) as JsonObject & { accounts?: JsonObject[] };
  const bank = structuredClone(genesis.app_state['bank'] ?? {}) as JsonObject & {
    balances?: JsonObject[];
    supply?: Coin[];
  };
  const balances = bank.balances ?? [];
  if (balances.some((one) => one['address'] === address))
    throw new GenesisError(`${address} is in this genesis already`);
  const added = coinsOf(coins);
  auth.accounts = [...(auth.accounts ?? []), genesisAccount(address)];
  // The supply of before: it is the sum of the balances where none is stated.
  bank.supply = [...addCoins(supplyOf(bank), added)];
  bank.balances = [...balances, { address, coins: added as unknown as Json }];
  return { ...genesis, app_state: { ...genesis.app_state, auth, bank: bank as unknown as Json } };
}

/** The genesis whose chain obeys this account where it would obey governance. @throws GenesisError */
export function setAuthority(genesis: Genesis, address: string): Genesis {
  requireAddress(address, prefixOf(genesis));
  const app = { ...(genesis.app_state['app'] as JsonObject | undefined), authority: address };
  return { ...genesis, app_state: { ...genesis.app_state, app } };
}

/** The supply that is stated, else the sum of what the accounts have. */
function supplyOf({ supply = [], balances = [] }: { supply?: Coin[]; balances?: JsonObject[] }): readonly Coin[] {
  if (supply.length > 0) return supply;
  return balances.reduce<readonly Coin[]>((sum, { coins }) => addCoins(sum, coins as unknown as Coin[]), []);
}

/** An account that has signed nothing yet; numbers are given when the chain begins. */
export function genesisAccount(address: string): JsonObject {
  return { '@type': '/cosmos.auth.v1beta1.BaseAccount', address, pub_key: null, account_number: '0', sequence: '0' };
}

/** How addresses of the chain begin. */
export function prefixOf({ app_state: state }: Pick<Genesis, 'app_state'>): string {
  return ((state['app'] ?? {}) as { bech32_prefix?: string }).bech32_prefix ?? 'mu';
}

/** The bytes of an address. @throws GenesisError when it is not of this chain */
export function requireAddress(address: string, prefix: string): Uint8Array {
  try {
    return fromBech32(address, prefix);
  } catch (error) {
    throw new GenesisError(`"${address}" is no address of this chain: ${error instanceof Error ? error.message : ''}`);
  }
}

/** @param text like `1000umu,5other` @throws GenesisError */
export function coinsOf(text: string): Coin[] {
  try {
    return [...parseCoins(text)];
  } catch (error) {
    const why = error instanceof Error ? error.message : '';
    throw new GenesisError(
      `"${text}" is no list of coins: write amounts and denominations, like 1000umu,5other (${why})`,
    );
  }
}

function* parts(genesis: Genesis): IterableIterator<string> {
  yield* printParts(genesis);
  yield '\n';
}

/** A genesis file as it is. @throws GenesisError where there is none */
export function readGenesisBytes(file: string): Buffer {
  if (!existsSync(file)) throw new GenesisError(`${file} does not exist: make it with \`mud init\``);
  return readFileSync(file);
}

function parseFile(file: string): unknown {
  const bytes = readGenesisBytes(file);
  try {
    return parseParts(bytes);
  } catch (error) {
    throw new GenesisError(`${file} is not JSON: ${error instanceof Error ? error.message : ''}`);
  }
}

function fromSdk(fields: Record<string, unknown>, file: string): object {
  const consensus = requireObject(fields['consensus'], `${file}: consensus`);
  requireKnown(consensus, ['params', 'validators'], `${file}: consensus`);
  const common = Object.fromEntries(commonKeys.map((key) => [key, fields[key]]));
  return {
    ...common,
    // Go writes an absent hash as null, and the height as a number.
    app_hash: fields['app_hash'] ?? '',
    initial_height: String(fields['initial_height'] ?? '1'),
    consensus_params: consensus['params'] ?? {},
    validators: consensus['validators'] ?? [],
  };
}

function requireObject(json: unknown, place: string): Record<string, unknown> {
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new GenesisError(`${place} is not a JSON object`);
  return json as Record<string, unknown>;
}

function requireKnown(fields: Record<string, unknown>, known: readonly string[], place: string): void {
  const unknown = Object.keys(fields).find((key) => !known.includes(key));
  if (unknown !== undefined) throw new GenesisError(`${place}: unknown key "${unknown}"; known: ${known.join(', ')}`);
}
