/** All that can be known to be wrong with a genesis before a chain begins from it, each with its path. */
import { readConstants } from '@mu/framework/chain-constants';
import { cometProblem, genesisConsensusParams, starvation } from '@mu/framework/consensus-params';
import type { Json } from '@mu/framework/module';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { fromBech32 } from '@mu/lib/bech32';
import { toHex, utf8 } from '@mu/lib/bytes';
import { addressOfKey } from '@mu/lib/comet-validators';
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

/** From so many accounts on a chain in memory would take gigabytes. */
const manyAccounts = 200_000;

/** CometBFT's bound on the sum of powers (types/validator_set.go). */
const maxTotalPower = (2n ** 63n - 1n) / 8n;

/** @param nowMs milliseconds since 1970 */
export function checkGenesis(genesis: Genesis, nowMs: number): GenesisFindings {
  const errors: string[] = [];
  const warnings: string[] = [];
  const attempt = <T>(check: () => T): T | undefined => {
    try {
      return check();
    } catch (error) {
      errors.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const doc = attempt(() => parseGenesis(genesis));
  if (doc !== undefined) errors.push(...validatorProblems(doc), ...paramProblems(doc));
  const constants = attempt(() => readConstants(genesis.chain_id, genesis.app_state));
  errors.push(...moduleProblems(genesis.app_state));
  if (constants !== undefined) errors.push(...prefixProblems(genesis.app_state, constants.bech32Prefix));
  warnings.push(...missingModules(genesis.app_state));
  if (Date.parse(genesis.genesis_time) > nowMs)
    warnings.push(`genesis_time: ${genesis.genesis_time} has not come yet: the first block waits for it`);
  // Beginning a chain in memory finds whatever the checks of single modules do not.
  if (isLarge(genesis.app_state))
    warnings.push('app_state is too large to begin a chain in memory: its parts were checked');
  else if (errors.length === 0 && doc !== undefined) attempt(() => beginInMemory(doc, genesis.app_state));
  return { errors, warnings };
}

/** @throws GenesisError with all that is wrong */
export function requireValid(genesis: Genesis, nowMs: number, file: string): readonly string[] {
  const { errors, warnings } = checkGenesis(genesis, nowMs);
  if (errors.length > 0)
    throw new GenesisError(`${file} is no genesis:\n${errors.map((one) => `  ${one}`).join('\n')}`);
  return warnings;
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

function moduleProblems(state: Genesis['app_state']): string[] {
  const modules = muModules();
  const known = ['app', ...modules.map(({ name }) => name)];
  const problems = Object.keys(state)
    .filter((name) => !known.includes(name))
    .map((name) => `app_state.${name}: there is no such module; there are ${known.join(', ')}`);
  for (const { name, genesis } of modules) {
    const json = state[name];
    if (json === undefined) continue;
    try {
      genesis.validate(json);
    } catch (error) {
      problems.push(`app_state.${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return problems;
}

function missingModules(state: Genesis['app_state']): string[] {
  return muModules()
    .filter(({ name }) => state[name] === undefined)
    .map(({ name }) => `app_state.${name} is missing: the module begins with its defaults`);
}

/** Accounts and balances are of this chain. Of many only the first is named. */
function prefixProblems(state: Genesis['app_state'], prefix: string): string[] {
  return [
    ['auth', 'accounts'],
    ['bank', 'balances'],
  ].flatMap(([module = '', key = '']) => {
    const list = (state[module] as { [key: string]: Json } | undefined)?.[key];
    if (!Array.isArray(list)) return [];
    const at = list.findIndex((one) => !isOfChain(one, prefix));
    return at === -1 ? [] : [`app_state.${module}.${key}[${at}]: its address does not begin with ${prefix}1`];
  });
}

/** What has no plain address is the module's own affair. */
function isOfChain(one: Json, prefix: string): boolean {
  const address = (one as { address?: Json } | null)?.address;
  if (typeof address !== 'string') return true;
  try {
    fromBech32(address, prefix);
    return true;
  } catch {
    return false;
  }
}

function isLarge(state: Genesis['app_state']): boolean {
  const { accounts } = (state['auth'] ?? {}) as { accounts?: Json };
  return Array.isArray(accounts) && accounts.length > manyAccounts;
}

function beginInMemory(doc: GenesisDoc, state: Genesis['app_state']): void {
  const app = createMuApp({ store: new MemoryCommitStore(muStoreNames) });
  app.initChain(
    RequestInitChain.fromPartial({
      time: doc.genesisTime,
      chainId: doc.chainId,
      consensusParams: doc.consensusParams,
      initialHeight: doc.initialHeight,
      appStateBytes: utf8(JSON.stringify(state)),
    }),
  );
}
