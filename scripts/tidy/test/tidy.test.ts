import { describe, expect, test } from '@jest/globals';
import { checkFile } from '../rules.ts';

const messages = (file: string, source: string): string[] => checkFile(file, source).map((one) => one.message);

describe('consensus code is refused', () => {
  const banned: [string, string][] = [
    ['a clock', 'export const now = Date.now();'],
    ['randomness', 'export const dice = Math.random();'],
    ['a timer', 'setTimeout(run, 5);'],
    ['an async function', 'export async function run() {}'],
    ['the environment', 'export const home = process.env;'],
    ['locale', 'names.sort((a, b) => a.localeCompare(b));'],
    ['a float', 'export const half = 0.5;'],
    ['for…in', 'for (const key in object) use(key);'],
    ['sort without comparison', 'names.sort();'],
  ];
  test.each(banned)('for %s', (_what, source) => {
    expect(messages('x/market/src/orders.ts', source)).toHaveLength(1);
    expect(messages('chain/framework/src/a.ts', source)).toHaveLength(1);
    expect(messages('lib/src/a.ts', source)).toHaveLength(1);
    expect(messages('client/src/a.ts', source)).toEqual([]);
  });
});

test('what stands in a comment or a string is no code', () => {
  expect(messages('lib/src/a.ts', '// Date is banned\nconst text = "await 0.5";\n/* Math.random() */')).toEqual([]);
});

test('leftovers are refused everywhere, sleeps and singled-out tests in tests', () => {
  expect(messages('cli/src/a.ts', '// TODO: later')).toHaveLength(1);
  expect(messages('cli/test/a.test.ts', 'test.only("x", run);')).toHaveLength(1);
  expect(messages('cli/test/a.test.ts', 'await sleep(5);')).toHaveLength(1);
});

test('long functions and files are named with their line', () => {
  const body = 'work();\n'.repeat(101);
  expect(checkFile('cli/src/a.ts', `// first\n\nexport function long() {\n${body}}\n`)).toEqual([
    { line: 3, message: expect.stringContaining('103 lines') },
  ]);
  expect(messages('cli/src/a.ts', 'a();\n'.repeat(601))).toEqual([expect.stringContaining('split the file')]);
});
