/** Tables of docs/OPERATORS.md that are made from the program itself: commands, settings, metrics. */
import type { Command } from 'commander';
import { metricTable } from '../telemetry/metrics.ts';
import { type ConfigEntry, configEntries, sections } from './config-schema.ts';

/** The parts of the page that are made here, by the name in their marks `<!-- begin NAME -->` and `<!-- end NAME -->`. */
export function references(mud: Command): Readonly<Record<string, string>> {
  return { commands: commandTable(mud), config: configTable(), metrics: metricsTable() };
}

/** The page with those parts as they are now. @throws Error when a part has no marks */
export function renewReferences(page: string, mud: Command): string {
  return Object.entries(references(mud)).reduce((text, [name, table]) => {
    const marks = new RegExp(`(<!-- begin ${name} -->\\n)[^]*?(\\n<!-- end ${name} -->)`);
    if (!marks.test(text)) throw new Error(`the page has no place for ${name}`);
    return text.replace(marks, (_whole, begin: string, end: string) => `${begin}${table}${end}`);
  }, page);
}

function commandTable(mud: Command): string {
  const rows = leaves(mud).map(({ path, command }) => {
    const options = command.options.map(({ flags }) => code(flags)).join(', ');
    return [code(`${path} ${command.usage().replace('[options]', '').trim()}`.trim()), command.description(), options];
  });
  return table(['command', 'what it does', 'options'], rows);
}

function leaves(command: Command, path = 'mud'): { readonly path: string; readonly command: Command }[] {
  return command.commands.flatMap((one) => {
    const name = `${path} ${one.name()}`;
    return one.commands.length > 0 ? leaves(one, name) : [{ path: name, command: one }];
  });
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

function metricsTable(): string {
  const rows = metricTable.map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]);
  return table(['metric', 'type', 'labels', 'what it is'], rows);
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

const code = (text: string): string => `\`${text}\``;
