/**
 * The node's config. Order of precedence: file < environment (MUD_RPC_LADDR, …) < flag. An unknown key is an error,
 * wherever it comes from.
 */

import { existsSync, readFileSync } from 'node:fs';
import { messageOf } from '@mu/lib/error-message';
import { parse, TomlError } from 'smol-toml';
import { pruningPlan } from '../store/pruning.ts';
import {
  type ConfigEntry,
  type ConfigValue,
  configEntries,
  configValue,
  configVersion,
  knownKeys,
  type NodeConfig,
  schema,
} from './config-schema.ts';

export type { NodeConfig } from './config-schema.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type Raw = Record<string, unknown>;

/** A config that is wrong, with the place and what is allowed. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

/**
 * @param file that need not exist
 * @param overrides by dotted key, `rpc.laddr`; from flags
 * @throws ConfigError
 */
export function loadConfig(
  file: string,
  env: Environment,
  overrides: Readonly<Record<string, string>> = {},
): NodeConfig {
  const raw = existsSync(file) ? parseToml(readFileSync(file, 'utf8'), file) : {};
  const version = takeVersion(raw, file);
  for (const [key, value] of [...fromEnvironment(env), ...Object.entries(overrides)]) put(raw, key, value);
  return checked(raw, file, version);
}

/** The config of a text alone, without environment and flags. @param file for messages @throws ConfigError */
export function parseConfig(text: string, file: string): NodeConfig {
  const raw = parseToml(text, file);
  return checked(raw, file, takeVersion(raw, file));
}

/** The commented file that `mud init` writes. */
export function renderConfig(config: NodeConfig): string {
  const lines = [
    '# Config of mud. What is left out keeps its default; MUD_<SECTION>_<KEY> in the environment and flags win.',
    versionLine,
  ];
  let section = '';
  for (const entry of configEntries) {
    if (entry.section !== section) lines.push('', `[${entry.section}]`);
    section = entry.section;
    lines.push(...entryLines(entry, configValue(config, entry)));
  }
  return `${lines.join('\n')}\n`;
}

/** What says of which layout the file is. */
export const versionLine = `version = ${configVersion}`;

/** A key with its doc, as lines of the file. */
export function entryLines({ doc, key }: ConfigEntry, value: ConfigValue): string[] {
  return [`# ${doc}`, `${key} = ${JSON.stringify(value)}`];
}

/** The key of a dotted name. @throws ConfigError that names the known ones */
export function entryOf(dotted: string): ConfigEntry {
  const entry = configEntries.find((one) => one.dotted === dotted);
  if (entry === undefined) throw unknownKey(dotted);
  return entry;
}

/** Text from the environment or a flag as the value that its key wants; whether it is allowed is not looked at. */
export function readText(entry: ConfigEntry, text: string): ConfigValue {
  if (typeof entry.default === 'number') return text.trim() === '' ? Number.NaN : Number(text);
  if (Array.isArray(entry.default)) return text === '' ? [] : text.split(',');
  return text;
}

/** What a name in the environment is for a dotted key. */
export function environmentName({ section, key }: Pick<ConfigEntry, 'section' | 'key'>): string {
  return `MUD_${section}_${key}`.toUpperCase();
}

/** @throws ConfigError with line and column */
export function parseToml(text: string, file: string): Raw {
  try {
    return parse(text) as Raw;
  } catch (error) {
    if (error instanceof TomlError)
      throw new ConfigError(`${file}:${error.line}:${error.column}: ${error.message.split('\n')[0]}`);
    throw error;
  }
}

/** Removes the layout's version and gives it; a file without one is of the first. @throws ConfigError for a later one */
export function takeVersion(raw: Raw, file: string): number {
  const { version = 1 } = raw;
  delete raw['version'];
  if (!Number.isInteger(version) || Number(version) < 1)
    throw new ConfigError(`${file}: version ${JSON.stringify(version)} is no version of a config`);
  if (Number(version) > configVersion) {
    throw new ConfigError(
      `${file} is of version ${version} and this mud reads up to ${configVersion}: run the mud that wrote it, or a later one`,
    );
  }
  return Number(version);
}

function checked(raw: Raw, file: string, version: number): NodeConfig {
  const result = schema.safeParse(raw);
  if (result.success) {
    checkTogether(result.data, file);
    return result.data;
  }
  const problems = result.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? unknownKey([...issue.path, issue.keys[0]].join('.')).message
      : `${issue.path.join('.')}: ${issue.message}`,
  );
  const hint = version < configVersion ? ' (the file is of an older version: `mud config migrate` renews it)' : '';
  throw new ConfigError(`${file}: ${problems.join('; ')}${hint}`);
}

/** Rules that hold between keys. */
function checkTogether({ store }: NodeConfig, file: string): void {
  try {
    pruningPlan({ pruning: store.pruning, keepRecent: store.pruning_keep_recent, interval: store.pruning_interval });
  } catch (error) {
    throw new ConfigError(`${file}: ${messageOf(error)}`);
  }
}

/** @throws ConfigError for a name that begins like a section's and is of no key: a misspelt one would be lost */
function* fromEnvironment(env: Environment): Generator<[string, string]> {
  const byName = new Map(configEntries.map((entry) => [environmentName(entry), entry]));
  const prefixes = [...new Set(configEntries.map(({ section }) => environmentName({ section, key: '' })))];
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined) continue;
    const entry = byName.get(name);
    if (entry !== undefined) yield [entry.dotted, value];
    else if (prefixes.some((prefix) => name.startsWith(prefix))) {
      throw new ConfigError(`${name} in the environment is of no key of the config; \`mud config get\` lists them`);
    }
  }
}

function put(raw: Raw, dotted: string, text: string): void {
  const entry = entryOf(dotted);
  raw[entry.section] = { ...(raw[entry.section] as object | undefined), [entry.key]: readText(entry, text) };
}

function unknownKey(dotted: string): ConfigError {
  return new ConfigError(`unknown key ${dotted}; known: ${knownKeys(dotted.split('.')[0]).join(', ')}`);
}
