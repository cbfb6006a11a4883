/**
 * The embedded engine one block back, as `cometbft rollback` (state/rollback.go): its state becomes the one before the last
 * block; the block stays and is executed again at the next start.
 */
import type { State } from './state.ts';
import type { EngineStore } from './store.ts';

/** @returns the height at which the engine's state is now @throws Error when there is no earlier state */
export function rollbackEngine(store: EngineStore): bigint {
  const state = store.state();
  if (state === undefined || state.lastBlockHeight === 0n) throw new Error('the engine has made no block yet');
  // A crash came between the block and its state: the block is executed again as it is.
  if (store.height === state.lastBlockHeight + 1n) return state.lastBlockHeight;
  const earlier = stateBefore(store, state);
  store.goBackTo(earlier);
  return earlier.lastBlockHeight;
}

function stateBefore(store: EngineStore, state: State): State {
  const height = state.lastBlockHeight;
  const header = store.meta(height)?.header;
  const before = store.meta(height - 1n)?.header;
  if (header === undefined || before === undefined)
    throw new Error(`block ${height - 1n} is not there: a chain cannot go back behind its first block`);
  const [lastValidators, validators, nextValidators] = [height - 1n, height, height + 1n].map((at) =>
    required(store.validators(at), `the validators of block ${at}`),
  ) as [State['validators'], State['validators'], State['validators']];
  return {
    ...state,
    appVersion: header.version.app,
    lastBlockHeight: height - 1n,
    lastBlockId: header.lastBlockId,
    lastBlockTime: before.time,
    lastValidators,
    validators,
    nextValidators,
    consensusParams: required(store.consensusParams(height), `the consensus parameters of block ${height}`),
    // What a block led to stands in the header of the next.
    lastResultsHash: header.lastResultsHash,
    appHash: header.appHash,
  };
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`${what} are not stored`);
  return value;
}
