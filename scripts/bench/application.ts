/** The application alone, in this process: what it takes to check and to execute sends, without engine, RPC and load. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createMuNodeApp, type MuApp, muStoreNames } from '@mu/app/mu-app';
import { NodeApplication } from '@mu/app/node/node-application';
import { LmdbCommitStore } from '@mu/app/store/lmdb-store';
import { VerifyPool } from '@mu/app/verify/pool';
import { PreVerifier } from '@mu/app/verify/pre-verifier';
import type { Change } from '@mu/framework/store/kv-store';
import { CheckTxType, RequestFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import secp256k1 from 'secp256k1';
import { beginChain, chainId, requireSuccess } from './in-process.ts';
import { benchWallets, signSends, type Wallet } from './sends.ts';

/** As many checks as a client has under way, and a node takes together. */
const together = 64;

/**
 * What each step takes of this thread's processor time, in microseconds a send: processor time, since other programs share
 * the machine.
 */
export interface ApplicationCost {
  /** one verification by libsecp256k1, which is a part of `checkUs` */
  readonly verifyUs: number;
  readonly checkUs: number;
  /** the same where a thread beside verifies the signatures */
  readonly threadedCheckUs: number;
  readonly recheckUs: number;
  /** FinalizeBlock without the hashes of the trees */
  readonly executeUs: number;
  /** the hashes of the trees */
  readonly hashUs: number;
  readonly commitMs: number;
}

/** Counts what the trees take, to be told apart from the execution. */
class TimedStore extends LmdbCommitStore {
  hashUs = 0;

  override workingHash(height: bigint, changes: readonly Change[]): Uint8Array {
    const [hash, us] = timed(() => super.workingHash(height, changes));
    this.hashUs += us;
    return hash;
  }
}

function timed<T>(work: () => T): [T, number] {
  const start = process.threadCpuUsage();
  const result = work();
  const { user, system } = process.threadCpuUsage(start);
  return [result, user + system];
}

/** Checks, checks again and executes so many sends of each wallet, in one block. @throws Error when one of them fails */
export async function measureApplication(walletCount: number, rounds: number): Promise<ApplicationCost> {
  const wallets = benchWallets(walletCount);
  const perWallet = signSends(chainId, wallets, rounds);
  const txs = Array.from({ length: rounds }, (_, round) => perWallet.map((own) => own[round] as Uint8Array)).flat();
  const threadedCheckUs = await onChain(wallets, ({ node }) => checksBesideThread(node, txs));
  return onChain(wallets, async ({ node: { app }, store }) => {
    const check = (type: CheckTxType): number => {
      const [answers, us] = timed(() => txs.map((tx) => app.checkTx({ tx, type })));
      requireSuccess(answers);
      return us / txs.length;
    };
    const checkUs = check(CheckTxType.NEW);
    app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 2n }));
    app.commit();
    const recheckUs = check(CheckTxType.RECHECK);
    store.hashUs = 0;
    const [{ txResults }, us] = timed(() => app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 3n, txs })));
    requireSuccess(txResults);
    const [, commitUs] = timed(() => app.commit());
    const [executeUs, hashUs] = [(us - store.hashUs) / txs.length, store.hashUs / txs.length];
    const commitMs = commitUs / 1000;
    return { verifyUs: verification(), checkUs, threadedCheckUs, recheckUs, executeUs, hashUs, commitMs };
  });
}

/** Runs something on a chain after its first block, in which the wallets have coins. */
async function onChain<T>(
  wallets: readonly Wallet[],
  run: (on: { readonly node: MuApp; readonly store: TimedStore }) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-'));
  const store = new TimedStore(folder, muStoreNames);
  const node = createMuNodeApp({ store });
  beginChain(node, wallets);
  const result = await run({ node, store });
  await store.close();
  rmSync(folder, { recursive: true });
  return result;
}

async function checksBesideThread({ app, unverified }: MuApp, txs: readonly Uint8Array[]): Promise<number> {
  const pool = new VerifyPool({ threads: 1 });
  const application = new NodeApplication({ app, preVerifier: new PreVerifier({ unverified, pool }) });
  const start = process.threadCpuUsage();
  for (let at = 0; at < txs.length; at += together) {
    const checks = txs.slice(at, at + together).map((tx) => application.checkTx({ tx, type: CheckTxType.NEW }));
    requireSuccess(await Promise.all(checks));
  }
  const { user, system } = process.threadCpuUsage(start);
  await pool.close();
  return (user + system) / txs.length;
}

function verification(): number {
  const [secret, digest, times] = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(9), 2_000];
  const publicKey = secp256k1.publicKeyCreate(secret);
  const { signature } = secp256k1.ecdsaSign(digest, secret);
  const [, us] = timed(() => {
    for (let time = 0; time < times; time += 1) secp256k1.ecdsaVerify(signature, digest, publicKey);
  });
  return us / times;
}
