/** One story of the whole market, told the same way each time: what the golden figures and the copies of a chain are made of. */
import type { ExecTxResult } from 'cosmjs-types/tendermint/abci/types';
import { type Market, usageWindow } from './market.ts';

/** What a step of the story came to. */
export interface Step {
  readonly name: string;
  readonly result: ExecTxResult;
}

/**
 * Two deployments: one is bid for, matched, confirmed, metered and cancelled, the other one is left alone by its provider.
 * Refused transactions are part of it.
 */
export async function tell(market: Market): Promise<Step[]> {
  const { chain, who } = market;
  const steps: Step[] = [];
  const note = async (name: string, result: Promise<ExecTxResult>): Promise<void> => {
    steps.push({ name, result: await result });
  };
  const entered = await market.register();
  const names = ['register', 'publish prices', 'add node'].flatMap((what) => Array<string>(3).fill(what));
  for (const [at, result] of entered.entries()) steps.push({ name: names[at] as string, result });
  await note('deploy', market.deploy(1n));
  await note('bid of the dear one', market.bid(who.dear, 1n, '10.25'));
  await note('bid of the cheap one', market.bid(who.cheap, 1n, '9.25'));
  await note('bid from elsewhere', market.bid(who.remote, 1n, '9'));
  await chain.block();
  await note('bid after the match', market.bid(who.dear, 1n, '9'));
  await note('confirmation', market.confirm(1n, who.cheap));
  await note('usage report', market.report(1n, who.cheap, { to: chain.height }));
  await note(
    'usage report of a wrong key',
    market.report(1n, who.cheap, nextReport(market, { signedBy: who.dear.node })),
  );
  await note('second deploy', market.deploy(2n, { persist: true }));
  await note('second bid', market.bid(who.dear, 2n, '10'));
  // Only the first lease is confirmed on; the second one goes stale.
  while (chain.height < 45n) {
    await chain.to(chain.height + 8n);
    await note('confirmation', market.confirm(1n, who.cheap));
  }
  await note('cancel', market.cancel(1n));
  await chain.to(chain.height + usageWindow + 1n);
  await note('second cancel', market.cancel(2n));
  await chain.to(chain.height + usageWindow + 1n);
  return steps;
}

/** A second report of the first lease, up to the block that is committed. */
function nextReport(market: Market, options: { signedBy: Market['who']['dear']['node'] }) {
  const { height } = market.chain;
  return { sequence: 2n, from: height, to: height, ...options };
}
