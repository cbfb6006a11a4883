/** All that can be known to be wrong with a genesis before a chain begins from it, each with its path. */

import { AppState } from '@mu/framework/app-state';
import { readConstants } from '@mu/framework/chain-constants';
import { cometProblem, genesisConsensusParams, starvation } from '@mu/framework/consensus-params';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { toHex, utf8 } from '@mu/lib/bytes';
import { addressOfKey } from '@mu/lib/comet-validators';
import { messageOf } from '@mu/lib/error-message';
import { RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { type GenesisDoc, parseGenesis } from '../engine/genesis.ts';
import { createMuApp, muModules, muStoreNames } from '../mu-app.ts';
import { type Genesis, GenesisError } from './genesis.ts';

export interface GenesisFindings {
  /** no chain can begin from it */
  readonly errors: readonly string[];
  /** it can, and yet it may not be what is meant */
  readonly warnings: readonly string[];
}

/** From so large a state on, that of 200,000 accounts, a chain in memory would take gigabytes. */
const largeBytes = 50_000_000;

/** CometBFT's bound on the sum of powers (types/validator_set.go). */
const maxTotalPower = (2n ** 63n - 1n) / 8n;

/**
 * @param nowMs milliseconds since 1970
 * @param state of the genesis as it is stored, where it is not read with the rest
 */
export function checkGenesis(genesis: Genesis, nowMs: number, state = bytesOf(genesis)): GenesisFindings {
  const errors: string[] = [];
  const warnings: string[] = [];
  const attempt = <T>(check: () => T): T | undefined => {
    try {
      return check();
    } catch (error) {
      errors.push(messageOf(error));
      return undefined;
    }
  };
  const doc = attempt(() => parseGenesis(genesis));
  if (doc !== undefined) errors.push(...validatorProblems(doc), ...paramProblems(doc));
  const appState = attempt(() => new AppState(state));
  if (appState !== undefined) {
    const constants = attempt(() => readConstants(genesis.chain_id, { app: appState.get('app') ?? {} }));
    errors.push(...moduleProblems(appState));
    if (constants !== undefined) attempt(() => errors.push(...prefixProblems(appState, constants.bech32Prefix)));
    warnings.push(...missingModules(appState));
  }
  if (Date.parse(genesis.genesis_time) > nowMs)
    warnings.push(`genesis_time: ${genesis.genesis_time} has not come yet: the first block waits for it`);
  // Beginning a chain in memory finds whatever the checks of single modules do not.
  if (state.length > largeBytes)
    warnings.push('app_state is too large to begin a chain in memory: its parts were checked');
  else if (errors.length === 0 && doc !== undefined) attempt(() => beginInMemory(doc, state));
  return { errors, warnings };
}

/** @param state as of `checkGenesis` @throws GenesisError with all that is wrong */
export function requireValid(genesis: Genesis, nowMs: number, file: string, state?: Uint8Array): readonly string[] {
  const { errors, warnings } = checkGenesis(genesis, nowMs, state);
  if (errors.length > 0)
    throw new GenesisError(`${file} is no genesis:\n${errors.map((one) => `  ${one}`).join('\n')}`);
  return warnings;
}

function bytesOf({ app_state: state }: Genesis): Uint8Array {
  return utf8(JSON.stringify(state));
}

function validatorProblems({ validators }: GenesisDoc): string[] {
  if (validators.length === 0)
    return ['validators: there is none, and no block can be made: add one with `mud genesis add-validator`'];
  const problems: string[] = [];
  const seen = new Map<string, number>();
  let total = 0n;
  for (const [index, { pubKey, power }] of validators.entries()) {
    const address = toHex(addressOfKey(pubKey)).toUpperCase();
    const first = seen.get(address);
    if (first !== undefined)
      problems.push(`validators[${index}]: the key of validators[${first}] (${address}) stands here again`);
    seen.set(address, index);
    total += power;
  }
  if (total > maxTotalPower) problems.push(`validators: their power is ${total} together, at most ${maxTotalPower}`);
  return problems;
}

function paramProblems({ consensusParams }: GenesisDoc): string[] {
  const params = genesisConsensusParams(consensusParams);
  const problem = starvation(params) ?? cometProblem(params);
  return problem === undefined ? [] : [`consensus_params: ${problem}`];
}

function moduleProblems(state: AppState): string[] {
  const modules = muModules();
  const known = ['app', ...modules.map(({ name }) => name)];
  const problems = state.keys
    .filter((name) => !known.includes(name))
    .map((name) => `app_state.${name}: there is no such module; there are ${known.join(', ')}`);
  for (const module of modules) {
    try {
      state.validate(module);
    } catch (error) {
      problems.push(`app_state.${module.name}: ${messageOf(error)}`);
    }
  }
  return problems;
}

function missingModules(state: AppState): string[] {
  return muModules()
    .filter(({ name }) => !state.keys.includes(name))
    .map(({ name }) => `app_state.${name} is missing: the module begins with its defaults`);
}

/** Accounts and balances are of this chain. Of many only the first is named. */
function prefixProblems(state: AppState, prefix: string): string[] {
  return [
    ['auth', 'accounts'],
    ['bank', 'balances'],
  ].flatMap(([module = '', key = '']) => {
    let from = 0;
    for (const items of state.items(module, key)) {
      const at = items.findIndex((one) => !isOfChain(one, prefix));
      if (at !== -1) return [`app_state.${module}.${key}[${from + at}]: its address does not begin with ${prefix}1`];
      from += items.length;
    }
    return [];
  });
}

/** Whether an address is one at all the module says, and what has no plain address is the module's own affair. */
function isOfChain(one: unknown, prefix: string): boolean {
  const address = (one as { readonly address?: unknown } | null)?.address;
  if (typeof address !== 'string') return true;
  return address.toLowerCase().slice(0, address.lastIndexOf('1')) === prefix;
}

function beginInMemory(doc: GenesisDoc, appStateBytes: Uint8Array): void {
  const app = createMuApp({ store: new MemoryCommitStore(muStoreNames) });
  app.initChain(
    RequestInitChain.fromPartial({
      time: doc.genesisTime,
      chainId: doc.chainId,
      consensusParams: doc.consensusParams,
      initialHeight: doc.initialHeight,
      appStateBytes,
    }),
  );
}
