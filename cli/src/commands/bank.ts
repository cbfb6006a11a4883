/** mucli tx bank …, mucli query bank …: coins. */

import { parseCoins } from '@mu/lib/amounts';
import { fromBech32 } from '@mu/lib/bech32';
import { table } from '@mu/lib/columns';
import { usageError } from '../errors.ts';
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
  const listed = QueryAllBalancesResponse.decode(await client.query('/cosmos.bank.v1beta1.Query/AllBalances', data));
  const verified = await session.verified();
  // The list says which denominations there are, the proofs how much of each; of an empty one the base denomination is
  // proved absent.
  const denoms = [...new Set([...listed.balances.map(({ denom }) => denom), session.config.denom])].toSorted();
  const amounts = await Promise.all(
    denoms.map(async (denom) => ({ denom, amount: (await verified.balance(of, denom)).toString() })),
  );
  const balances = amounts.filter(({ amount }) => amount !== '0');
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
