/**
 * The genesis document: CometBFT's form (`consensus_params` and `validators` at the top) and the SDK's AppGenesis form
 * (`consensus.params`, `consensus.validators`), which are both in use. Written in CometBFT's.
 */
import { fromHex, toHex } from '@mu/lib/bytes';
import { addressOfKey } from '@mu/lib/comet-validators';
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { PublicKey } from 'cosmjs-types/tendermint/crypto/keys';
import { type ConsensusParams, checkConsensusParams, defaultConsensusParams } from './consensus-params.ts';
import { asInteger, asList, asObject, asText } from './json-values.ts';
import { publicKeyFromAmino, publicKeyToAmino } from './keys.ts';
import { formatTime, parseTime } from './time.ts';

const maxChainIdLength = 50;

/** A validator of the first block. */
export interface GenesisValidator {
  pubKey: PublicKey;
  power: bigint;
  name: string;
}

/** From what a chain begins. */
export interface GenesisDoc {
  genesisTime: Timestamp;
  chainId: string;
  initialHeight: bigint;
  consensusParams: ConsensusParams;
  validators: GenesisValidator[];
  appHash: Uint8Array;
  /** The application's part, any JSON value; undefined where there is none. */
  appState: unknown;
  /** The same as it is stored, where that is at hand: a large one need not be read and written again. */
  appStateBytes?: () => Uint8Array;
}

/** @throws Error with the place of the first problem */
export function parseGenesis(json: unknown): GenesisDoc {
  const doc = asObject(json, 'genesis');
  const nested = doc['consensus'] === undefined ? doc : asObject(doc['consensus'], 'genesis.consensus');
  const chainId = asText(doc['chain_id'], 'genesis.chain_id');
  if (chainId === '' || chainId.length > maxChainIdLength) {
    throw new Error(`genesis.chain_id must have 1 to ${maxChainIdLength} characters`);
  }
  const initialHeight = asInteger(doc['initial_height'], 'genesis.initial_height', 0n);
  if (initialHeight < 0n) throw new Error(`genesis.initial_height cannot be negative (got ${initialHeight})`);
  const genesisTime = parseTime(asText(doc['genesis_time'], 'genesis.genesis_time'));
  if (genesisTime === undefined) throw new Error('genesis.genesis_time must be a time such as 2026-01-01T00:00:00Z');
  const consensusParams = readConsensusParams(nested['consensus_params'] ?? nested['params']);
  checkConsensusParams(consensusParams);
  return {
    genesisTime,
    chainId,
    initialHeight: initialHeight === 0n ? 1n : initialHeight,
    consensusParams,
    validators: asList(nested['validators'], 'genesis.validators').map(readValidator),
    appHash: fromHex(asText(doc['app_hash'], 'genesis.app_hash', '')),
    appState: doc['app_state'],
  };
}

function readValidator(json: unknown, index: number): GenesisValidator {
  const place = `genesis.validators[${index}]`;
  const object = asObject(json, place);
  const pubKey = publicKeyFromAmino(object['pub_key'], `${place}.pub_key`);
  const power = asInteger(object['power'], `${place}.power`);
  if (power <= 0n) throw new Error(`${place}.power must be above 0`);
  const address = asText(object['address'], `${place}.address`, '');
  const expected = toHex(addressOfKey(pubKey));
  if (address !== '' && address.toLowerCase() !== expected) {
    throw new Error(`${place}.address does not belong to its key, it should be ${expected.toUpperCase()}`);
  }
  return { pubKey, power, name: asText(object['name'], `${place}.name`, '') };
}

/** Parameters of a genesis document; what is missing has CometBFT's default. */
function readConsensusParams(json: unknown): ConsensusParams {
  const defaults = defaultConsensusParams();
  if (json === undefined || json === null) return defaults;
  const root = asObject(json, 'genesis.consensus_params');
  const part = (name: string): Record<string, unknown> =>
    root[name] === undefined || root[name] === null ? {} : asObject(root[name], `genesis.consensus_params.${name}`);
  const integer = (section: string, name: string, otherwise: bigint): bigint =>
    asInteger(part(section)[name], `genesis.consensus_params.${section}.${name}`, otherwise);
  const nanosPerSecond = 1_000_000_000n;
  const { seconds } = defaults.evidence.maxAgeDuration;
  const age = integer('evidence', 'max_age_duration', seconds * nanosPerSecond);
  const types = asList(part('validator')['pub_key_types'], 'genesis.consensus_params.validator.pub_key_types');
  return {
    block: {
      maxBytes: integer('block', 'max_bytes', defaults.block.maxBytes),
      maxGas: integer('block', 'max_gas', defaults.block.maxGas),
    },
    evidence: {
      maxAgeNumBlocks: integer('evidence', 'max_age_num_blocks', defaults.evidence.maxAgeNumBlocks),
      maxAgeDuration: { seconds: age / nanosPerSecond, nanos: Number(age % nanosPerSecond) },
      maxBytes: integer('evidence', 'max_bytes', defaults.evidence.maxBytes),
    },
    validator: types.length === 0 ? defaults.validator : { pubKeyTypes: types.map((type) => asText(type, 'key type')) },
    version: { app: integer('version', 'app', 0n) },
    abci: { voteExtensionsEnableHeight: integer('abci', 'vote_extensions_enable_height', 0n) },
  };
}

/** Parameters in the JSON of the RPC and of genesis files. */
export function consensusParamsJson({ block, evidence, validator, version, abci }: ConsensusParams): object {
  const { seconds, nanos } = evidence.maxAgeDuration;
  return {
    block: { max_bytes: block.maxBytes.toString(), max_gas: block.maxGas.toString() },
    evidence: {
      max_age_num_blocks: evidence.maxAgeNumBlocks.toString(),
      max_age_duration: (seconds * 1_000_000_000n + BigInt(nanos)).toString(),
      max_bytes: evidence.maxBytes.toString(),
    },
    validator: { pub_key_types: validator.pubKeyTypes },
    version: { app: version.app.toString() },
    abci: { vote_extensions_enable_height: abci.voteExtensionsEnableHeight.toString() },
  };
}

/** The document in CometBFT's form. */
export function genesisJson(doc: GenesisDoc): object {
  const validators = doc.validators.map(({ pubKey, power, name }) => ({
    address: toHex(addressOfKey(pubKey)).toUpperCase(),
    pub_key: publicKeyToAmino(pubKey),
    power: power.toString(),
    name,
  }));
  return {
    genesis_time: formatTime(doc.genesisTime),
    chain_id: doc.chainId,
    initial_height: doc.initialHeight.toString(),
    consensus_params: consensusParamsJson(doc.consensusParams),
    ...(validators.length === 0 ? {} : { validators }),
    app_hash: toHex(doc.appHash).toUpperCase(),
    ...(doc.appState === undefined ? {} : { app_state: doc.appState }),
  };
}
