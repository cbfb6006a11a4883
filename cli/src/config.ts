/**
 * mucli's config: type, default and doc in one place. Precedence: file < environment (MUCLI_NODE, …) < flag. An unknown
 * key is an error.
 */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { usageError } from './errors.ts';

interface Setting {
  readonly default: string;
  readonly doc: string;
  readonly pattern: RegExp;
  readonly allowed: string;
  /** its flag takes no value and says yes */
  readonly bare?: true;
}

const anything = /^.*$/s;

/** All settings; the flag of `gas_price` is --gas-price. */
export const settings = {
  node: {
    default: 'http://127.0.0.1:26657',
    doc: 'RPC address of a node',
    pattern: /^(https?|wss?):\/\/\S+$/,
    allowed: 'http(s)://host:port',
  },
  chain_id: {
    default: '',
    doc: 'chain that the node must be of; empty: any',
    pattern: /^[a-zA-Z0-9_-]{0,50}$/,
    allowed: 'a chain id',
  },
  key: { default: '', doc: 'name of the key that signs', pattern: /^[a-z0-9_-]{0,64}$/, allowed: 'the name of a key' },
  keys_folder: {
    default: '',
    doc: 'folder of the key files; empty: keys beside the config',
    pattern: anything,
    allowed: 'a folder',
  },
  password_file: {
    default: '',
    doc: 'file with the password of the key; empty: it is asked for',
    pattern: anything,
    allowed: 'a file',
  },
  gas_price: {
    default: '0.001',
    doc: 'price of a unit of gas, in the base denomination',
    pattern: /^\d+(\.\d{1,6})?$/,
    allowed: 'a decimal with at most 6 places',
  },
  bech32_prefix: {
    default: 'mu',
    doc: 'prefix of the addresses of the chain',
    pattern: /^[a-z]{1,20}$/,
    allowed: 'letters a to z',
  },
  denom: {
    default: 'umu',
    doc: 'base denomination of the chain',
    pattern: /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/,
    allowed: 'a denomination',
  },
  region: {
    default: '',
    doc: 'region of deployments whose stack names none',
    pattern: anything,
    allowed: 'a region of the chain',
  },
  max_price: {
    default: '',
    doc: 'the most that a deployment may cost, in umu per block, where the stack names no price',
    pattern: /^(\d+(\.\d{1,18})?)?$/,
    allowed: 'a decimal',
  },
  allow_private_peers: {
    default: 'false',
    doc: 'talk to providers at private and loopback addresses (a local network)',
    pattern: /^(true|false)$/,
    allowed: 'true or false',
  },
  access_key: {
    default: '',
    doc: 'file of an access key of the deployment, which proves you to its providers in place of the account',
    pattern: anything,
    allowed: 'a file',
  },
  trust_node: {
    default: 'false',
    doc: 'believe the node without proofs',
    pattern: /^(true|false)$/,
    allowed: 'true or false',
    bare: true,
  },
  trust_genesis_hash: {
    default: '',
    doc: 'hash of the genesis from which proofs are checked (mucli trust)',
    pattern: /^([0-9a-fA-F]{64})?$/,
    allowed: '64 hex digits',
  },
  trust_height: {
    default: '0',
    doc: 'height of a block from which proofs are checked, newer than the genesis; 0: none',
    pattern: /^\d{1,18}$/,
    allowed: 'a height',
  },
  trust_hash: {
    default: '',
    doc: 'hash of the block at trust_height',
    pattern: /^([0-9a-fA-F]{64})?$/,
    allowed: '64 hex digits',
  },
  trust_period_hours: {
    default: '336',
    doc: 'for so long a verified block vouches for later ones; well below the time for which stake is bound',
    pattern: /^[1-9]\d{0,5}$/,
    allowed: 'a number of hours',
  },
  witnesses: {
    default: '',
    doc: 'RPC addresses of further nodes, parted by commas, that must show the same blocks',
    pattern: /^(https?:\/\/[^\s,]+(,https?:\/\/[^\s,]+)*)?$/,
    allowed: 'http(s)://host:port,…',
  },
} as const satisfies Record<string, Setting>;

export type SettingName = keyof typeof settings;
export type Config = { readonly [K in SettingName]: string } & { readonly home: string };

export const settingNames = Object.keys(settings) as SettingName[];

export function flagOf(name: SettingName): string {
  return `--${name.replaceAll('_', '-')}`;
}

/** The folder of config, keys and manifests: --home, MUCLI_HOME, or ~/.mu. */
export function homeFolder(flag: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  return flag ?? env['MUCLI_HOME'] ?? join(homedir(), '.mu');
}

/** @throws CliError with the place and what is allowed */
export async function loadConfig(
  home: string,
  flags: Readonly<Partial<Record<SettingName, string>>>,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Config> {
  const file = join(home, 'mucli.toml');
  const written = existsSync(file) ? await readConfig(file) : {};
  const entries = settingNames.map((name) => {
    const value = flags[name] ?? env[`MUCLI_${name.toUpperCase()}`] ?? written[name] ?? settings[name].default;
    if (!settings[name].pattern.test(value)) {
      throw usageError(
        `${name}: "${value}" is not allowed; write ${settings[name].allowed} (${file}, MUCLI_${name.toUpperCase()} or ${flagOf(name)})`,
      );
    }
    return [name, value];
  });
  const config = { ...(Object.fromEntries(entries) as { [K in SettingName]: string }), home };
  return { ...config, keys_folder: config.keys_folder === '' ? join(home, 'keys') : config.keys_folder };
}

async function readConfig(file: string): Promise<Partial<Record<SettingName, string>>> {
  const { parse } = await import('smol-toml');
  let raw: Record<string, unknown>;
  try {
    raw = parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw usageError(`${file}: ${error instanceof Error ? error.message : 'not TOML'}`);
  }
  for (const [key, value] of Object.entries(raw)) {
    if (!(key in settings)) throw usageError(`${file}: unknown key "${key}"; known: ${settingNames.join(', ')}`);
    if (typeof value === 'object') throw usageError(`${file}: ${key} must be a text, a number, true or false`);
    raw[key] = String(value);
  }
  return raw as Partial<Record<SettingName, string>>;
}
