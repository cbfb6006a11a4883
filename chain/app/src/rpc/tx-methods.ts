/** Methods about transactions and the application. */
import { toBase64 } from '@mu/lib/bytes';
import { CheckTxType, type ExecTxResult, type ResponseCheckTx } from 'cosmjs-types/tendermint/abci/types';
import { txHash } from '../engine/block.ts';
import { infoRequest } from '../engine/handshake.ts';
import { Query } from '../engine/query/query.ts';
import type { CommittedTx, SoloEngine } from '../engine/solo-engine.ts';
import { hex } from './go-json.ts';
import { isDescending, maxQueryLength, method, pageOf, perPageOf, type RpcContext, type RpcMethod } from './method.ts';
import { infoJson, queryJson } from './node-shapes.ts';
import { foundTxJson, txResultJson } from './result-shapes.ts';

/** Calls of broadcast_tx_commit that may wait at a time; CometBFT bounds them by its subscribing clients. */
const maxWaitingCommits = 100;
const noResult: ExecTxResult = {
  code: 0,
  data: new Uint8Array(),
  log: '',
  info: '',
  gasWanted: 0n,
  gasUsed: 0n,
  events: [],
  codespace: '',
};

const noTx = new Uint8Array();

export const txMethods: Readonly<Record<string, RpcMethod>> = {
  // What the pool refuses is told; the application's verdict, which costs no wait in the same process, is not.
  broadcast_tx_async: method({ tx: 'bytes' }, async ({ engine }, { tx = noTx }) => {
    await engine.checkTx(tx);
    return broadcastJson(tx);
  }),

  broadcast_tx_sync: method({ tx: 'bytes' }, async ({ engine }, { tx = noTx }) =>
    broadcastJson(tx, await engine.checkTx(tx)),
  ),

  broadcast_tx_commit: method({ tx: 'bytes' }, (context, { tx = noTx }) => broadcastCommit(context, tx)),

  // It has no place in the pool's order, but an application's check state is one: it takes its turn.
  check_tx: method({ tx: 'bytes' }, async ({ engine }, { tx = noTx }) =>
    txResultJson(await engine.mempool.exclusively(async () => engine.app.checkTx({ tx, type: CheckTxType.NEW }))),
  ),

  tx: method(
    { hash: 'bytes', prove: 'bool' },
    ({ engine }, { hash = noTx, prove }) => {
      if (hash.length === 0) throw new Error('transaction hash cannot be empty');
      const found = foundJson(engine, hash, prove ?? false);
      if (found === undefined) throw new Error(`tx (${hex(hash)}) not found`);
      return found;
    },
    () => true,
  ),

  tx_search: method(
    { query: 'string', prove: 'bool', page: 'int', per_page: 'int', order_by: 'string' },
    ({ engine }, { query, prove, page, per_page, order_by }) => {
      if ((query ?? '').length > maxQueryLength) throw new Error('maximum query length exceeded');
      const found = engine.store.txs.searchTxs(Query.parse(query ?? ''));
      const hashes = isDescending(order_by, false) ? found.reverse() : found;
      const txs = pageOf(hashes, page, per_page).flatMap((hash) => foundJson(engine, hash, prove ?? false) ?? []);
      return { txs, total_count: hashes.length.toString() };
    },
  ),

  unconfirmed_txs: method({ limit: 'int' }, ({ engine }, { limit }) => {
    const txs = engine.mempool.list(perPageOf(limit));
    return { ...poolJson(engine, txs.length), txs: txs.map(toBase64) };
  }),

  num_unconfirmed_txs: method({}, ({ engine }) => ({ ...poolJson(engine, engine.mempool.size), txs: null })),

  abci_info: method({}, async ({ engine }) => infoJson(await engine.app.info(infoRequest))),

  abci_query: method(
    { path: 'string', data: 'hex', height: 'int', prove: 'bool' },
    async ({ engine }, { path = '', data = noTx, height = 0n, prove = false }) =>
      queryJson(await engine.app.query({ path, data, height, prove })),
  ),

  broadcast_evidence: method({ evidence: 'json' }, (_, { evidence }) => {
    if (evidence === undefined) throw new Error('no evidence was provided');
    throw new Error('failed to add evidence: the embedded engine has one validator and takes no evidence against it');
  }),
};

function broadcastJson(tx: Uint8Array, response?: ResponseCheckTx): object {
  return {
    code: response?.code ?? 0,
    data: hex(response?.data ?? noTx),
    log: response?.log ?? '',
    codespace: response?.codespace ?? '',
    hash: hex(txHash(tx)),
  };
}

function poolJson({ mempool }: SoloEngine, count: number): object {
  return { n_txs: count.toString(), total: mempool.size.toString(), total_bytes: mempool.bytes.toString() };
}

function foundJson({ store }: SoloEngine, hash: Uint8Array, isProved: boolean): object | undefined {
  const found = store.txs.get(hash);
  if (found === undefined) return undefined;
  const block = isProved ? store.block(found.height)?.data.txs : undefined;
  return foundTxJson({ ...found, ...(block !== undefined && { block }) });
}

const waitingCommits = new WeakMap<SoloEngine, number>();

async function broadcastCommit(context: RpcContext, tx: Uint8Array): Promise<object> {
  const { engine } = context;
  const waiting = waitingCommits.get(engine) ?? 0;
  if (waiting >= maxWaitingCommits) throw new Error(`max_subscription_clients ${maxWaitingCommits} reached`);
  waitingCommits.set(engine, waiting + 1);
  const hash = txHash(tx);
  const { committed, cancel } = engine.whenCommitted(hash);
  try {
    const checked = await engine.checkTx(tx).catch((error: Error) => {
      throw new Error(`error on broadcastTxCommit: ${error.message}`);
    });
    const outcome = checked.code === 0 ? await withTimeout(committed, context.commitTimeoutMs) : undefined;
    return {
      check_tx: txResultJson(checked),
      tx_result: txResultJson(outcome?.result ?? noResult),
      hash: hex(hash),
      height: (outcome?.height ?? 0n).toString(),
    };
  } finally {
    cancel();
    waitingCommits.set(engine, (waitingCommits.get(engine) ?? 1) - 1);
  }
}

async function withTimeout(committed: Promise<CommittedTx>, timeoutMs: number): Promise<CommittedTx> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('timed out waiting for tx to be included in a block')), timeoutMs);
  try {
    return await Promise.race([committed, late]);
  } finally {
    clearTimeout(timer);
  }
}
