import { expect, test } from '@jest/globals';
import { type CommandShape, commandTable, renewed, table } from '../src/reference.ts';

const command = (name: string, more: Partial<CommandShape> = {}): CommandShape => ({
  ...{ name: () => name, usage: () => '[options]', description: () => `does ${name}` },
  ...{ options: [], commands: [] },
  ...more,
});

test('commands stand with their whole path, arguments and options; a group is no command', () => {
  const get = command('get', { usage: () => '[options] <key>', options: [{ flags: '-o <form>' }] });
  const program = command('mu', { commands: [command('start'), command('keys', { commands: [get] })] });
  expect(commandTable(program)).toBe(
    [
      '| command | what it does | options |',
      '|---|---|---|',
      '| `mu start` | does start |  |',
      '| `mu keys get <key>` | does get | `-o <form>` |',
    ].join('\n'),
  );
});

test('a bar within a cell ends no cell', () => {
  expect(table(['a'], [['x|y']])).toBe('| a |\n|---|\n| x\\|y |');
});

test('parts are renewed between their marks; a page without them is refused', () => {
  const page = 'before\n<!-- begin one -->\nold\n<!-- end one -->\nafter';
  expect(renewed(page, { one: 'new $1' })).toBe('before\n<!-- begin one -->\nnew $1\n<!-- end one -->\nafter');
  expect(() => renewed(page, { two: '' })).toThrow('no place for two');
});
