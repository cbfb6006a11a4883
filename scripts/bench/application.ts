/** The application alone, in this process: what it takes to check and to execute sends, without engine, RPC and load. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMuApp, defaultAppState, muStoreNames } from '@mu/app/mu-app';
import { newGenesis } from '@mu/app/node/genesis';
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import { utf8 } from '@mu/lib/bytes';
import { RequestCheckTx, RequestFinalizeBlock, RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { benchWallets, funded, signSends } from './sends.ts';

const chainId = 'mu-bench';

export interface ApplicationSpeed {
  readonly checksPerSecond: number;
  readonly executionsPerSecond: number;
  readonly commitMs: number;
}

/** Checks and executes so many sends of each wallet, in one block. @throws Error when one of them fails */
export async function measureApplication(walletCount: number, rounds: number): Promise<ApplicationSpeed> {
  const wallets = benchWallets(walletCount);
  const appState = defaultAppState({ bech32Prefix: 'mu', denom: 'umu' });
  const empty = newGenesis({ chainId, time: '2026-01-01T00:00:00Z', validators: [], appState });
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-'));
  const store = new LmdbCommitStore(folder, muStoreNames);
  const app = createMuApp({ store });
  const appStateBytes = utf8(JSON.stringify(funded(empty, wallets).app_state));
  app.initChain(RequestInitChain.fromPartial({ chainId, initialHeight: 1n, appStateBytes }));
  app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 1n }));
  app.commit();
  const perWallet = signSends(chainId, wallets, rounds);
  const txs = Array.from({ length: rounds }, (_, round) => perWallet.map((own) => own[round] as Uint8Array)).flat();
  const perSecond = (work: () => readonly { readonly code: number; readonly log: string }[]): number => {
    const start = performance.now();
    const failed = work().find(({ code }) => code !== 0);
    if (failed !== undefined) throw new Error(`a send failed: ${failed.log}`);
    return txs.length / ((performance.now() - start) / 1000);
  };
  const checksPerSecond = perSecond(() => txs.map((tx) => app.checkTx(RequestCheckTx.fromPartial({ tx }))));
  const executionsPerSecond = perSecond(
    () => app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 2n, txs })).txResults,
  );
  const start = performance.now();
  app.commit();
  const commitMs = performance.now() - start;
  await store.close();
  rmSync(folder, { recursive: true });
  return { checksPerSecond, executionsPerSecond, commitMs };
}
