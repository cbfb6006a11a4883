/** `mud start`, `mud status`: a running node. */
import type { Command } from 'commander';
import type { Home } from '../node/home.ts';
import type { RunningNode } from '../node/running-node.ts';
import { configOf, homeOf, print, type Register, type SettingFlags, withSettings } from './shared.ts';

interface StartFlags extends SettingFlags {
  readonly unsafeSkipUpgrades?: string;
}

export const registerStart: Register = (mud) => {
  const command = mud.command('start').description('run the node until SIGTERM');
  withSettings(command)
    .option('--unsafe-skip-upgrades <heights>', 'node.skip_upgrade_heights under the name that the SDK has')
    .action(start);
  mud
    .command('status')
    .description('what a running node says of itself')
    .option('--node <url>', 'its RPC address')
    .action(status);
};

async function start(flags: StartFlags, command: Command): Promise<void> {
  const [{ startNode }, { explainDiskError }] = await Promise.all([
    import('../node/start.ts'),
    import('../node/disk.ts'),
  ]);
  const home = homeOf(command);
  try {
    await runUntilAsked(
      home,
      await startNode(home, await configOf(command, { set: { ...flags.set, ...skipped(flags) } })),
    );
  } catch (error) {
    throw explainDiskError(error, home.root);
  }
}

function skipped({ unsafeSkipUpgrades: heights }: StartFlags): Record<string, string> {
  return heights === undefined ? {} : { 'node.skip_upgrade_heights': heights };
}

async function runUntilAsked(home: Home, node: RunningNode): Promise<void> {
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
