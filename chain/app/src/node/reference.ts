/** The parts of docs/OPERATORS.md that are made from the program itself: commands, settings, metrics. */
import { code, commandTable, metricsTable, renewed, table } from '@mu/lib/reference';
import type { Command } from 'commander';
import { metricTable } from '../telemetry/metrics.ts';
import { type ConfigEntry, configEntries, sections } from './config-schema.ts';

/** The page with those parts as they are now. @throws Error when a part has no marks */
export function renewReferences(page: string, mud: Command): string {
  return renewed(page, { commands: commandTable(mud), config: configTable(), metrics: metricsTable(metricTable) });
}

function configTable(): string {
  return Object.keys(sections)
    .map((section) => {
      const rows = configEntries.filter((entry) => entry.section === section).map(configRow);
      return `**[${section}]**\n\n${table(['key', 'default', 'what it is'], rows)}`;
    })
    .join('\n\n');
}

function configRow({ key, default: value, doc }: ConfigEntry): string[] {
  return [code(key), code(JSON.stringify(value)), doc];
}
