/**
 * `npm run bench:market`: what blocks of the same traffic cost against the size of the market, from 10³ to 10⁶ open
 * orders, bids, leases and escrows; matches and confirmations a second; and that gas is the same at every size.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { MarketFigures } from './market/measure.ts';
import { fullCounts } from './market/plan.ts';
import { gasDifferences, marketFigures, rounded, sizeName, summaryOf } from './market/run.ts';

const usage = `npm run bench:market [-- OPTIONS]

  --sizes LIST     open orders, bids, leases and escrows, of each so many (1e3,1e4,1e5,1e6)
  --blocks N       blocks of all kinds of messages that are measured at each (15; fewer in a market too small for them)
  --json           one JSON object a line, the last one sums up
`;

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '1e3,1e4,1e5,1e6' },
    blocks: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function print({ size, gas, ...figures }: MarketFigures): void {
  const text = Object.entries(figures).map(([name, value]) => `${name} ${rounded(value as number)}`);
  if (values.json) console.log(JSON.stringify({ size, ...figures, gas }));
  else console.log(`${sizeName(size)}: ${text.join('  ')}`);
}

function printGas(all: readonly MarketFigures[]): void {
  const kinds = Object.entries(all[0]?.gas ?? {});
  const text = kinds.map(([kind, [least, most]]) => `${kind} ${least === most ? least : `${least}–${most}`}`);
  console.log(`gas at every size: ${text.join('  ')}`);
}

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const [sizes, blocks] = [values.sizes.split(',').map(Number), Number(values.blocks)];
  if (![...sizes, blocks].every((one) => Number.isInteger(one) && one > 0)) throw new Error(usage);
  const { each, batch } = fullCounts;
  if (!values.json) {
    console.log(`blocks of ${each} of each kind, confirmations by ${batch}, ${availableParallelism()} cores`);
  }
  const all: MarketFigures[] = [];
  for (const size of sizes) {
    all.push(await marketFigures(size, { ...fullCounts, blocks }));
    print(all.at(-1) as MarketFigures);
  }
  const differences = gasDifferences(all);
  if (differences.length > 0) throw new Error(`gas grows with the market: ${differences.join('; ')}`);
  if (!values.json) printGas(all);
  console.log(JSON.stringify(summaryOf(all)));
}

await main();
