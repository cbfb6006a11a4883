/**
 * The house rules that no linter knows, each with a message that says what to do. Run by `npm run tidy` and scripts/test.
 * The rules stand in scripts/tidy/, their tests in scripts/tidy/test/.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { checkDocLinks, renewDocLinks } from './tidy/doc-links.ts';
import { checkFile, type Violation } from './tidy/rules.ts';

const all = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
const code = all.filter((file) => /\.(ts|mts|cjs|mjs)$/.test(file) && !file.includes('/generated/'));
const docs = all.filter((file) => /^docs\/[^/]+\.md$/.test(file));
const read = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);

if (process.argv.includes('--write')) {
  for (const doc of docs) writeFileSync(doc, renewDocLinks(readFileSync(doc, 'utf8'), read));
}

const found: [string, Violation][] = [
  ...code.flatMap((file) => checkFile(file, readFileSync(file, 'utf8')).map((one): [string, Violation] => [file, one])),
  ...docs.flatMap((file) =>
    checkDocLinks(readFileSync(file, 'utf8'), read).map((one): [string, Violation] => [file, one]),
  ),
];
for (const [file, { line, message }] of found) console.error(`${file}:${line}: ${message}`);
if (found.length > 0) {
  console.error(`tidy: ${found.length} violations in ${code.length + docs.length} files`);
  process.exit(1);
}
console.log(`tidy: ${code.length} files of code and ${docs.length} of docs keep the house rules`);
