/** docs/OPERATORS.md says what is so: its tables are the program's, its commands exist, its errors are raised. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { program } from '../../src/commands/program.ts';
import { entryOf } from '../../src/node/config.ts';
import { renewReferences } from '../../src/node/reference.ts';

const root = join(import.meta.dirname, '..', '..', '..', '..');
const page = readFileSync(join(root, 'docs', 'OPERATORS.md'), 'utf8');

/** Words of the command lines that begin with `mud` in the page's shell blocks and in its text. */
const commandLines: readonly string[][] = [
  ...[...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n')),
  ...[...page.matchAll(/`(mud [^`\n]+)`/g)].map(([, line = '']) => line),
]
  .filter((line) => line.startsWith('mud ') && !line.includes('<') && !line.includes('['))
  .map((line) => line.split(/\s+/).slice(1));

/** The command of a line, and what follows its name. */
function find(words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  let command = program();
  let at = 0;
  for (; at < words.length; at++) {
    const next = command.commands.find((one) => one.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  return { command, rest: words.slice(at) };
}

test('the tables of commands, settings and metrics are those of the program (node scripts/operators-reference.ts)', () => {
  expect(renewReferences(page, program())).toBe(page);
});

describe('command lines of the page', () => {
  test('there are many', () => expect(commandLines.length).toBeGreaterThan(25));

  test.each(commandLines.map((words) => [words.join(' '), words] as const))('mud %s', (_line, words) => {
    const { command, rest } = find(words);
    // A group alone does nothing.
    expect([command.name(), command.commands.length]).toEqual([command.name(), 0]);
    for (const flag of rest.filter((word) => word.startsWith('--'))) {
      expect([flag, command.options.some(({ long }) => long === flag)]).toEqual([flag, true]);
    }
    const set = rest.indexOf('--set');
    if (set !== -1) entryOf((rest[set + 1] ?? '').split('=')[0] ?? '');
    if (command.name() === 'set' && rest[0] !== undefined) entryOf(rest[0]);
  });
});

test('every setting that the page names exists', () => {
  const named = [...page.matchAll(/`((?:node|engine|abci|store|mempool|rpc|telemetry)\.[a-z_]+)[` ]/g)];
  expect(named.length).toBeGreaterThan(5);
  for (const [, key = ''] of named) entryOf(key);
});

test('every error of the troubleshooting table is raised somewhere', () => {
  const sources = ['chain/app/src', 'x/upgrade/src'].flatMap((folder) => filesIn(join(root, folder)));
  const text = sources.map((file) => readFileSync(file, 'utf8')).join('\n');
  const rows = page
    .slice(page.indexOf('## Troubleshooting'), page.indexOf('## Commands'))
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.length).toBeGreaterThan(8);
  for (const row of rows) {
    for (const [, fragment = ''] of (row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g))
      expect([fragment, text.includes(fragment)]).toEqual([fragment, true]);
  }
});

test('the services start what exists, and only what exists is linked', () => {
  for (const [, path = ''] of page.matchAll(/\]\(\.\.\/([^)#]+)\)/g)) readFileSync(join(root, path));
  const unit = readFileSync(join(root, 'packaging', 'mud.service'), 'utf8');
  const [, program_ = '', args = ''] = /^ExecStart=\/opt\/mu\/(\S+) (.*)$/m.exec(unit) ?? [];
  expect(readFileSync(join(root, program_), 'utf8')).toMatch(/^#!\/bin\/sh/);
  expect(args).toBe('start --home /var/lib/mu');
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
