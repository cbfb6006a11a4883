/**
 * A small real application for tests: `key=value` transactions over a map that survives restarts in a file written
 * at commit. Its app hash covers height and content; its blocks can be refused or broken on purpose.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Application } from '@mu/abci/application';
import {
  CheckTxType,
  type Event,
  ExecTxResult,
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  type RequestCheckTx,
  type RequestExtendVote,
  type RequestFinalizeBlock,
  type RequestInitChain,
  type RequestPrepareProposal,
  type RequestQuery,
  ResponseApplySnapshotChunk,
  ResponseCheckTx,
  type ResponseCommit,
  ResponseExtendVote,
  ResponseFinalizeBlock,
  ResponseInfo,
  ResponseInitChain,
  ResponseListSnapshots,
  ResponseLoadSnapshotChunk,
  ResponseOfferSnapshot,
  type ResponsePrepareProposal,
  type ResponseProcessProposal,
  ResponseQuery,
  ResponseVerifyVoteExtension,
  type ValidatorUpdate,
} from 'cosmjs-types/tendermint/abci/types';
import type { ConsensusParams } from 'cosmjs-types/tendermint/types/params';

interface Saved {
  height: number;
  hash: string;
  values: Record<string, string>;
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

export class KvStoreApp implements Application {
  saved: Saved = { height: 0, hash: '', values: {} };
  pending: Saved | undefined;
  /** Every block that was executed, in order. */
  readonly executed: RequestFinalizeBlock[] = [];
  readonly prepared: RequestPrepareProposal[] = [];
  readonly genesis: RequestInitChain[] = [];
  /** heights whose votes it was asked to extend */
  readonly extended: bigint[] = [];
  readonly checks: { tx: string; isRecheck: boolean }[] = [];
  refusesProposals = false;
  nextValidatorUpdates: ValidatorUpdate[] = [];
  nextParams: ConsensusParams | undefined;
  retainHeight = 0n;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    if (existsSync(path)) this.saved = JSON.parse(readFileSync(path, 'utf8')) as Saved;
  }

  info(): ResponseInfo {
    return ResponseInfo.fromPartial({
      data: 'kv',
      version: '1.0.0',
      appVersion: 3n,
      lastBlockHeight: BigInt(this.saved.height),
      lastBlockAppHash: Buffer.from(this.saved.hash, 'hex'),
    });
  }

  initChain(request: RequestInitChain): ResponseInitChain {
    this.genesis.push(request);
    this.saved.values = {};
    return ResponseInitChain.fromPartial({ appHash: Buffer.from(hashOf(0, {}), 'hex') });
  }

  checkTx({ tx, type }: RequestCheckTx): ResponseCheckTx {
    this.checks.push({ tx: text(tx), isRecheck: type === CheckTxType.RECHECK });
    const [key = '', value] = text(tx).split('=');
    if (value === undefined) return ResponseCheckTx.fromPartial({ code: 2, codespace: 'kv', log: 'no = in <tx>' });
    if (this.saved.values[key] === 'final') return ResponseCheckTx.fromPartial({ code: 3, log: 'final' });
    return ResponseCheckTx.fromPartial({ gasWanted: key === 'gas' ? BigInt(value) : 1n });
  }

  prepareProposal(request: RequestPrepareProposal): ResponsePrepareProposal {
    this.prepared.push(request);
    return { txs: request.txs.filter((tx) => !text(tx).startsWith('skip=')) };
  }

  processProposal(): ResponseProcessProposal {
    return { status: this.refusesProposals ? ProposalStatus.REJECT : ProposalStatus.ACCEPT };
  }

  finalizeBlock(request: RequestFinalizeBlock): ResponseFinalizeBlock {
    this.executed.push(request);
    const values = { ...this.saved.values };
    const txResults = request.txs.map((tx) => this.#execute(text(tx), values));
    const height = Number(request.height);
    this.pending = { height, hash: hashOf(height, values), values };
    const response = ResponseFinalizeBlock.fromPartial({
      txResults,
      events: [event('block', { parity: height % 2 === 0 ? 'even' : 'odd', txs: String(txResults.length) })],
      validatorUpdates: this.nextValidatorUpdates,
      appHash: Buffer.from(this.pending.hash, 'hex'),
    });
    if (this.nextParams !== undefined) response.consensusParamUpdates = this.nextParams;
    this.nextValidatorUpdates = [];
    this.nextParams = undefined;
    return response;
  }

  #execute(tx: string, values: Record<string, string>): ExecTxResult {
    const [key = '', value = ''] = tx.split('=');
    if (value.startsWith('fail')) return ExecTxResult.fromPartial({ code: 7, codespace: 'kv', log: 'asked to fail' });
    values[key] = value;
    const events = [event('set', { key, value }), event('set', { key: 'second', value: 'other' })];
    return ExecTxResult.fromPartial({ data: Buffer.from(value), gasWanted: 1n, gasUsed: 1n, events });
  }

  commit(): ResponseCommit {
    if (this.pending === undefined) throw new Error('nothing to commit');
    this.saved = this.pending;
    this.pending = undefined;
    writeFileSync(this.#path, JSON.stringify(this.saved));
    return { retainHeight: this.retainHeight };
  }

  query({ data, path, height }: RequestQuery): ResponseQuery {
    if (path !== '/key') return ResponseQuery.fromPartial({ code: 6, codespace: 'sdk', log: `unknown path ${path}` });
    const value = this.saved.values[text(data)] ?? '';
    const at = height === 0n ? BigInt(this.saved.height) : height;
    return ResponseQuery.fromPartial({ key: data, value: Buffer.from(value), height: at });
  }

  extendVote({ height }: RequestExtendVote): ResponseExtendVote {
    this.extended.push(height);
    return ResponseExtendVote.fromPartial({ voteExtension: Buffer.from(`said ${height}`) });
  }
  verifyVoteExtension(): ResponseVerifyVoteExtension {
    return ResponseVerifyVoteExtension.fromPartial({});
  }
  listSnapshots(): ResponseListSnapshots {
    return ResponseListSnapshots.fromPartial({});
  }
  offerSnapshot(): ResponseOfferSnapshot {
    return ResponseOfferSnapshot.fromPartial({});
  }
  loadSnapshotChunk(): ResponseLoadSnapshotChunk {
    return ResponseLoadSnapshotChunk.fromPartial({});
  }
  applySnapshotChunk(): ResponseApplySnapshotChunk {
    return ResponseApplySnapshotChunk.fromPartial({});
  }
}

function event(type: string, attributes: Record<string, string>): Event {
  return { type, attributes: Object.entries(attributes).map(([key, value]) => ({ key, value, index: true })) };
}

function hashOf(height: number, values: Record<string, string>): string {
  return createHash('sha256')
    .update(JSON.stringify([height, Object.entries(values).sort()]))
    .digest('hex');
}
