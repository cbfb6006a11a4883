/**
 * Shows the market alone, in a minute: two users, five providers, a chain of its own. Providers are accounts that sign
 * real transactions; nothing runs behind them. `./scripts/demo` shows the rest.
 */

import { parseArgs } from 'node:util';
import { messageOf } from '@mu/lib/error-message';
import { denom } from './lib/market-demo/actors.ts';
import { outcomeOf } from './lib/market-demo/outcome.ts';
import { tell } from './lib/market-demo/story.ts';
import { makeNetwork, startWorld } from './lib/market-demo/world.ts';

const { values: flags } = parseArgs({
  options: {
    market: { type: 'boolean' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

if (flags.help) {
  console.log(`./scripts/demo --market [--json]
  two users and five providers: orders, bids, payment, a hand-over, a broken lease, bills; about a minute
  --json        print only the last line`);
  process.exit(0);
}

const say = (text: string): void => {
  if (!flags.json) console.log(text);
};
const startedAt = performance.now();
const network = makeNetwork();

/** Whatever happens, nothing stays behind. */
let stopping: Promise<void> | undefined;
function stop(): Promise<void> {
  stopping ??= network.stop();
  return stopping;
}
const canceled = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    canceled.abort();
    void stop().then(() => process.exit(130));
  });
}

async function main(): Promise<void> {
  const world = await startWorld(network);
  const { client, users, providers } = world;
  const supplyBefore = await client.supply(denom);
  const names = (actors: readonly { readonly name: string }[]): string => actors.map(({ name }) => name).join(', ');
  say(`chain ${client.chainId} makes a block every quarter of a second; prices are umu, 1 MU is 1,000,000 of them`);
  say(`users: ${names(users)}; providers, each with a deposit in the registry: ${names(providers)}`);
  const facts = await tell({ world, say });
  const outcome = await outcomeOf(world, supplyBefore);
  say(
    `\nthe supply was ${supplyBefore} umu: ${outcome.minted} were minted, ${outcome.burnt} burnt, every other coin is accounted for\n`,
  );
  const height = await client.height();
  client.disconnect();
  await stop();
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    JSON.stringify({
      demo: 'ok',
      chain_id: client.chainId,
      height,
      seconds,
      ...facts,
      bills_verified: true,
      ...outcome,
    }),
  );
  process.exit(0);
}

try {
  await main();
} catch (error) {
  if (!canceled.signal.aborted) {
    console.error(`demo failed: ${messageOf(error)}`);
    for (const [name, lines] of network.lastLines()) console.error(`last lines of ${name}:\n${lines}`);
  }
  await stop();
  process.exit(canceled.signal.aborted ? 130 : 1);
}
