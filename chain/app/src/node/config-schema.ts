/** Sections and keys of the node's config: type, bounds, default and doc of each in one place. */
import { z } from 'zod';

const price = String.raw`\d+(\.\d{1,18})?[a-zA-Z][a-zA-Z0-9/:._-]{2,127}`;
const gasPrices = new RegExp(`^(${price}(,${price})*)?$`);
const hostAndPort = /^[^:\s]+:\d{1,5}$/;

export const sections = {
  node: z.strictObject({
    moniker: z.string().max(64).default('node').describe('name of this node for people'),
    log_level: z
      .enum(['debug', 'info', 'warn', 'error', 'silent'])
      .default('info')
      .describe('debug, info, warn, error or silent'),
    minimum_gas_prices: z
      .string()
      .regex(gasPrices, 'prices with their denominations, like 0.001umu, divided by commas, or empty')
      .default('')
      .describe('the least price of gas that this node takes into its mempool, like "0.001umu"; empty: none'),
    verify_threads: z
      .int()
      .min(-1)
      .max(64)
      .default(0)
      .describe(
        'threads that verify signatures; 0: as fits the machine (two less than processors, at least one), -1: none',
      ),
    skip_upgrade_heights: z
      .array(z.string().regex(/^[1-9]\d{0,14}$/, 'heights, like ["1200"]'))
      .default([])
      .describe(
        'heights at which a planned upgrade is dropped instead of stopping; only if all validators do the same',
      ),
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
    proxy_app: z
      .string()
      .regex(/^(tcp:\/\/[^:\s]+:\d{1,5}|unix:\/\/\S+)?$/, 'tcp://host:port, unix:///path, or empty')
      .default('')
      .describe('engine solo: another ABCI application that it drives, instead of this one; empty: this one'),
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
      .regex(hostAndPort, 'host:port')
      .default('127.0.0.1:26657')
      .describe('where the CometBFT RPC listens; port 0: any free one'),
    cors_allowed_origins: z.array(z.string()).default([]).describe('origins that browsers may call from; "*" for all'),
  }),
  telemetry: z.strictObject({
    prometheus_laddr: z
      .string()
      .regex(/^([^:\s]+:\d{1,5})?$/, 'host:port, or empty')
      .default('')
      .describe('where /metrics (for Prometheus) and /health are served; port 0: any free one; empty: nowhere'),
    max_block_age_ms: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(60_000)
      .describe('/health answers 503 when the last block was committed longer ago; 0: it never looks at that'),
  }),
} as const;

export const schema = z.strictObject({
  node: sections.node.prefault({}),
  engine: sections.engine.prefault({}),
  abci: sections.abci.prefault({}),
  store: sections.store.prefault({}),
  mempool: sections.mempool.prefault({}),
  rpc: sections.rpc.prefault({}),
  telemetry: sections.telemetry.prefault({}),
});

export type NodeConfig = z.infer<typeof schema>;
export type ConfigValue = string | number | readonly string[];

/** One key of the config. */
export interface ConfigEntry {
  readonly section: string;
  readonly key: string;
  /** `section.key` */
  readonly dotted: string;
  readonly doc: string;
  readonly default: ConfigValue;
}

/** All keys in the order of the file. */
export const configEntries: readonly ConfigEntry[] = Object.entries(sections).flatMap(([section, shape]) =>
  Object.entries(shape.shape).map(([key, type]) => ({
    section,
    key,
    dotted: `${section}.${key}`,
    doc: (type as z.ZodType).description ?? '',
    default: (type as z.ZodType).parse(undefined) as ConfigValue,
  })),
);

/** The value of a key. */
export function configValue(config: NodeConfig, { section, key }: ConfigEntry): ConfigValue {
  return (config as unknown as Record<string, Record<string, ConfigValue>>)[section]?.[key] as ConfigValue;
}

/** Keys of a section; the sections where there is no such one. */
export function knownKeys(section: PropertyKey | undefined): string[] {
  const keys = configEntries.filter((entry) => entry.section === section).map(({ key }) => key);
  return keys.length > 0 ? keys : Object.keys(sections);
}

/** The version of the file's layout; raised when a key gets another name or meaning. */
export const configVersion = 2;

/** What changed with a version of the layout. Keys that are merely new need no word here. */
export interface ConfigStep {
  readonly to: number;
  /** old dotted key → new one */
  readonly renamed: Readonly<Record<string, string>>;
}

/** Version 1 had neither a `version` nor [telemetry]. */
export const configSteps: readonly ConfigStep[] = [{ to: 2, renamed: {} }];
