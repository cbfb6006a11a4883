/** mucli tx bank …, mucli query bank …: coins. */
import { parseCoins } from '@mu/lib/amounts';
import { fromBech32 } from '@mu/lib/bech32';
import { usageError } from '../errors.ts';
import { table } from '../output.ts';
import type { Session } from '../session.ts';
import { reportTx } from './tx.ts';

export async function sendCoins(session: Session, to: string, amount: string): Promise<void> {
  try {
    fromBech32(to, session.config.bech32_prefix);
  } catch (error) {
    throw usageError(`"${to}" is no address of this chain: ${error instanceof Error ? error.message : ''}`);
  }
  const coins = readCoins(amount);
  const sender = await session.sender();
  const { MsgSend } = await import('cosmjs-types/cosmos/bank/v1beta1/tx');
  const value = MsgSend.fromPartial({ fromAddress: sender.address, toAddress: to, amount: [...coins] });
  reportTx(session, await sender.sendAndWait([{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value }]));
}

export async function showBalance(session: Session, address: string | undefined): Promise<void> {
  const client = await session.client();
  const of = address ?? (await session.address());
  const { QueryAllBalancesRequest, QueryAllBalancesResponse } = await import('cosmjs-types/cosmos/bank/v1beta1/query');
  const data = QueryAllBalancesRequest.encode(QueryAllBalancesRequest.fromPartial({ address: of })).finish();
  const { balances } = QueryAllBalancesResponse.decode(
    await client.query('/cosmos.bank.v1beta1.Query/AllBalances', data),
  );
  session.output.result({ address: of, balances }, () =>
    balances.length === 0
      ? `${of} has nothing`
      : table(
          ['AMOUNT', 'DENOMINATION'],
          balances.map((coin) => [coin.amount, coin.denom]),
        ),
  );
}

function readCoins(text: string): ReturnType<typeof parseCoins> {
  try {
    return parseCoins(text);
  } catch (error) {
    throw usageError(`"${text}" is no amount: write it like 1000umu (${error instanceof Error ? error.message : ''})`);
  }
}
