/** Changes of the config's file: a value, or the whole file of an older version. What it holds is checked before it is written. */
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import {
  ConfigError,
  entryLines,
  entryOf,
  parseConfig,
  parseToml,
  readText,
  renderConfig,
  takeVersion,
  versionLine,
} from './config.ts';
import {
  type ConfigEntry,
  type ConfigStep,
  type ConfigValue,
  configEntries,
  configSteps,
  configValue,
  configVersion,
  type NodeConfig,
  schema,
} from './config-schema.ts';
import { writeFileAtomically } from './files.ts';
import { TomlText } from './toml-text.ts';

/** A value that is not the default. */
export interface ConfigDifference {
  readonly key: string;
  readonly value: ConfigValue;
  readonly default: ConfigValue;
}

/** What differs from the defaults, in the order of the file. */
export function differences(config: NodeConfig): ConfigDifference[] {
  return configEntries
    .map((entry) => ({ key: entry.dotted, value: configValue(config, entry), default: entry.default }))
    .filter((one) => !isDeepStrictEqual(one.value, one.default));
}

/**
 * Sets one value in the file; comments and order stay. The file is written whole or not at all, and not when the config
 * would be wrong then.
 * @param text as on the command line
 * @throws ConfigError
 */
export function setInFile(file: string, dotted: string, text: string): void {
  const entry = entryOf(dotted);
  const value = readText(entry, text);
  if (Number.isNaN(value)) throw new ConfigError(`${dotted}: ${JSON.stringify(text)} is no number`);
  const before = existsSync(file) ? readFileSync(file, 'utf8') : renderConfig(schema.parse({}));
  const after = withValue(before, entry, value);
  const config = parseConfig(after, file);
  const expected = { ...parseConfig(before, file) } as unknown as Record<string, Record<string, unknown>>;
  expected[entry.section] = { ...expected[entry.section], [entry.key]: value };
  // The editor knows the plain way of writing only; whatever it could not do right is left to the person.
  if (!isDeepStrictEqual(config, expected)) throw notEditable(file, dotted);
  writeFileAtomically(file, after);
}

function withValue(text: string, entry: ConfigEntry, value: ConfigValue): string {
  const toml = new TomlText(text);
  if (!toml.replace(entry.section, entry.key, JSON.stringify(value)))
    toml.append(entry.section, entryLines(entry, value));
  return toml.toString();
}

function notEditable(file: string, dotted: string): ConfigError {
  return new ConfigError(`${file} writes ${dotted} in a way that this command does not change: edit it by hand`);
}

export interface Migration {
  readonly from: number;
  readonly to: number;
  readonly before: string;
  readonly after: string;
}

/**
 * The file in today's layout: old keys have their new names, new ones are there with their docs and defaults, values,
 * comments and order stay. Writes nothing.
 * @throws ConfigError for a file that is wrong otherwise
 */
export function migrateText(before: string, file: string, steps: readonly ConfigStep[] = configSteps): Migration {
  const raw = parseToml(before, file);
  const from = takeVersion(raw, file);
  const toml = new TomlText(before);
  for (const { to, renamed } of steps) {
    if (to <= from) continue;
    for (const [old, name] of Object.entries(renamed)) move(toml, raw, { old, name, file });
  }
  const missing = configEntries.filter(({ section, key }) => !toml.has(section, key));
  for (const entry of missing) {
    // Not found, and yet it has a value: it is written otherwise than plainly, and stays so.
    const isThere = (raw[entry.section] as Record<string, unknown> | undefined)?.[entry.key] !== undefined;
    if (!isThere) toml.append(entry.section, entryLines(entry, entry.default));
  }
  if (!toml.replace('', 'version', String(configVersion))) toml.append('', [versionLine]);
  const after = toml.toString();
  parseConfig(after, file);
  return { from, to: configVersion, before, after };
}

function move(
  toml: TomlText,
  raw: Record<string, unknown>,
  { old, name, file }: { readonly old: string; readonly name: string; readonly file: string },
): void {
  const [[section = '', key = ''], entry] = [old.split('.'), entryOf(name)];
  if ((raw[section] as Record<string, unknown> | undefined)?.[key] === undefined) return;
  if (toml.has(entry.section, entry.key))
    throw new ConfigError(`${file} has ${old} and ${name}, which is its new name: remove the one that is not meant`);
  if (section === entry.section) {
    if (!toml.rename(section, key, entry.key)) throw notEditable(file, old);
    return;
  }
  const value = toml.remove(section, key);
  if (value === undefined) throw notEditable(file, old);
  toml.dropEmpty(section);
  toml.append(entry.section, [`# ${entry.doc}`, `${entry.key} = ${value}`]);
}
