/** A command's frame: its config from file, environment and flags, its output, and its end. */
import type { Command } from 'commander';
import { flagOf, homeFolder, loadConfig, type SettingName, settingNames, settings } from './config.ts';
import { createOutput } from './output.ts';
import { Session } from './session.ts';

export type Flags = Readonly<Record<string, string | boolean | readonly string[] | undefined>>;

/** Runs a command with a session made of the flags that stand anywhere on the line. */
export function run(
  action: (session: Session, args: readonly string[], flags: Flags) => Promise<void>,
): (...params: unknown[]) => Promise<void> {
  return async (...params) => {
    const command = params.at(-1) as Command;
    const flags = command.optsWithGlobals() as Flags;
    const named = Object.fromEntries(
      settingNames.flatMap((name) => {
        const value = flags[camel(name)];
        return value === undefined ? [] : [[name, String(value)]];
      }),
    ) as Partial<Record<SettingName, string>>;
    const config = await loadConfig(homeFolder(flags['home'] as string | undefined, process.env), named, process.env);
    const session = new Session(config, createOutput(flags['output'] === 'json'));
    try {
      await action(
        session,
        command.processedArgs
          .flat()
          .filter((arg) => arg !== undefined)
          .map(String),
        flags,
      );
    } finally {
      session.close();
    }
  };
}

/** Settings that are flags of `tx deployment create` alone: elsewhere their names are filters of queries. */
export const ofCreate: readonly SettingName[] = ['region', 'max_price'];

/** A setting as an option of a command. */
export function settingOption(name: SettingName): [string, string] {
  const { default: value, doc } = settings[name];
  if ('bare' in settings[name]) return [flagOf(name), doc];
  return [`${flagOf(name)} <value>`, value === '' ? doc : `${doc} (${value})`];
}

function camel(name: string): string {
  return name.replace(/_(\w)/g, (_all, letter: string) => letter.toUpperCase());
}
