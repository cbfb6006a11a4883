/** docs/PROVIDER.md says what is so: its tables are the program's, its commands and settings exist, its errors are raised. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { schema, settings, snakeCase } from '../../src/config/schema.ts';
import { metricTable } from '../../src/operators/metric-table.ts';
import { renewReferences } from '../../src/operators/reference.ts';
import { program } from '../../src/program.ts';
import { graceBlocks } from '../../src/rotation/encryption.ts';
import { leadBlocks } from '../../src/rotation/rotation.ts';
import { restrictions } from '../../src/workloads/container/create-options.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const page = readFileSync(join(root, 'docs', 'PROVIDER.md'), 'utf8');
const limitsSource = readFileSync(join(root, 'provider-daemon', 'src', 'gateway', 'limits.ts'), 'utf8');

/** Command lines that begin with `mu-provider`, in the page's shell blocks and in its text, without what is set apart. */
const commandLines: readonly string[][] = [
  ...[...page.matchAll(/```sh\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n')),
  ...[...page.matchAll(/`(mu-provider [^`\n]+)`/g)].map(([, line = '']) => line),
]
  .map((line) => line.replace(/\s+#.*$|…|\$\([^)]*\)/g, '').trim())
  .filter((line) => line.startsWith('mu-provider ') && !line.includes('<'))
  .map((line) => line.split(/\s+/).slice(1));

function find(words: readonly string[]): { readonly command: Command; readonly rest: readonly string[] } {
  let command = program();
  let at = 0;
  for (; at < words.length; at += 1) {
    const next = command.commands.find((one) => one.name() === words[at]);
    if (next === undefined) break;
    command = next;
  }
  return { command, rest: words.slice(at) };
}

test('the tables are those of the program (node scripts/operators-reference.ts)', () => {
  expect(renewReferences(page, { program: program(), limitsSource })).toBe(page);
});

describe('command lines of the page', () => {
  test('there are many', () => expect(commandLines.length).toBeGreaterThan(30));

  test.each(commandLines.map((words) => [words.join(' '), words] as const))('mu-provider %s', (_line, words) => {
    const { command, rest } = find(words);
    const known = [...command.options, ...program().options].flatMap(({ long, short }) => [long, short]);
    if (words[0] !== '--version') expect([command.name(), command.commands.length]).toEqual([command.name(), 0]);
    for (const flag of rest.filter((word) => word.startsWith('-')))
      expect([flag, known.includes(flag)]).toEqual([flag, true]);
  });
});

test('every setting that the page names exists', () => {
  const sections = Object.keys(schema).map(snakeCase).join('|');
  const known = settings.map(({ path }) => path);
  const named = [...page.matchAll(new RegExp(`\`((?:${sections})\\.[a-z_]+)[\` =]`, 'g'))].map(([, path = '']) => path);
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((path) => !known.includes(path))).toEqual([]);
  const flags = [...page.matchAll(/`(--[a-z-]+)[` ]/g)].map(([, flag = '']) => flag);
  const commands = ['--home', '--yes', '--wait', '--dry-run', '--workloads', '--off', '--node'];
  const unknown = flags.filter((flag) => !commands.includes(flag) && !settings.some((one) => one.flag === flag));
  expect(unknown.filter((flag) => flag !== '--pricing-')).toEqual([]);
});

test('every metric of the alerts exists', () => {
  const named = [...page.matchAll(/expr: (.*)/g)].flatMap(
    ([, expression = '']) => expression.match(/mu_provider_\w+/g) ?? [],
  );
  expect(named.length).toBeGreaterThan(8);
  const known: readonly string[] = metricTable.map(({ name }) => name);
  expect(named.filter((name) => !known.includes(name))).toEqual([]);
});

test('every message of the troubleshooting table is written somewhere', () => {
  const text = filesIn(join(root, 'provider-daemon', 'src'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
  const rows = page
    .slice(page.indexOf('## Troubleshooting'), page.indexOf('## Commands'))
    .split('\n')
    .filter((line) => line.startsWith('| `'));
  expect(rows.length).toBeGreaterThan(18);
  for (const row of rows) {
    for (const [, fragment = ''] of (row.split(' | ')[0] ?? '').matchAll(/`([^`]+)`/g))
      expect([fragment, text.includes(fragment)]).toEqual([fragment, true]);
  }
});

test('figures of containers and rotations are those of the program', () => {
  const mebibyte = 1024 * 1024;
  for (const [row, figure] of [
    ['| processes |', restrictions.pids],
    ['| open files |', restrictions.openFiles.toLocaleString('en-US')],
    ['| stop |', `SIGTERM, ${restrictions.stopSeconds} s`],
    ['| logs |', `${restrictions.logFiles} files of ${restrictions.logFileBytes / mebibyte} MiB`],
    ['| when memory', `\`oom_score_adj\` ${restrictions.oomScoreAdj}`],
    ['| `encryption` |', `${leadBlocks} blocks; then ${graceBlocks}`],
  ] as const) {
    const line = page.split('\n').find((one) => one.startsWith(row)) ?? '';
    expect([row, line.includes(String(figure))]).toEqual([row, true]);
  }
});

test('the service starts what exists, and only what exists is linked', () => {
  for (const [, path = ''] of page.matchAll(/\]\((?:\.\.\/)?([^)#:]+)(?:#[^)]*)?\)/g))
    readFileSync(join(root, path.includes('/') ? path : `docs/${path}`));
  const anchors = [...page.matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replace(/[^a-z0-9 -]/g, '')
      .replaceAll(' ', '-'),
  );
  for (const [, anchor = ''] of page.matchAll(/\]\(#([^)]+)\)/g))
    expect([anchor, anchors.includes(anchor)]).toEqual([anchor, true]);
  const unit = readFileSync(join(root, 'packaging', 'mu-provider.service'), 'utf8');
  const [, path = '', args = ''] = /^ExecStart=\/opt\/mu\/(\S+) (.*)$/m.exec(unit) ?? [];
  expect(readFileSync(join(root, path), 'utf8')).toMatch(/^#!\/bin\/sh/);
  expect(args).toBe('start');
  expect(unit).toMatch(/^KillMode=process$/m);
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
