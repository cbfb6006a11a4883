/**
 * Four validators under load, to which one thing after the other happens: killed, paused, restarted, wiped, brought back
 * by state sync. At the end every node must have the same chain. The last line is one JSON object.
 */

import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { messageOf } from '@mu/lib/error-message';
import { requireCometbft } from './lib/cometbft.ts';
import { type Kind, kinds, perturbations } from './lib/perturb/kinds.ts';
import { perturb } from './lib/perturb/run.ts';

const help = `npm run perturb -- [--seed S] [--rounds N] [--validators N] [--accounts N] [--kinds a,b] [--home DIR] [--keep]
  --seed        what happens, to whom and when; printed, so that it can be had again (any)
  --rounds      how many things happen (10)
  --validators  4 to 16 (4): one at a time may be away, and more than two thirds go on
  --accounts    accounts that send all the time (8)
  --kinds       only these, of:
${kinds.map((kind) => `                  ${kind.padEnd(12)}  ${perturbations[kind].what}`).join('\n')}
  --home        an empty folder for the network; a new one below the temporary folder otherwise
  --keep        leaves the folder with all logs; where something is wrong it is left anyway`;

const { values: flags } = parseArgs({
  options: {
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    rounds: { type: 'string', default: '10' },
    validators: { type: 'string', default: '4' },
    accounts: { type: 'string', default: '8' },
    kinds: { type: 'string', default: kinds.join(',') },
    home: { type: 'string' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

function whole(name: 'seed' | 'rounds' | 'validators' | 'accounts', least: number, most: number): number {
  const value = Number(flags[name]);
  if (!/^\d+$/.test(flags[name]) || value < least || value > most)
    throw new Error(`--${name} ${flags[name]}: it must be a whole number from ${least} to ${most}`);
  return value;
}

function chosenKinds(): Kind[] {
  return flags.kinds.split(',').map((name) => {
    const kind = kinds.find((one) => one === name);
    if (kind === undefined) throw new Error(`--kinds ${name}: there are ${kinds.join(', ')}`);
    return kind;
  });
}

const canceled = new AbortController();

async function main(): Promise<void> {
  const numbers = {
    seed: whole('seed', 0, 2 ** 32 - 1),
    rounds: whole('rounds', 0, 100_000),
    validators: whole('validators', 4, 16),
    accounts: whole('accounts', 1, 1000),
  };
  const chosen = chosenKinds();
  const say = (text: string): void => console.log(text);
  const cometbft = await requireCometbft({ say });
  const home = flags.home === undefined ? mkdtempSync(join(tmpdir(), 'mu-perturb-')) : resolve(flags.home);
  say(`seed ${numbers.seed}, ${numbers.rounds} rounds`);
  try {
    const result = await perturb({ ...numbers, home, cometbft, kinds: chosen, say, signal: canceled.signal });
    if (!flags.keep) rmSync(home, { recursive: true, force: true });
    say(JSON.stringify(result));
  } catch (error) {
    if (canceled.signal.aborted && !flags.keep) rmSync(home, { recursive: true, force: true });
    else console.error(`all logs are in ${home}`);
    console.log(JSON.stringify({ perturb: 'failed', seed: numbers.seed, error: messageOf(error) }));
    throw error;
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => canceled.abort(new Error('canceled')));
if (flags.help) console.log(help);
else {
  try {
    await main();
  } catch (error) {
    console.error(`perturb: ${messageOf(error)}`);
    process.exitCode = canceled.signal.aborted ? 130 : 1;
  }
}
