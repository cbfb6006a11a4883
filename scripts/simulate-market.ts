/**
 * A naive model of the market and the money beside the real application: the same random messages of many users and
 * providers, with crashes, restarts, exports and changed parameters; everything is compared after every block. The last
 * line is one JSON object.
 *
 *   npm run simulate:market -- [--messages 100000] [--seed 1] [--chain 0] [--invariants 200] [--jobs 1]
 *
 * `--jobs` has the chains run in so many processes; what is done is the same.
 */
import { parseArgs } from 'node:util';
import { runShare, sharesOf, together } from './simulate-market/jobs.ts';
import { simulate } from './simulate-market/run.ts';

const { values } = parseArgs({
  options: {
    messages: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    chain: { type: 'string', default: '0' },
    'chain-messages': { type: 'string', default: '2500' },
    invariants: { type: 'string', default: '200' },
    jobs: { type: 'string', default: '1' },
  },
});

function whole(name: keyof typeof values, least: number): number {
  const value = Number(values[name]);
  if (!Number.isSafeInteger(value) || value < least) throw new Error(`--${name} is a whole number from ${least} on`);
  return value;
}

/** The chains in several processes. */
async function mainOfMany(jobs: number): Promise<void> {
  const began = performance.now();
  const shares = sharesOf(whole('messages', 1), whole('chain-messages', 1), whole('chain', 0), jobs);
  const same = ['seed', 'chain-messages', 'invariants'] as const;
  const common = same.flatMap((name) => [`--${name}`, values[name]]);
  const results = shares.map(({ chain, messages }) =>
    runShare(import.meta.filename, [...common, '--chain', `${chain}`, '--messages', `${messages}`]),
  );
  const result = together(await Promise.all(results));
  const seconds = Math.round((performance.now() - began) / 1000);
  process.stdout.write(`${JSON.stringify({ ...result, seed: whole('seed', 0), seconds })}\n`);
  if (result.simulation !== 'ok') process.exitCode = 1;
}

function main(): void {
  const [messages, seed] = [whole('messages', 1), whole('seed', 0)];
  const chainMessages = whole('chain-messages', 1);
  const began = performance.now();
  const seconds = (): number => Math.round((performance.now() - began) / 1000);
  let told = 0;
  const result = simulate({
    messages,
    seed,
    chainMessages,
    firstChain: whole('chain', 0),
    invariants: values.invariants === 'message' ? 'message' : whole('invariants', 1),
    progress: (done) => {
      if (done.messages - told < 20_000) return;
      told = done.messages;
      process.stderr.write(`${done.messages} messages, ${done.blocks} blocks, ${seconds()} s\n`);
    },
  });
  if ('path' in result) {
    const replay = `npm run simulate:market -- --seed ${seed} --chain ${result.chain} --chain-messages ${chainMessages} --messages ${chainMessages}`;
    process.stdout.write(`${JSON.stringify({ simulation: 'different', ...result, replay })}\n`);
    process.exitCode = 1;
    return;
  }
  const { met, ...counts } = result;
  process.stderr.write(`${JSON.stringify(Object.fromEntries(Object.entries(met).sort()))}\n`);
  process.stdout.write(`${JSON.stringify({ simulation: 'ok', ...counts, seed, seconds: seconds() })}\n`);
}

const jobs = whole('jobs', 1);
if (jobs === 1) main();
else await mainOfMany(jobs);
