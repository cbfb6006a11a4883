/** Events of moving coins; names and attributes are the SDK's, wallets and explorers read them. */
import type { Context } from '@mu/framework/context';
import { type Coin, coinsToString } from '@mu/lib/amounts';

export function emitSpent(ctx: Context, spender: string, coins: readonly Coin[]): void {
  ctx.events.emit('coin_spent', [
    ['spender', spender],
    ['amount', coinsToString(coins)],
  ]);
}

export function emitReceived(ctx: Context, receiver: string, coins: readonly Coin[]): void {
  ctx.events.emit('coin_received', [
    ['receiver', receiver],
    ['amount', coinsToString(coins)],
  ]);
}

export function emitMinted(ctx: Context, minter: string, coins: readonly Coin[]): void {
  ctx.events.emit('coinbase', [
    ['minter', minter],
    ['amount', coinsToString(coins)],
  ]);
}

export function emitBurnt(ctx: Context, burner: string, coins: readonly Coin[]): void {
  ctx.events.emit('burn', [
    ['burner', burner],
    ['amount', coinsToString(coins)],
  ]);
}

export function emitTransfer(
  ctx: Context,
  transfer: { readonly recipient: string; readonly sender: string; readonly coins: readonly Coin[] },
): void {
  ctx.events.emit('transfer', [
    ['recipient', transfer.recipient],
    ['sender', transfer.sender],
    ['amount', coinsToString(transfer.coins)],
  ]);
}

/** The event by which transactions of a sender are found. */
export function emitSender(ctx: Context, sender: string): void {
  ctx.events.emit('message', [['sender', sender]]);
}
