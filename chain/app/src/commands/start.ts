/** `mud start`, `mud status`: a running node. */
import type { Command } from 'commander';
import { configOf, homeOf, print, type Register, type SettingFlags, withSettings } from './shared.ts';

export const registerStart: Register = (mud) => {
  withSettings(mud.command('start').description('run the node until SIGTERM')).action(start);
  mud
    .command('status')
    .description('what a running node says of itself')
    .option('--node <url>', 'its RPC address')
    .action(status);
};

async function start(flags: SettingFlags, command: Command): Promise<void> {
  const { startNode } = await import('../node/start.ts');
  const home = homeOf(command);
  const node = await startNode(home, await configOf(command, flags));
  print({ ...node.addresses, home: home.root });
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => ask());
  try {
    await Promise.race([asked, node.failed]);
  } finally {
    await node.stop();
  }
}

async function status(flags: { readonly node?: string }, command: Command): Promise<void> {
  const { readAddresses } = await import('../node/addresses.ts');
  const rpc = flags.node ?? readAddresses(homeOf(command)).rpc;
  let answer: Response;
  try {
    answer = await fetch(`${rpc}/status`);
  } catch {
    throw new Error(`nothing answers at ${rpc}: is the node running?`);
  }
  print(((await answer.json()) as { result: unknown }).result);
}
