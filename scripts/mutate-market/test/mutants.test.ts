import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { mutants } from '../mutants.ts';
import { broken } from '../mutate.ts';

const root = resolve(import.meta.dirname, '../../..');

test.each(mutants.map((mutant) => [`${mutant.file}: ${mutant.rule}`, mutant] as const))(
  'the text still stands once: %s',
  (_name, mutant) => {
    const text = readFileSync(join(root, 'x', mutant.file), 'utf8');
    expect(broken(text, mutant)).not.toBe(text);
  },
);

test('a text that stands nowhere or twice is refused', () => {
  const mutant = { rule: 'a rule', file: 'market/src/keeper.ts', from: 'a', to: 'b' };
  expect(() => broken('xyz', mutant)).toThrow('stands there 0 times');
  expect(() => broken('aa', mutant)).toThrow('stands there 2 times');
  expect(broken('xay', mutant)).toBe('xby');
});
