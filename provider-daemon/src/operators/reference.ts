/** The parts of docs/PROVIDER.md that are made from the program itself: commands, settings, limits of the gateway, metrics. */
import { code, commandTable, metricsTable, renewed, table } from '@mu/lib/reference';
import type { Command } from 'commander';
import { schema, snakeCase } from '../config/schema.ts';
import type { Section } from '../config/setting.ts';
import { defaultLimits, type GatewayLimits } from '../gateway/limits.ts';
import { metricTable } from './metric-table.ts';

export interface ReferenceSources {
  readonly program: Command;
  /** Text of src/gateway/limits.ts: what each limit is stands there, beside it. */
  readonly limitsSource: string;
}

/** The page with those parts as they are now. @throws Error when a part has no marks */
export function renewReferences(page: string, { program, limitsSource }: ReferenceSources): string {
  return renewed(page, {
    commands: commandTable(program),
    config: configTables(),
    limits: limitTable(limitsSource),
    metrics: metricsTable(metricTable),
  });
}

function configTables(): string {
  return Object.entries<Section>(schema)
    .map(([section, { doc, settings }]) => {
      const rows = Object.entries(settings).map(([key, { kind, fallback, doc: meaning }]) => [
        code(snakeCase(key)),
        fallback === undefined ? 'needed' : code(kind.write(fallback)),
        meaning,
        kind.form,
      ]);
      return `**[${snakeCase(section)}]** ${doc}\n\n${table(['key', 'default', 'what it is', 'allowed'], rows)}`;
    })
    .join('\n\n');
}

/** Limits that a setting changes. */
const limitSettings: Partial<Record<keyof GatewayLimits, string>> = {
  bodyBytes: 'gateway.max_body',
  connections: 'gateway.max_connections',
  connectionsPerClient: 'gateway.max_connections_per_client',
  calls: 'gateway.max_requests',
  callsPerDeployment: 'gateway.max_requests_per_deployment',
  drainMs: 'gateway.drain_s',
};

function limitTable(source: string): string {
  const meanings = limitMeanings(source);
  const rows = Object.entries(defaultLimits).map(([name, value]: [string, number]) => {
    const setting = limitSettings[name as keyof GatewayLimits];
    const meaning = meanings.get(name);
    if (meaning === undefined) throw new Error(`the limit ${name} has no words`);
    return [code(name), shownLimit(name, value), meaning, setting === undefined ? '' : code(setting)];
  });
  return table(['limit', 'default', 'what it is', 'setting'], rows);
}

/** What stands above each limit in the source; one without words of its own belongs to the one before. */
function limitMeanings(source: string): ReadonlyMap<string, string> {
  const meanings = new Map<string, string>();
  let words = '';
  for (const [, comment, name] of source.matchAll(/\/\*\* (.*?) \*\/|readonly (\w+): number;/g)) {
    if (comment !== undefined) words = comment.replace(/(,| of) in ms\b|, in bytes\b/g, '');
    else if (name !== undefined) meanings.set(name, words);
  }
  return meanings;
}

const kibibyte = 1024;
const mebibyte = kibibyte * kibibyte;

function shownLimit(name: string, value: number): string {
  if (name.endsWith('Ms')) return value % 1_000 === 0 ? `${value / 1_000} s` : `${value} ms`;
  if (!/Bytes|Memory/.test(name)) return value.toLocaleString('en-US');
  if (value % mebibyte === 0) return `${value / mebibyte} MiB`;
  return value % kibibyte === 0 ? `${value / kibibyte} KiB` : `${value} bytes`;
}
