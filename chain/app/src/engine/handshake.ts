/**
 * The start of the engine, as CometBFT's handshake (consensus/replay.go): asks the application how far it is, gives it
 * genesis or the blocks it lacks, and goes on with a block that a crash interrupted.
 */
import type { Application } from '@mu/abci/application';
import { equalBytes, toHex, utf8 } from '@mu/lib/bytes';
import { blockProtocol } from '@mu/lib/comet-header';
import type { Block } from 'cosmjs-types/tendermint/types/block';
import { cometVersion, p2pProtocol } from './block.ts';
import type { BlockExecutor, IdentifiedBlock } from './executor.ts';
import type { GenesisDoc } from './genesis.ts';
import { genesisState, type State, stateAfterInitChain } from './state.ts';
import type { EngineStore } from './store.ts';
import { ValidatorSet } from './validator-set.ts';

/** Engine, store and application do not belong together; starting would fork the chain. */
export class HandshakeError extends Error {
  override readonly name = 'HandshakeError';
}

/** How the engine introduces itself to the application. */
export const infoRequest = {
  version: cometVersion,
  blockVersion: blockProtocol,
  p2pVersion: p2pProtocol,
  abciVersion: '2.0.0',
};

/** What a handshake works on. */
export interface HandshakeParts {
  app: Application;
  store: EngineStore;
  executor: BlockExecutor;
  genesis: GenesisDoc;
}

/** The state from which the next block is made. @throws HandshakeError */
export async function handshake(parts: HandshakeParts): Promise<State> {
  const { app, store, genesis } = parts;
  const info = await app.info(infoRequest);
  let state = store.state() ?? genesisState(genesis);
  if (state.chainId !== genesis.chainId) {
    throw new HandshakeError(`the stored blocks are of chain ${state.chainId}, genesis is of ${genesis.chainId}`);
  }
  if (state.lastBlockHeight === 0n) state = { ...state, appVersion: info.appVersion };
  let appHash = info.lastBlockAppHash;
  if (info.lastBlockHeight === 0n) {
    const response = await initChain(app, genesis);
    appHash = response.appHash;
    if (state.lastBlockHeight === 0n) {
      state = stateAfterInitChain(state, response);
      store.saveGenesisState(state);
    }
  }
  checkHeights(info.lastBlockHeight, state, store);
  return catchUp(parts, state, { height: info.lastBlockHeight, hash: appHash });
}

function initChain(app: Application, genesis: GenesisDoc) {
  return app.initChain({
    time: genesis.genesisTime,
    chainId: genesis.chainId,
    consensusParams: genesis.consensusParams,
    // In the order of a validator set, as CometBFT sends them.
    validators: ValidatorSet.from(genesis.validators).validators.map(({ pubKey, votingPower }) => ({
      pubKey,
      power: votingPower,
    })),
    appStateBytes: appStateBytes(genesis),
    initialHeight: genesis.initialHeight,
  });
}

function appStateBytes(genesis: GenesisDoc): Uint8Array {
  if (genesis.appStateBytes !== undefined) return genesis.appStateBytes();
  return genesis.appState === undefined ? new Uint8Array() : utf8(JSON.stringify(genesis.appState));
}

function checkHeights(appHeight: bigint, state: State, store: EngineStore): void {
  if (appHeight > store.height) {
    throw new HandshakeError(
      `the application is at height ${appHeight} and the block store only at ${store.height}: the two data folders do not belong together`,
    );
  }
  if (store.height < state.lastBlockHeight || store.height > state.lastBlockHeight + 1n) {
    if (!(state.lastBlockHeight === 0n && store.height === state.initialHeight)) {
      throw new HandshakeError(
        `the block store is at height ${store.height} and the engine's state at ${state.lastBlockHeight}: the data folder is damaged`,
      );
    }
  }
  if (store.height > 0n && firstMissing(appHeight, state) < store.base) {
    throw new HandshakeError(
      `the application is at height ${appHeight} and needs the next block, but the oldest one kept is ${store.base}: restore a snapshot of the application`,
    );
  }
}

function firstMissing(appHeight: bigint, state: State): bigint {
  return appHeight === 0n ? state.initialHeight : appHeight + 1n;
}

/** Where the application stands. */
interface AppPosition {
  height: bigint;
  hash: Uint8Array;
}

async function catchUp(parts: HandshakeParts, state: State, app: AppPosition): Promise<State> {
  const { store, executor } = parts;
  const interrupted = store.height > state.lastBlockHeight ? stored(store, store.height) : undefined;
  if (interrupted !== undefined && app.height === store.height) {
    // It was committed and only the engine's state is missing.
    const response = store.response(store.height);
    if (response === undefined)
      throw new HandshakeError(`the results of block ${store.height} are missing from the store`);
    const { state: next } = executor.finish(state, interrupted, response);
    requireAppHash(app.hash, next.appHash, next.lastBlockHeight);
    return next;
  }
  let appHash = app.hash;
  for (let height = firstMissing(app.height, state); height <= state.lastBlockHeight; height++) {
    const { block } = stored(store, height);
    requireAppHash(appHash, block.header.appHash, height - 1n);
    appHash = await executor.replay(block, lastValidators(store, block, state));
  }
  // Before the first block the application's hash is what InitChain gave, or the one of genesis.
  if (state.lastBlockHeight > 0n) requireAppHash(appHash, state.appHash, state.lastBlockHeight);
  if (interrupted === undefined) return state;
  const { state: next } = await executor.execute(state, interrupted, (commit) => commit());
  return next;
}

function lastValidators(store: EngineStore, { header }: Block, { initialHeight }: State): ValidatorSet {
  if (header.height === initialHeight) return new ValidatorSet([]);
  const set = store.validators(header.height - 1n);
  if (set === undefined)
    throw new HandshakeError(`the validators of block ${header.height - 1n} are missing from the store`);
  return set;
}

function stored(store: EngineStore, height: bigint): IdentifiedBlock {
  const block = store.block(height);
  const meta = store.meta(height);
  if (block === undefined || meta === undefined) throw new HandshakeError(`block ${height} is missing from the store`);
  return { block, blockId: meta.blockId };
}

function requireAppHash(actual: Uint8Array, expected: Uint8Array, height: bigint): void {
  if (equalBytes(actual, expected)) return;
  const [is, was] = [actual, expected].map((hash) => toHex(hash).toUpperCase());
  throw new HandshakeError(
    `app hash mismatch at height ${height}: the application has ${is}, the chain has ${was}. The application's data or program is not the one that made these blocks`,
  );
}
