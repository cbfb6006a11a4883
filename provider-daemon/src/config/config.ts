/** The config of `mu-provider`: one TOML file, over it the environment, over that the command line. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { type GpuSetting, gpuProblems } from './gpus.ts';
import { isTable, optionalPath, path as pathKind } from './kinds.ts';
import { keyLines, lineOf } from './places.ts';
import { type NamedSetting, type PartialConfig, type ProviderConfig, schema, settings, snakeCase } from './schema.ts';
import type { Section } from './setting.ts';

/** A config that cannot be used; the message has one line for each mistake, with its place. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.problems = problems;
  }
}

export interface ConfigSources {
  /** Path of the file, for messages; relative paths in the config are taken from its folder. */
  readonly file: string;
  readonly text: string;
  /** `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Texts by flag, as in `settings`: `--chain-rpc-url` → value. */
  readonly flags?: Readonly<Record<string, string | undefined>>;
}

/** Reads and checks a config file. @throws ConfigError */
export function loadConfig(file: string, sources: Pick<ConfigSources, 'environment' | 'flags'> = {}): ProviderConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigError([`${file}: cannot be read (${(error as Error).message}); \`mu-provider init\` writes one`]);
  }
  return parseConfig({ ...sources, file, text });
}

/** Checks a config. All mistakes are told at once. @throws ConfigError */
export function parseConfig(sources: ConfigSources): ProviderConfig {
  const tables = readToml(sources);
  const lines = keyLines(sources.text);
  const problems = unknownKeys(tables, sources.file, lines);
  const config: Record<string, Record<string, unknown>> = {};
  const places = new Map<string, string>();
  for (const named of settings) {
    const found = lookUp(named, tables, sources, lines);
    if (found !== undefined) places.set(named.path, found.place);
    const value = found === undefined ? named.setting.fallback : named.setting.kind.read(found.value);
    if (value === undefined) {
      problems.push(
        found === undefined
          ? `${sources.file}: ${named.path} is missing: ${named.setting.doc} (${named.setting.kind.form})`
          : `${found.place}: ${named.path} must be ${named.setting.kind.form}`,
      );
    }
    config[named.section] = { ...config[named.section], [named.key]: settled(named, value, sources.file) };
  }
  problems.push(...problemsOfGpus(config, (path) => places.get(path) ?? sources.file));
  problems.push(...unknownEnvironment(sources.environment ?? {}), ...unknownFlags(sources.flags ?? {}));
  if (problems.length > 0) throw new ConfigError(problems);
  return config as unknown as ProviderConfig;
}

/** Settings that do not go together; what cannot be read has been told. @param placeOf where a setting was said */
function problemsOfGpus(
  { capacity, offer }: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  placeOf: (path: string) => string,
): string[] {
  const pools = capacity?.['gpus'] as readonly GpuSetting[] | undefined;
  const services = offer?.['services'] as readonly string[] | undefined;
  if (pools === undefined || services === undefined) return [];
  return gpuProblems(pools, services).map((problem) => `${placeOf('capacity.gpus')}: ${problem}`);
}

interface Found {
  readonly value: unknown;
  /** Where it was said, for an error. */
  readonly place: string;
}

/** The value by its place in the order flag, environment, file. */
function lookUp(
  { section, key, path, environment, flag, setting }: NamedSetting,
  tables: Record<string, unknown>,
  sources: ConfigSources,
  lines: ReadonlyMap<string, number>,
): Found | undefined {
  const byFlag = sources.flags?.[flag];
  if (byFlag !== undefined) return { value: setting.kind.fromText(byFlag), place: flag };
  const byEnvironment = sources.environment?.[environment];
  if (byEnvironment !== undefined) return { value: setting.kind.fromText(byEnvironment), place: environment };
  const table = tables[snakeCase(section)];
  const value = isTable(table) ? table[snakeCase(key)] : undefined;
  return value === undefined ? undefined : { value, place: placeOf(sources.file, lines, path) };
}

function readToml({ file, text }: ConfigSources): Record<string, unknown> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // The parser's message goes on with the text around the mistake, where a secret may stand.
    throw new ConfigError([`${file}:${error.line}:${error.column}: ${error.message.split('\n')[0]}`]);
  }
}

function placeOf(file: string, lines: ReadonlyMap<string, number>, path: string): string {
  const line = lineOf(lines, path);
  return line === undefined ? file : `${file}:${line}`;
}

function unknownKeys(tables: Record<string, unknown>, file: string, lines: ReadonlyMap<string, number>): string[] {
  const known = new Map(
    Object.entries<Section>(schema).map(([section, own]) => [
      snakeCase(section),
      Object.keys(own.settings).map(snakeCase),
    ]),
  );
  return Object.entries(tables).flatMap(([section, table]) => {
    const keys = known.get(section);
    const place = placeOf(file, lines, section);
    if (keys === undefined) return [`${place}: unknown section ${section}; known: ${[...known.keys()].join(', ')}`];
    if (!isTable(table)) return [`${place}: ${section} is a section: write [${section}]`];
    return Object.keys(table)
      .filter((key) => !keys.includes(key))
      .map(
        (key) =>
          `${placeOf(file, lines, `${section}.${key}`)}: unknown key ${section}.${key}; known: ${keys.join(', ')}`,
      );
  });
}

function unknownEnvironment(environment: Readonly<Record<string, string | undefined>>): string[] {
  const known = settings.map((one) => one.environment);
  return Object.keys(environment)
    .filter((name) => name.startsWith('MU_PROVIDER_') && name !== homeVariable && !known.includes(name))
    .map((name) => `${name}: no setting has this name`);
}

function unknownFlags(flags: Readonly<Record<string, string | undefined>>): string[] {
  const known = settings.map(({ flag }) => flag);
  return Object.keys(flags).flatMap((flag) => (known.includes(flag) ? [] : [`${flag}: no setting has this name`]));
}

/** The variable that names the provider’s folder: no setting of the file. */
export const homeVariable = 'MU_PROVIDER_HOME';

/** Paths are made absolute, from the folder of the config file. */
function settled({ setting }: NamedSetting, value: unknown, file: string): unknown {
  const isPath = setting.kind === pathKind || (setting.kind === optionalPath && value !== '');
  if (!isPath || typeof value !== 'string') return value;
  return isAbsolute(value) ? value : resolve(dirname(file), value);
}

/**
 * A config file with all settings and their meaning. Those of `values` are set; the others stand there commented out,
 * with their defaults, so that a later default can take effect.
 */
export function renderConfig(values: PartialConfig): string {
  const given = values as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  const sections = Object.entries<Section>(schema).map(([section, { doc, settings: own }]) => {
    const lines = Object.entries(own).flatMap(([key, { kind, fallback, doc: meaning }]) => {
      const value = given[section]?.[key];
      const shown = value ?? fallback;
      const assignment =
        shown === undefined
          ? `# ${snakeCase(key)} = …  (needed)`
          : `${value === undefined ? '# ' : ''}${snakeCase(key)} = ${kind.write(shown)}`;
      return [`# ${meaning} Allowed: ${kind.form}.`, assignment];
    });
    return [`# ${doc}`, `[${snakeCase(section)}]`, ...lines].join('\n');
  });
  const top = [
    '# Config of mu-provider. A setting of the environment (MU_PROVIDER_<SECTION>_<KEY>) goes before this file, a flag',
    '# (--<section>-<key>) before both. Relative paths start at the folder of this file.',
  ].join('\n');
  return `${[top, ...sections].join('\n\n')}\n`;
}

/**
 * The password of the keys, which stands in a file of its own and in no config.
 * @throws ConfigError when it cannot be read, is empty, or others may read it
 */
export function readPassword(config: ProviderConfig): string {
  const file = config.keys.passwordFile;
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new ConfigError([`${file}: others may read it; run chmod 600 ${file}`]);
    const password = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
    if (password === '') throw new ConfigError([`${file}: the password is empty`]);
    return password;
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([
      `${file}: the password cannot be read (${(error as Error).message}); keys.password_file names it`,
    ]);
  }
}
