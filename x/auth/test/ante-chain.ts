/** A chain of auth alone: messages are auth's own, fees go to a bank that only counts. */
import { type Context, type ExecMode, freshContext } from '@mu/framework/context';
import { errInsufficientFunds } from '@mu/framework/errors';
import { MessageRegistry } from '@mu/framework/message-registry';
import type { Json } from '@mu/framework/module';
import { BranchMultiStore } from '@mu/framework/store/branch-store';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { type Tx, TxDecoder } from '@mu/framework/tx';
import { runTx, type TxResult } from '@mu/framework/tx-runner';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { sha256 } from '@mu/lib/hashes';
import { registry } from '@mu/proto/registry';
import { MsgUpdateParams } from 'cosmjs-types/cosmos/auth/v1beta1/tx';
import { PubKey } from 'cosmjs-types/cosmos/crypto/secp256k1/keys';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import { AuthInfo, SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import secp256k1 from 'secp256k1';
import { type AnteOptions, createAnte } from '../src/ante.ts';
import { createAuthModule } from '../src/module.ts';
import { defaultParams } from '../src/params.ts';

export const prefix = 'mu';
export const chainId = 'ante-1';

export interface Key {
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: Uint8Array;
  readonly text: string;
}

export function keyOf(fill: number): Key {
  const secret = new Uint8Array(32).fill(fill);
  const publicKey = secp256k1.publicKeyCreate(secret, true);
  const address = secp256k1Address(publicKey);
  return { secret, publicKey, address, text: toBech32(prefix, address) };
}

export const alice = keyOf(1);
export const bob = keyOf(2);

/** What a transaction is made of; what is left out is right for the first one of alice. */
export interface TxOptions {
  readonly keys?: readonly Key[];
  readonly accountNumbers?: readonly bigint[];
  readonly sequence?: bigint;
  readonly gas?: bigint;
  readonly fee?: readonly { denom: string; amount: string }[];
  readonly granter?: string;
  readonly payer?: string;
  readonly memo?: string;
  readonly unordered?: boolean;
  readonly extensionOptions?: readonly Any[];
  readonly mode?: SignMode | undefined;
  /** instead of a single mode */
  readonly modeInfo?: object | null;
  readonly publicKey?: Any | null;
  readonly signers?: readonly Key[];
  /** changes the signatures before they are put in */
  readonly mangle?: (signatures: Uint8Array[]) => Uint8Array[];
}

function message({ text }: Key): Any {
  const value = MsgUpdateParams.encode({ authority: text, params: defaultParams() }).finish();
  return { typeUrl: MsgUpdateParams.typeUrl, value };
}

function signerInfo(options: TxOptions, key: Key): object {
  const own = {
    typeUrl: PubKey.typeUrl,
    value: PubKey.encode({ key: key.publicKey }).finish(),
  };
  const named = options.publicKey === undefined ? own : options.publicKey;
  const modeInfo =
    options.modeInfo === undefined ? { single: { mode: options.mode ?? SignMode.SIGN_MODE_DIRECT } } : options.modeInfo;
  return {
    ...(named === null ? {} : { publicKey: named }),
    ...(modeInfo === null ? {} : { modeInfo }),
    sequence: options.sequence ?? 0n,
  };
}

export function encodeTx(options: TxOptions = {}): Uint8Array {
  const keys = options.keys ?? [alice];
  const bodyBytes = TxBody.encode(
    TxBody.fromPartial({
      messages: (options.signers ?? keys).map(message),
      memo: options.memo ?? '',
      unordered: options.unordered ?? false,
      extensionOptions: [...(options.extensionOptions ?? [])],
    }),
  ).finish();
  const fee = {
    amount: [...(options.fee ?? [])],
    gasLimit: options.gas ?? 200_000n,
    granter: options.granter ?? '',
    payer: options.payer ?? '',
  };
  const signerInfos = keys.map((key) => signerInfo(options, key));
  const authInfoBytes = AuthInfo.encode(AuthInfo.fromPartial({ signerInfos, fee })).finish();
  const signatures = keys.map(({ secret }, at) => {
    const accountNumber = options.accountNumbers?.[at] ?? BigInt(at);
    const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber }).finish();
    return secp256k1.ecdsaSign(sha256(doc), secret).signature;
  });
  return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: options.mangle?.(signatures) ?? signatures }).finish();
}

function accountJson({ text }: Key, at: number): Json {
  return {
    '@type': '/cosmos.auth.v1beta1.BaseAccount',
    address: text,
    pub_key: null,
    account_number: at.toString(),
    sequence: '0',
  };
}

export interface AnteChainOptions extends Partial<Omit<AnteOptions, 'auth' | 'bank'>> {
  readonly blockGasLimit?: bigint;
  /** of genesis, instead of alice and bob */
  readonly accounts?: readonly Json[];
}

/** Accounts: alice is number 0, bob 1. Everybody has 1000 of every coin. */
export class AnteChain {
  readonly auth = createAuthModule({ moduleAccounts: { fee_collector: [], minter: ['minter'] } });
  readonly ctx: Context;
  /** fees that were taken, as payer and text */
  readonly fees: [string, string][] = [];
  readonly #decoder: TxDecoder;
  readonly #ante: ReturnType<typeof createAnte>;

  constructor(options: AnteChainOptions = {}) {
    const messages = new MessageRegistry(registry);
    this.auth.registerMsgs(messages);
    this.#decoder = new TxDecoder(registry, messages);
    const { blockGasLimit, accounts, ...rest } = options;
    this.#ante = createAnte({
      auth: this.auth.keeper,
      bank: {
        sendFromAccountToModule: (_ctx, from, _module, coins) => {
          if (coins.some(({ amount }) => BigInt(amount) > 1000n)) throw errInsufficientFunds.wrap('you have 1000');
          this.fees.push([from, coins.map(({ denom, amount }) => `${amount}${denom}`).join(',')]);
        },
      },
      ...rest,
    });
    this.ctx = freshContext({
      chain: { chainId, bech32Prefix: prefix, denom: 'umu' },
      block: { height: 5n, timeNs: 1_767_225_600_000_000_000n, proposer: new Uint8Array() },
      mode: 'check',
      stores: new BranchMultiStore(new MemoryCommitStore(['acc'])),
      blockGasLimit,
    });
    this.auth.genesis.init(this.ctx, {
      ...(this.auth.genesis.defaults() as { [key: string]: Json }),
      accounts: [...(accounts ?? [alice, bob].map(accountJson))],
    });
  }

  decode(raw: Uint8Array): Tx {
    return this.#decoder.decode(raw, prefix);
  }

  /** Runs the checks. In `check` and `recheck` the messages are not run. */
  run(options: TxOptions = {}, mode: ExecMode = 'check'): TxResult {
    return this.runRaw(encodeTx(options), mode);
  }

  runRaw(raw: Uint8Array, mode: ExecMode = 'check'): TxResult {
    const runner = { ante: this.#ante, reservedSigner: undefined };
    return runTx(runner, this.ctx.with({ mode }), this.decode(raw));
  }
}
