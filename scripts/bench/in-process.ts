/** What benches of the application alone have in common: a chain after its first block, and sends that must succeed. */
import { defaultAppState, type MuApp } from '@mu/app/mu-app';
import { newGenesis } from '@mu/app/node/genesis';
import { utf8 } from '@mu/lib/bytes';
import { RequestFinalizeBlock, RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { funded, type Wallet } from './sends.ts';

export const chainId = 'mu-bench';

/** Commits the first block of a chain in which the wallets have coins. */
export function beginChain({ app }: Pick<MuApp, 'app'>, wallets: readonly Wallet[]): void {
  const appState = defaultAppState({ bech32Prefix: 'mu', denom: 'umu' });
  const empty = newGenesis({ chainId, time: '2026-01-01T00:00:00Z', validators: [], appState });
  const appStateBytes = utf8(JSON.stringify(funded(empty, wallets).app_state));
  app.initChain(RequestInitChain.fromPartial({ chainId, initialHeight: 1n, appStateBytes }));
  app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 1n }));
  app.commit();
}

/** @throws Error with the log of the first that failed */
export function requireSuccess(answers: readonly { readonly code: number; readonly log: string }[]): void {
  const failed = answers.find(({ code }) => code !== 0);
  if (failed !== undefined) throw new Error(`a send failed: ${failed.log}`);
}
