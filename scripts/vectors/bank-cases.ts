/** The blocks of the bank vector: what is tried, one name for each transaction. */

import { moduleAddress } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { MsgMultiSend, MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { SignMode } from 'cosmjs-types/cosmos/tx/signing/v1beta1/signing';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import { highS, type TxParts, type Wallet } from './wallets.ts';

export type CaseTx = { readonly name: string; readonly parts: Omit<TxParts, 'chainId'> };

/**
 * One block, or one question on the state after the blocks before it. Where a block has several transactions of one
 * signer, all but those at its end must get as far as using up their sequence.
 */
export type Step =
  | { readonly kind: 'block'; readonly txs: readonly CaseTx[] }
  | { readonly kind: 'check' | 'recheck' | 'simulate'; readonly tx: CaseTx };

export interface Cast {
  readonly rich: Wallet;
  readonly poor: Wallet;
  readonly third: Wallet;
  /** has no account */
  readonly stranger: Wallet;
  readonly prefix: string;
}

type Coins = readonly (readonly [amount: string, denom: string])[];
const coin = ([amount, denom]: readonly [string, string]): { denom: string; amount: string } => ({ denom, amount });

export function send(from: string, to: string, ...coins: Coins): Any {
  const message = MsgSend.fromPartial({ fromAddress: from, toAddress: to, amount: coins.map(coin) });
  return { typeUrl: MsgSend.typeUrl, value: MsgSend.encode(message).finish() };
}

function multiSend(from: string, input: Coins, outputs: readonly (readonly [string, Coins])[], senders = 1): Any {
  const inputs = Array.from({ length: senders }, () => ({ address: from, coins: input.map(coin) }));
  const message = MsgMultiSend.fromPartial({
    inputs,
    outputs: outputs.map(([address, coins]) => ({ address, coins: coins.map(coin) })),
  });
  return { typeUrl: MsgMultiSend.typeUrl, value: MsgMultiSend.encode(message).finish() };
}

/** An address that nobody has the key of. */
function fresh(prefix: string, fill: number): string {
  return toBech32(prefix, new Uint8Array(20).fill(fill));
}

/** A block of its own for each transaction, so that each one's changes stand alone. */
const blocks = (...txs: CaseTx[]): Step[] => txs.map((tx) => ({ kind: 'block', txs: [tx] }));

export function bankSteps(cast: Cast): Step[] {
  return [...sends(cast), ...signatures(cast), ...gas(cast), ...envelopes(cast), ...badCoins(cast), ...several(cast)];
}

function sends({ rich, poor, prefix }: Cast): Step[] {
  const by = (name: string, to: string, ...coins: Coins): CaseTx => ({
    name,
    parts: { messages: [send(rich.address, to, ...coins)], signers: [rich] },
  });
  const poorBy = (name: string, ...coins: Coins): CaseTx => ({
    name,
    parts: { messages: [send(poor.address, rich.address, ...coins)], signers: [poor] },
  });
  return [
    ...blocks(by('send to a new account', fresh(prefix, 1), ['5', 'stake'])),
    ...blocks(by('send to an existing account', poor.address, ['1000', 'stake'])),
    ...blocks(poorBy('send more than there is', ['1000000000000', 'stake'])),
    ...blocks(by('send several coins', poor.address, ['3', 'atoken'], ['4', 'btoken'], ['5', 'stake'])),
    ...blocks(
      by('send the last coin of a denomination', fresh(prefix, 2), ['1000', 'ctoken']),
      by('send to oneself', rich.address, ['7', 'stake']),
      poorBy('send a coin that one has none of', ['1', 'ctoken']),
    ),
    ...blocks(
      by('send a frozen coin', poor.address, ['1', 'frozen']),
      by('send to a module', moduleText(prefix, 'fee_collector'), ['1', 'stake']),
    ),
    ...blocks(by('send to a module that may receive', moduleText(prefix, 'gov'), ['1', 'stake'])),
  ];
}

function moduleText(prefix: string, name: string): string {
  return toBech32(prefix, moduleAddress(name));
}

function signatures({ rich, poor, third, stranger }: Cast): Step[] {
  const messages = [send(rich.address, poor.address, ['1', 'stake'])];
  const by = (name: string, parts: Partial<TxParts>): CaseTx => ({
    name,
    parts: { messages, signers: [rich], ...parts },
  });
  return [
    ...blocks(by('sequence too high', { sequenceOffset: 1n }), by('sequence too low', { sequenceOffset: -1n })),
    ...blocks(
      by('signed for another chain', { signedChainId: 'other-1' }),
      by('signature with high s', { mangle: (all) => all.map(highS) }),
      by('signature too short', { mangle: (all) => all.map((one) => one.slice(1)) }),
      by('empty signature', { mangle: () => [new Uint8Array()] }),
    ),
    ...blocks(
      by('no signature', { mangle: () => [] }),
      by('two signatures of one signer', { mangle: ([one]) => [one as Uint8Array, one as Uint8Array] }),
      by('key of another', { keys: [poor.publicKey] }),
      by('without its key, which is known', { withoutKeys: true }),
      {
        name: 'without its key, which is not known',
        parts: { messages: [send(third.address, poor.address, ['1', 'stake'])], signers: [third], withoutKeys: true },
      },
      by('signer info of another mode', { mode: SignMode.SIGN_MODE_UNSPECIFIED }),
    ),
    ...blocks({
      name: 'signer without an account',
      parts: { messages: [send(stranger.address, rich.address, ['1', 'stake'])], signers: [stranger] },
    }),
  ];
}

function gas({ rich, poor, prefix }: Cast): Step[] {
  const by = (limit: bigint, name = `gas limit ${limit}`, to = poor.address): CaseTx => ({
    name,
    parts: { messages: [send(rich.address, to, ['1', 'stake'])], signers: [rich], gas: limit },
  });
  const limits = [1n, 1_500n, 10_000n, 20_000n, 30_000n, 40_000n, 50_000n, 60_000n, 70_000n];
  const full = Array.from({ length: 8 }, (_, at) => by(100_000n, `block gas, transaction ${at}`));
  return [
    ...blocks(by(0n)),
    ...blocks(...limits.slice(0, 5).map((limit) => by(limit))),
    ...blocks(...limits.slice(5).map((limit) => by(limit, `gas limit ${limit} to a new account`, fresh(prefix, 7)))),
    ...blocks(by(500_001n, 'gas limit above that of a block')),
    { kind: 'block', txs: full },
  ];
}

function envelopes({ rich, poor, third, stranger }: Cast): Step[] {
  const messages = [send(rich.address, poor.address, ['1', 'stake'])];
  const by = (name: string, parts: Partial<TxParts>): CaseTx => ({
    name,
    parts: { messages, signers: [rich], ...parts },
  });
  const fee = (amount: string, denom = 'stake'): Partial<TxParts> => ({ fee: [{ denom, amount }] });
  return [
    ...blocks(
      by('no fee', { fee: [] }),
      by('a fee of zero', fee('0')),
      by('a fee above the balance', fee('1000000000000000')),
      by('a fee below zero', fee('-1')),
      by('a fee without an amount', fee('')),
      by('a fee in an unsorted list', {
        fee: [
          { denom: 'stake', amount: '1' },
          { denom: 'atoken', amount: '1' },
        ],
      }),
    ),
    ...blocks(
      by('a memo', { memo: 'für Mu' }),
      by('a memo that is too long', { memo: 'm'.repeat(257) }),
      by('timeout height long past', { timeoutHeight: 2n }),
      by('timeout height far ahead', { timeoutHeight: 1_000_000n }),
      by('timeout timestamp long past', { timeoutSeconds: 1_000_000_000n }),
    ),
    ...blocks(
      by('somebody else pays', { signers: [rich, poor], payer: poor.address }),
      by('the payer does not sign', { payer: poor.address }),
      by('the payer has no account', { signers: [rich, stranger], payer: stranger.address }),
      by('the payer is no address', { payer: 'cosmos1nobody' }),
    ),
    { kind: 'check', tx: by('check', {}) },
    { kind: 'check', tx: by('check with too little fee', fee('1')) },
    { kind: 'check', tx: by('check with a wrong signature', { signedChainId: 'other-1' }) },
    {
      kind: 'simulate',
      tx: by('simulate', { mangle: () => [new Uint8Array()], mode: SignMode.SIGN_MODE_UNSPECIFIED, gas: 0n, fee: [] }),
    },
    {
      kind: 'simulate',
      tx: {
        name: 'simulate the first of an account',
        parts: {
          messages: [send(third.address, poor.address, ['1', 'stake'])],
          signers: [third],
          mangle: () => [new Uint8Array()],
          mode: SignMode.SIGN_MODE_UNSPECIFIED,
          gas: 0n,
          fee: [],
        },
      },
    },
    { kind: 'simulate', tx: by('simulate with a signature', {}) },
  ];
}

function badCoins({ rich, poor, third, prefix }: Cast): Step[] {
  const by = (name: string, to: string, ...coins: Coins): CaseTx => ({
    name,
    parts: { messages: [send(rich.address, to, ...coins)], signers: [rich] },
  });
  const to = poor.address;
  return [
    ...blocks(
      by('no coins', to),
      by('unsorted coins', to, ['1', 'stake'], ['1', 'atoken']),
      by('a denomination twice', to, ['1', 'stake'], ['1', 'stake']),
      by('nothing of a coin', to, ['0', 'stake']),
      by('less than nothing of a coin', to, ['-5', 'stake']),
    ),
    ...blocks(
      by('a denomination that is none', to, ['1', 'x']),
      by('2^256', to, [(2n ** 256n).toString(), 'stake']),
      by('2^256 - 1', to, [(2n ** 256n - 1n).toString(), 'stake']),
      by('an amount that is no number', to, ['many', 'stake']),
      by('receiver with a wrong checksum', `${to.slice(0, -1)}${to.endsWith('q') ? 'p' : 'q'}`, ['1', 'stake']),
      by('receiver of another chain', toBech32('other', new Uint8Array(20).fill(3)), ['1', 'stake']),
    ),
    ...blocks(
      by('receiver with an address of 32 bytes', toBech32(prefix, new Uint8Array(32).fill(4)), ['1', 'stake']),
      by('no receiver', '', ['1', 'stake']),
    ),
    ...blocks({
      name: 'the first transaction of an account',
      parts: { messages: [send(third.address, to, ['1', 'stake'])], signers: [third] },
    }),
  ];
}

function several({ rich, poor, third, prefix }: Cast): Step[] {
  const one = (amount: string): Any => send(rich.address, poor.address, [amount, 'stake']);
  const by = (name: string, messages: readonly Any[], signers: readonly Wallet[] = [rich]): CaseTx => ({
    name,
    parts: { messages, signers, gas: 250_000n },
  });
  return [
    ...blocks(by('two messages', [one('1'), send(rich.address, fresh(prefix, 5), ['2', 'stake'])])),
    ...blocks(by('the second message fails', [one('1'), one('1000000000000000')])),
    ...blocks(by('two signers', [one('1'), send(third.address, poor.address, ['1', 'stake'])], [rich, third])),
    ...blocks(
      by(
        'the signers in the wrong order',
        [one('1'), send(third.address, poor.address, ['1', 'stake'])],
        [third, rich],
      ),
    ),
    ...blocks(
      by('multi-send', [
        multiSend(
          rich.address,
          [
            ['3', 'atoken'],
            ['5', 'stake'],
          ],
          [
            [
              poor.address,
              [
                ['3', 'atoken'],
                ['1', 'stake'],
              ],
            ],
            [fresh(prefix, 6), [['4', 'stake']]],
          ],
        ),
      ]),
    ),
    ...blocks(
      by('multi-send that does not balance', [
        multiSend(rich.address, [['5', 'stake']], [[poor.address, [['4', 'stake']]]]),
      ]),
      by('multi-send without receivers', [multiSend(rich.address, [['5', 'stake']], [])]),
      by('multi-send of two inputs', [
        multiSend(rich.address, [['5', 'stake']], [[poor.address, [['10', 'stake']]]], 2),
      ]),
    ),
    ...blocks(by('no message', [])),
  ];
}
