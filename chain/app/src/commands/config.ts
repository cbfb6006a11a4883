/** `mud config`: the file of settings. */
import { existsSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { configOf, homeOf, print, type Register } from './shared.ts';

export const registerConfig: Register = (mud) => {
  const config = mud.command('config').description('the settings of the node');
  config
    .command('get [key]')
    .description('a setting as the node would see it (file, then environment), or all of them')
    .action(get);
  config.command('set <key> <value>').description('change a setting in the file; comments and order stay').action(set);
  config.command('diff').description('what differs from the defaults').action(diff);
  config
    .command('migrate')
    .description('bring the file of an older version to this one’s; shows what changes')
    .option('--dry-run', 'only show it', false)
    .action(migrate);
};

async function get(key: string | undefined, _flags: object, command: Command): Promise<void> {
  const [{ entryOf }, { configEntries, configValue }] = await Promise.all([
    import('../node/config.ts'),
    import('../node/config-schema.ts'),
  ]);
  const config = await configOf(command);
  if (key === undefined) {
    for (const entry of configEntries) process.stdout.write(`${entry.dotted} = ${shown(configValue(config, entry))}\n`);
    return;
  }
  const value = configValue(config, entryOf(key));
  // A text as it is: a script wants it so.
  process.stdout.write(`${typeof value === 'string' ? value : shown(value)}\n`);
}

async function set(key: string, value: string, _flags: object, command: Command): Promise<void> {
  const { setInFile } = await import('../node/config-file.ts');
  setInFile(homeOf(command).config, key, value);
}

async function diff(_flags: object, command: Command): Promise<void> {
  const [{ differences }, { environmentName, entryOf }] = await Promise.all([
    import('../node/config-file.ts'),
    import('../node/config.ts'),
  ]);
  for (const { key, value, default: byDefault } of differences(await configOf(command))) {
    const name = environmentName(entryOf(key));
    const from = process.env[name] === undefined ? '' : `, from ${name}`;
    process.stdout.write(`${key} = ${shown(value)}  # default ${shown(byDefault)}${from}\n`);
  }
}

async function migrate({ dryRun }: { readonly dryRun: boolean }, command: Command): Promise<void> {
  const [{ migrateText }, { lineDiff }, { writeFileAtomically }] = await Promise.all([
    import('../node/config-file.ts'),
    import('../node/line-diff.ts'),
    import('../node/files.ts'),
  ]);
  const file = homeOf(command).config;
  if (!existsSync(file)) throw new Error(`${file} does not exist: make it with \`mud init\``);
  const { from, to, before, after } = migrateText(readFileSync(file, 'utf8'), file);
  for (const line of lineDiff(before, after)) process.stdout.write(`${line}\n`);
  const changed = before !== after;
  if (changed && !dryRun) writeFileAtomically(file, after);
  print({ config: file, from_version: from, to_version: to, changed, written: changed && !dryRun });
}

const shown = (value: unknown): string => JSON.stringify(value);
