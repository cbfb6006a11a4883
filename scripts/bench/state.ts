/**
 * `npm run bench:state`: what a block costs against the number of accounts in the state, beside it the commit of a tree
 * by Mu and by cosmos/iavl in Go. Nothing of it is proportional to the state, so the curve says how deep trees are.
 */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { sendsPerBlock } from './state/blocks.ts';
import { measureGoCommits } from './state/commits.ts';
import { blockFigures, commitFigures } from './state/run.ts';

const usage = `npm run bench:state [-- OPTIONS]

  --accounts LIST  sizes of the state (10000,100000,1000000)
  --blocks N       blocks that are measured at each (5)
  --commits        commits of 10,000 changed leaves too, by Mu and by cosmos/iavl
  --json           one JSON object a line
`;

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '10000,100000,1000000' },
    blocks: { type: 'string', default: '5' },
    commits: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function print(figures: object): void {
  if (values.json) console.log(JSON.stringify(figures));
  else {
    const text = Object.entries(figures).map(([name, value]) => `${name} ${rounded(value)}`);
    console.log(text.join('  '));
  }
}

const rounded = (value: unknown): string =>
  typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);

async function main(): Promise<void> {
  if (values.help) {
    process.stdout.write(usage);
    return;
  }
  const sizes = values.accounts.split(',').map(Number);
  const blocks = Number(values.blocks);
  if (![...sizes, blocks].every((one) => Number.isInteger(one) && one > 0)) throw new Error(usage);
  if (!values.json) console.log(`blocks of ${sendsPerBlock} sends, ${availableParallelism()} cores`);
  for (const accounts of sizes) print(await blockFigures(accounts, blocks));
  if (!values.commits) return;
  const changed = 10_000;
  for (const accounts of sizes) {
    const own = await commitFigures(accounts, changed, blocks);
    const go = await measureGoCommits({ accounts, changed, blocks });
    const ratio =
      go === undefined ? {} : { go_leaves_per_s: go.leaves_per_s, ratio: own.leaves_per_s / go.leaves_per_s };
    print({ accounts, changed, leaves_per_s: own.leaves_per_s, ...ratio });
  }
}

await main();
