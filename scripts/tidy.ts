/**
 * The house rules that no linter knows, each with a message that says what to do. Run by `npm run tidy` and scripts/test.
 * The rules stand in scripts/tidy/rules.ts, their tests in scripts/tidy/test/tidy.test.ts.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { checkFile } from './tidy/rules.ts';

const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { encoding: 'utf8' })
  .split('\n')
  .filter((file) => /\.(ts|mts|cjs|mjs)$/.test(file) && !file.includes('/generated/'));

let violations = 0;
for (const file of files) {
  for (const violation of checkFile(file, readFileSync(file, 'utf8'))) {
    console.error(`${file}:${violation.line}: ${violation.message}`);
    violations += 1;
  }
}
if (violations > 0) {
  console.error(`tidy: ${violations} violations in ${files.length} files`);
  process.exit(1);
}
console.log(`tidy: ${files.length} files keep the house rules`);
