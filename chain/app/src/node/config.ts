/**
 * The node's config: type, default and doc in one place. Order of precedence: file < environment (MUD_RPC_LADDR, …) <
 * flag. An unknown key is an error.
 */
import { existsSync, readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { z } from 'zod';

const coinPrice = /^(\d+(\.\d{1,18})?[a-zA-Z][a-zA-Z0-9/:._-]{2,127})?$/;

/** Sections of the file; each value has its default and its doc. */
const sections = {
  node: z.strictObject({
    moniker: z.string().max(64).default('node').describe('name of this node for people'),
    log_level: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .describe('debug, info, warn, error or silent'),
    minimum_gas_prices: z
      .string()
      .regex(coinPrice, 'a price and a denomination, like 0.001umu, or empty')
      .default('')
      .describe('the least price of gas that this node takes into its mempool, like "0.001umu"; empty: none'),
    verify_threads: z
      .int()
      .min(-1)
      .max(64)
      .default(0)
      .describe('threads that verify signatures; 0: one less than there are processors, -1: none'),
  }),
  engine: z.strictObject({
    kind: z
      .enum(['solo', 'cometbft'])
      .default('solo')
      .describe(
        '"solo": one validator in this process; "cometbft": CometBFT drives this node over the socket of [abci]',
      ),
    block_interval_ms: z
      .int()
      .min(0)
      .max(3_600_000)
      .default(1000)
      .describe('engine solo: time between two blocks; 0: a block as soon as a transaction is there'),
  }),
  abci: z.strictObject({
    laddr: z
      .string()
      .regex(/^(tcp:\/\/[^:\s]+:\d{1,5}|unix:\/\/\S+)$/, 'tcp://host:port or unix:///path')
      .default('tcp://127.0.0.1:26658')
      .describe('engine cometbft: where the ABCI socket listens; a relative unix path begins at the home folder'),
    max_message_bytes: z
      .int()
      .min(1_048_576)
      .max(2_147_483_647)
      .default(1_073_741_824)
      .describe('engine cometbft: the largest message taken from the socket (genesis comes in one)'),
  }),
  store: z.strictObject({
    pruning: z
      .enum(['default', 'nothing', 'everything', 'custom'])
      .default('default')
      .describe('old versions of the state: "default" keeps 362880, "nothing" is archival, "everything" keeps 2'),
    pruning_keep_recent: z
      .int()
      .min(0)
      .max(4_294_967_295)
      .default(0)
      .describe('pruning custom: how many versions are kept beside the latest'),
    pruning_interval: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe('pruning custom: blocks between two prunings, at least 10'),
    cache_mb: z
      .int()
      .min(16)
      .max(65_536)
      .default(256)
      .describe('memory for nodes of the state trees and for recent values, in MiB'),
    snapshot_interval: z
      .int()
      .min(0)
      .max(1_000_000)
      .default(0)
      .describe('blocks between two snapshots for state sync; 0: none are taken'),
    snapshot_keep_recent: z.int().min(0).max(1000).default(2).describe('how many snapshots are kept; 0: all'),
  }),
  mempool: z.strictObject({
    size: z.int().min(1).max(1_000_000).default(5000).describe('how many transactions wait at most'),
    max_tx_bytes: z.int().min(1).max(1_048_576).default(1_048_576).describe('bytes of one transaction'),
    max_txs_bytes: z.int().min(1).max(1_073_741_824).default(67_108_864).describe('bytes of all that wait'),
  }),
  rpc: z.strictObject({
    laddr: z
      .string()
      .regex(/^[^:\s]+:\d{1,5}$/, 'host:port')
      .default('127.0.0.1:26657')
      .describe('where the CometBFT RPC listens; port 0: any free one'),
    cors_allowed_origins: z.array(z.string()).default([]).describe('origins that browsers may call from; "*" for all'),
  }),
} as const;

const schema = z.strictObject({
  node: sections.node.prefault({}),
  engine: sections.engine.prefault({}),
  abci: sections.abci.prefault({}),
  store: sections.store.prefault({}),
  mempool: sections.mempool.prefault({}),
  rpc: sections.rpc.prefault({}),
});

export type NodeConfig = z.infer<typeof schema>;

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
  env: Readonly<Record<string, string | undefined>>,
  overrides: Readonly<Record<string, string>> = {},
): NodeConfig {
  const raw = existsSync(file) ? parseFile(file) : {};
  for (const [key, value] of [...fromEnvironment(env), ...Object.entries(overrides)]) put(raw, key, value);
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  const problems = result.error.issues.map((issue) =>
    issue.code === 'unrecognized_keys'
      ? `unknown key ${[...issue.path, issue.keys[0]].join('.')}; known: ${knownKeys(issue.path[0]).join(', ')}`
      : `${issue.path.join('.')}: ${issue.message}`,
  );
  throw new ConfigError(`${file}: ${problems.join('; ')}`);
}

/** The commented file that `mud init` writes. */
export function renderConfig(config: NodeConfig): string {
  const lines = [
    '# Config of mud. What is left out keeps its default; MUD_<SECTION>_<KEY> in the environment and flags win.',
  ];
  for (const [section, shape] of Object.entries(sections)) {
    lines.push('', `[${section}]`);
    for (const [key, type] of Object.entries(shape.shape)) {
      const value = (config as Record<string, Record<string, unknown>>)[section]?.[key];
      lines.push(`# ${(type as z.ZodType).description ?? ''}`, `${key} = ${JSON.stringify(value)}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

function parseFile(file: string): Record<string, unknown> {
  try {
    return parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof TomlError)
      throw new ConfigError(`${file}:${error.line}:${error.column}: ${error.message.split('\n')[0]}`);
    throw error;
  }
}

function* fromEnvironment(env: Readonly<Record<string, string | undefined>>): Generator<[string, string]> {
  for (const [section, shape] of Object.entries(sections)) {
    for (const key of Object.keys(shape.shape)) {
      const value = env[`MUD_${section}_${key}`.toUpperCase()];
      if (value !== undefined) yield [`${section}.${key}`, value];
    }
  }
}

/** Sets a text from the environment or a flag; numbers and lists are read from it as the schema wants them. */
function put(raw: Record<string, unknown>, dotted: string, text: string): void {
  const [section = '', key = ''] = dotted.split('.');
  const shape = (sections as Record<string, z.ZodObject>)[section]?.shape as Record<string, z.ZodType> | undefined;
  const type = shape?.[key];
  if (type === undefined) throw new ConfigError(`unknown key ${dotted}; known: ${knownKeys(section).join(', ')}`);
  const sample = type.parse(undefined);
  let value: unknown = text;
  if (typeof sample === 'number') value = Number(text);
  else if (Array.isArray(sample)) value = text === '' ? [] : text.split(',');
  raw[section] = { ...(raw[section] as object | undefined), [key]: value };
}

function knownKeys(section: PropertyKey | undefined): string[] {
  const shape = (sections as Record<string, z.ZodObject>)[String(section)]?.shape;
  return shape === undefined ? Object.keys(sections) : Object.keys(shape);
}
