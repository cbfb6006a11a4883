/** A small application for the framework's own tests: MsgSend writes `amount` under the receiver's address. */
import { toBech32 } from '@mu/lib/bech32';
import { registry } from '@mu/proto/registry';
import { MsgSend, MsgSendResponse } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { AuthInfo, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { RequestFinalizeBlock, RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { ConsensusParams } from 'cosmjs-types/tendermint/types/params';
import type { AnteStep } from '../src/ante.ts';
import { BaseApp, type BaseAppOptions } from '../src/base-app.ts';
import type { FullConsensusParams, ParamStore } from '../src/consensus-params.ts';
import type { Context } from '../src/context.ts';
import { errInsufficientFunds } from '../src/errors.ts';
import { GasMeter } from '../src/gas.ts';
import type { Handlers } from '../src/message-registry.ts';
import type { AppModule } from '../src/module.ts';
import { MemoryCommitStore } from '../src/store/memory-commit-store.ts';

export const alice = toBech32('mu', new Uint8Array(20).fill(1));
export const bob = toBech32('mu', new Uint8Array(20).fill(2));
export const reserved = new Uint8Array(20).fill(9);

const service = {
  fullName: 'cosmos.bank.v1beta1.Msg',
  methods: { send: { name: 'Send', requestType: MsgSend, responseType: MsgSendResponse } },
};

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
export const stored = (ctx: Context, address: string): string =>
  new TextDecoder().decode(ctx.store('toy').get(bytes(address)));

/** Amount 13 fails after having written and emitted, 66 is a fault of the program. */
const handlers: Handlers<typeof service.methods> = {
  send(ctx, message) {
    const amount = message.amount[0]?.amount ?? '0';
    ctx.store('toy').set(bytes(message.toAddress), bytes(amount));
    ctx.events.emit('sent', [['amount', amount]]);
    if (amount === '13') throw errInsufficientFunds.wrap('13 is unlucky');
    if (amount === '66') throw new TypeError('a fault');
    return MsgSendResponse.fromPartial({});
  },
};

export const toyModule: AppModule = {
  name: 'toy',
  storeName: 'toy',
  consensusVersion: 1n,
  invariants: [],
  genesis: {
    defaults: () => ({}),
    validate: () => undefined,
    init: (ctx) => ctx.store('toy').set(bytes('genesis'), bytes('1')),
    export: () => ({}),
  },
  registerMsgs: (messages) => messages.registerMsgs(service, handlers),
  registerQueries: () => undefined,
};

/** Charges 100 gas of the transaction's limit. */
const ante: AnteStep = {
  name: 'meter',
  run(ctx, tx) {
    const gas = new GasMeter(tx.authInfo.fee.gasLimit);
    const metered = ctx.with({ gas });
    gas.consume(100n, 'meter');
    ctx.events.emit('tx', [['fee', '0']]);
    return metered;
  },
};

/** Consensus parameters under one key of the toy's store. */
export const toyParams: ParamStore = {
  get: (ctx) => ConsensusParams.decode(ctx.store('toy').get(bytes('params')) as Uint8Array) as FullConsensusParams,
  set: (ctx, params) => ctx.store('toy').set(bytes('params'), ConsensusParams.encode(params).finish()),
};

export function toyApp(options: Partial<BaseAppOptions> = {}): BaseApp {
  return new BaseApp({
    name: 'toy',
    version: '1',
    store: new MemoryCommitStore(['app', 'toy']),
    modules: [toyModule],
    descriptors: registry,
    ante: [ante],
    params: toyParams,
    ...options,
  });
}

export function initialized(options: Partial<BaseAppOptions> = {}, maxGas = -1n): BaseApp {
  const app = toyApp(options);
  app.initChain(
    RequestInitChain.fromPartial({
      chainId: 'toy-1',
      appStateBytes: bytes('{}'),
      initialHeight: 1n,
      consensusParams: { block: { maxBytes: 2_000_000n, maxGas } },
    }),
  );
  return app;
}

export interface TxOptions {
  readonly gas?: bigint;
  readonly from?: string;
  readonly signatures?: number;
  readonly memo?: string;
}

export function sendAny(amount: string, from = alice): Any {
  const message = MsgSend.fromPartial({ fromAddress: from, toAddress: bob, amount: [{ denom: 'umu', amount }] });
  return { typeUrl: '/cosmos.bank.v1beta1.MsgSend', value: MsgSend.encode(message).finish() };
}

export function encodeTx(messages: readonly Any[], options: TxOptions = {}): Uint8Array {
  return TxRaw.encode({
    bodyBytes: TxBody.encode(TxBody.fromPartial({ messages: [...messages], memo: options.memo ?? '' })).finish(),
    authInfoBytes: AuthInfo.encode(AuthInfo.fromPartial({ fee: { gasLimit: options.gas ?? 100_000n } })).finish(),
    signatures: Array.from({ length: options.signatures ?? 1 }, () => new Uint8Array(64)),
  }).finish();
}

export const send = (amount: string, options: TxOptions = {}): Uint8Array =>
  encodeTx([sendAny(amount, options.from)], options);

export function block(app: BaseApp, height: bigint, txs: readonly Uint8Array[]): ReturnType<BaseApp['finalizeBlock']> {
  const answer = app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, txs: [...txs] }));
  app.commit();
  return answer;
}
