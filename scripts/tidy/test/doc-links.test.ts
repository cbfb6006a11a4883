import { expect, test } from '@jest/globals';
import { checkDocLinks, renewDocLinks } from '../doc-links.ts';

const files: Record<string, string> = { 'a.ts': '// run it\n\nexport function run() {}\n' };
const read = (path: string): string | undefined => files[path];

test('a link must lead to a line that holds the name', () => {
  expect(checkDocLinks('see [`App.run`](../a.ts#L3)', read)).toEqual([]);
  expect(checkDocLinks('\nsee [`App.run`](../a.ts#L2)', read)).toEqual([
    { line: 2, message: expect.stringContaining('a.ts#L2') },
  ]);
  expect(checkDocLinks('[`run`](../b.ts#L1)', read)).toEqual([{ line: 1, message: '../b.ts does not exist' }]);
});

test('renewing finds the declaration', () => {
  expect(renewDocLinks('[`App.run`](../a.ts#L9)', read)).toBe('[`App.run`](../a.ts#L3)');
});
