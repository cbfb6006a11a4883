/** Messages of the bank: ladders of guards in the SDK's order, then the keeper. */
import { authorityOf } from '@mu/framework/chain-constants';
import type { Context } from '@mu/framework/context';
import {
  errInvalidAddress,
  errInvalidAuthority,
  errInvalidCoins,
  errInvalidRequest,
  errUnauthorized,
} from '@mu/framework/errors';
import type { Handlers } from '@mu/framework/message-registry';
import { addCoins, areCoinsValid, type Coin, coinsToString, isDenom } from '@mu/lib/amounts';
import { fromBech32 } from '@mu/lib/bech32';
import type { Input, Output } from 'cosmjs-types/cosmos/bank/v1beta1/bank';
import { errInputOutputMismatch, errMultipleSenders, errNoInputs, errNoOutputs } from './errors.ts';
import type { BankKeeper } from './keeper.ts';
import { validateParams } from './params.ts';
import type { msgService } from './services.ts';
import { deleteSendEnabled, setParams, setSendEnabled } from './state.ts';

export function createMsgServer(keeper: BankKeeper): Handlers<(typeof msgService)['methods']> {
  return {
    send(ctx, { fromAddress, toAddress, amount }) {
      const from = parse(ctx, fromAddress, 'invalid from address');
      const to = parse(ctx, toAddress, 'invalid to address');
      requirePositive(amount);
      keeper.requireSendEnabled(ctx, amount);
      requireUnblocked(keeper, to, toAddress);
      keeper.send(ctx, from, to, amount);
      return {};
    },
    multiSend(ctx, { inputs, outputs }) {
      const [input] = inputs;
      if (input === undefined) throw errNoInputs.bare();
      if (inputs.length !== 1) throw errMultipleSenders.bare();
      if (outputs.length === 0) throw errNoOutputs.bare();
      requireBalanced(ctx, input, outputs);
      keeper.requireSendEnabled(ctx, input.coins);
      for (const { address } of outputs)
        requireUnblocked(keeper, parse(ctx, address, 'invalid output address'), address);
      keeper.sendToMany(ctx, input, outputs);
      return {};
    },
    updateParams(ctx, message) {
      requireAuthority(ctx, message.authority);
      try {
        validateParams(message.params);
      } catch (error) {
        throw errInvalidRequest.wrap(error instanceof Error ? error.message : 'invalid parameters');
      }
      setParams(ctx, message.params);
      return {};
    },
    setSendEnabled(ctx, message) {
      requireAuthority(ctx, message.authority);
      const seen = new Set<string>();
      for (const { denom } of message.sendEnabled) {
        if (seen.has(denom)) throw errInvalidRequest.wrap(`duplicate denom entries found for "${denom}"`);
        seen.add(denom);
        requireDenom(denom, 'SendEnabled');
      }
      for (const denom of message.useDefaultFor) requireDenom(denom, 'UseDefaultFor');
      for (const entry of message.sendEnabled) setSendEnabled(ctx, entry);
      for (const denom of message.useDefaultFor) deleteSendEnabled(ctx, denom);
      return {};
    },
  };
}

/** @throws AbciError invalid address (7) */
function parse(ctx: Context, address: string, what: string): Uint8Array {
  try {
    return fromBech32(address, ctx.chain.bech32Prefix);
  } catch (error) {
    throw errInvalidAddress.wrap(`${what}: ${error instanceof Error ? error.message : 'not an address'}`);
  }
}

/** @throws AbciError invalid coins (10): unsorted, twice one denomination, none, not above 0, above 256 bits */
function requirePositive(coins: readonly Coin[]): void {
  if (coins.length === 0 || !areCoinsValid(coins)) throw errInvalidCoins.wrap(coinsToString(coins));
}

/** @throws AbciError unauthorized (4) */
function requireUnblocked(keeper: BankKeeper, receiver: Uint8Array, text: string): void {
  if (keeper.isBlocked(receiver)) throw errUnauthorized.wrap(`${text} is not allowed to receive funds`);
}

/** @throws AbciError when a side is not valid, or what goes in is not what comes out */
function requireBalanced(ctx: Context, input: Input, outputs: readonly Output[]): void {
  parse(ctx, input.address, 'invalid input address');
  requirePositive(input.coins);
  let total: Coin[] = [];
  for (const output of outputs) {
    parse(ctx, output.address, 'invalid output address');
    requirePositive(output.coins);
    total = addCoins(total, output.coins);
  }
  if (coinsToString(total) !== coinsToString(input.coins)) throw errInputOutputMismatch.bare();
}

function requireAuthority(ctx: Context, given: string): void {
  const expected = authorityOf(ctx.chain);
  if (given !== expected) throw errInvalidAuthority.wrap(`invalid authority; expected ${expected}, got ${given}`);
}

function requireDenom(denom: string, where: string): void {
  if (!isDenom(denom)) throw errInvalidRequest.wrap(`invalid ${where} denom "${denom}": invalid denom: ${denom}`);
}
