/** Bank sends signed by keys of this test, and what a stranger could make of them. */
import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { encodePubkey, makeAuthInfoBytes } from '@cosmjs/proto-signing';
import type { BaseApp } from '@mu/framework/base-app';
import { MemoryCommitStore } from '@mu/framework/store/memory-commit-store';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { utf8 } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { RequestFinalizeBlock, RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import secp256k1 from 'secp256k1';
import { createMuNodeApp, defaultAppState, type MuApp, muStoreNames } from '../../src/mu-app.ts';
import { addAccount, newGenesis } from '../../src/node/genesis.ts';

export const chainId = 'verify-1';
const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

export interface Wallet {
  readonly number: number;
  readonly secret: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: string;
}

export const wallets: readonly Wallet[] = Array.from({ length: 8 }, (_, number) => {
  const secret = sha256(utf8(`wallet ${number}`));
  const publicKey = secp256k1.publicKeyCreate(secret);
  return { number, secret, publicKey, address: toBech32('mu', secp256k1Address(publicKey)) };
});

/** What is wrong with a transaction. */
export type Flaw = 'none' | 'bit' | 'high-s' | 'short' | 'other-key' | 'other-chain' | 'cut' | 'no-signature';
export const flaws: readonly Flaw[] = [
  'none',
  'bit',
  'high-s',
  'short',
  'other-key',
  'other-chain',
  'cut',
  'no-signature',
];

/** A send of 1 umu to the next wallet. */
export function send(from: number, sequence: number, flaw: Flaw = 'none'): Uint8Array {
  const { address, publicKey, secret } = walletOf(from);
  const amount = [{ denom: 'umu', amount: '1' }];
  const value = MsgSend.encode({ fromAddress: address, toAddress: walletOf(from + 1).address, amount }).finish();
  const message = { typeUrl: '/cosmos.bank.v1beta1.MsgSend', value };
  const bodyBytes = TxBody.encode(TxBody.fromPartial({ messages: [message] })).finish();
  const pubkey = encodePubkey(encodeSecp256k1Pubkey(publicKey));
  const authInfoBytes = makeAuthInfoBytes([{ pubkey, sequence }], amount, 200_000, undefined, undefined);
  const doc = {
    bodyBytes,
    authInfoBytes,
    chainId: flaw === 'other-chain' ? 'verify-2' : chainId,
    accountNumber: BigInt(from % wallets.length),
  };
  const key = flaw === 'other-key' ? walletOf(from + 1).secret : secret;
  const { signature } = secp256k1.ecdsaSign(sha256(SignDoc.encode(doc).finish()), key);
  const signatures = flaw === 'no-signature' ? [] : [mangled(signature, flaw)];
  const raw = TxRaw.encode({ bodyBytes, authInfoBytes, signatures }).finish();
  return flaw === 'cut' ? raw.slice(0, -1) : raw;
}

function walletOf(number: number): Wallet {
  return wallets[number % wallets.length] as Wallet;
}

function mangled(signature: Uint8Array, flaw: Flaw): Uint8Array {
  if (flaw === 'bit') return signature.map((byte, at) => (at === 40 ? byte ^ 1 : byte));
  if (flaw === 'short') return signature.slice(1);
  if (flaw !== 'high-s') return signature;
  const s = order - BigInt(`0x${Buffer.from(signature.slice(32)).toString('hex')}`);
  return Uint8Array.from([...signature.slice(0, 32), ...Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
}

/** The chain after its first block, in which every wallet has coins. */
export function begin(): MuApp {
  const node = createMuNodeApp({ store: new MemoryCommitStore(muStoreNames) });
  initialize(node.app);
  node.app.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 1n }));
  node.app.commit();
  return node;
}

function initialize(app: BaseApp): void {
  const appState = defaultAppState({ bech32Prefix: 'mu', denom: 'umu' });
  const empty = newGenesis({ chainId, time: '2026-01-01T00:00:00Z', validators: [], appState });
  const genesis = wallets.reduce((before, { address }) => addAccount(before, address, '1000000umu'), empty);
  app.initChain(
    RequestInitChain.fromPartial({
      chainId,
      initialHeight: 1n,
      appStateBytes: utf8(JSON.stringify(genesis.app_state)),
      consensusParams: { block: { maxBytes: 2_097_152n, maxGas: 100_000_000n } },
    }),
  );
}
