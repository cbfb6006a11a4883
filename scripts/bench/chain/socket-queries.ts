/** Balances asked of the application itself, on a connection beside CometBFT's four: what of a query's time is its own. */
import { AbciClient } from '@mu/abci/client';
import { QueryBalanceRequest } from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { RequestQuery } from 'cosmjs-types/tendermint/abci/types';
import { percentile } from '../figures.ts';
import type { Side } from './side.ts';

/** Asks one after the other until the work is done. @returns milliseconds, the 99th of 100 @throws Error for a refusal */
export async function socketQueryP99(side: Side, account: Uint8Array, work: Promise<unknown>): Promise<number> {
  const client = await AbciClient.connect(side.abci);
  const request = RequestQuery.fromPartial({ path: '/cosmos.bank.v1beta1.Query/Balance', data: account });
  const times: number[] = [];
  let isWorking = true;
  const ended = work.finally(() => (isWorking = false));
  // Whoever began the work learns of its failure.
  ended.catch(() => undefined);
  while (isWorking) {
    const began = performance.now();
    const { code, log } = await client.query(request);
    times.push(performance.now() - began);
    if (code !== 0) throw new Error(`a query was refused: ${log}`);
  }
  client.close();
  return percentile(times, 0.99);
}

export function balanceRequest(address: string, denom: string): Uint8Array {
  return QueryBalanceRequest.encode({ address, denom }).finish();
}
