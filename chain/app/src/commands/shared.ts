/** What the commands have in common: the home folder, settings by flag, one JSON value a line on stdout. */
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { NodeConfig } from '../node/config.ts';
import { type Home, homeAt } from '../node/home.ts';

/** A group of commands puts itself below `mud`; what it needs it loads when it is called. */
export type Register = (mud: Command) => void;

export const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);

/** For people, beside the answer. */
export const say = (text: string): void => void process.stderr.write(`mud: ${text}\n`);

/** --home, else MUD_HOME, else ~/.mud. */
export function homeOf(command: Command): Home {
  const { home } = command.optsWithGlobals() as { home?: string };
  return homeAt(resolve(home ?? process.env['MUD_HOME'] ?? join(homedir(), '.mud')));
}

/** `--set section.key=value`, as often as one likes. */
export interface SettingFlags {
  readonly set: Readonly<Record<string, string>>;
}

export function withSettings(command: Command): Command {
  return command.option('--set <section.key=value>', 'a setting of the config, repeatable', collect, {});
}

/** The config as `start` sees it: file, environment, flags. */
export async function configOf(command: Command, { set }: SettingFlags = { set: {} }): Promise<NodeConfig> {
  const { loadConfig } = await import('../node/config.ts');
  return loadConfig(homeOf(command).config, process.env, set);
}

function collect(text: string, before: Readonly<Record<string, string>>): Record<string, string> {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`--set ${text}: write section.key=value`);
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}
