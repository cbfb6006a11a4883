/** A simulation in several processes: each has a run of the chains, which know nothing of one another. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** What each process is told. */
export interface Share {
  /** the first chain */
  readonly chain: number;
  readonly messages: number;
}

/** Shares of whole chains, the larger ones first, as even as they go. */
export function sharesOf(messages: number, chainMessages: number, firstChain: number, jobs: number): Share[] {
  const chains = Math.ceil(messages / chainMessages);
  const shares: Share[] = [];
  for (let at = 0, chain = 0; at < jobs && chain < chains; at += 1) {
    const count = Math.ceil((chains - chain) / (jobs - at));
    const most = Math.min(count * chainMessages, messages - chain * chainMessages);
    shares.push({ chain: firstChain + chain, messages: most });
    chain += count;
  }
  return shares;
}

/** The last line of a simulation, as it printed it. */
export type LastLine = { readonly simulation: string } & Readonly<Record<string, unknown>>;

/** Runs this simulation with other arguments. What it tells on the way goes to stderr. @throws Error when it says nothing */
export async function runShare(script: string, args: readonly string[]): Promise<LastLine> {
  const child = spawn(process.execPath, [script, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const out: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  await once(child, 'close');
  const last = Buffer.concat(out).toString().trim().split('\n').at(-1) ?? '';
  if (!last.startsWith('{'))
    throw new Error(`the simulation ${args.join(' ')} ended with ${child.exitCode} and no result`);
  return JSON.parse(last) as LastLine;
}

/** The first difference, or all that was done together. */
export function together(results: readonly LastLine[]): LastLine {
  const different = results.find(({ simulation }) => simulation !== 'ok');
  if (different !== undefined) return different;
  const counts = ['messages', 'blocks', 'chains', 'refused', 'crashes', 'restarts', 'exports'];
  const sum = (name: string): number => results.reduce((all, result) => all + Number(result[name]), 0);
  return { simulation: 'ok', ...Object.fromEntries(counts.map((name) => [name, sum(name)])) };
}
