import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(60);

/** Runs a program that has opened something before, which would keep it alive. */
function run(parse: string): Promise<{ code: number | string | null; stderr: string }> {
  const file = join(import.meta.dirname, '..', '..', 'src', 'run-program.ts');
  const script = [
    `import { runProgram } from ${JSON.stringify(file)};`,
    "import { createServer } from 'node:net';",
    "createServer().listen(0, '127.0.0.1');",
    `await runProgram(${parse});`,
  ].join('\n');
  const { promise, resolve } = Promise.withResolvers<{ code: number | string | null; stderr: string }>();
  const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', script];
  execFile(process.execPath, flags, { timeout: 20_000 }, (error, _stdout, stderr) =>
    resolve({ code: error === null ? 0 : (error.code ?? null), stderr }),
  );
  return promise;
}

test('a command that fails ends its process with 1 and says why, whatever it had opened by then', async () => {
  const failed = await run("() => Promise.reject(new Error('127.0.0.1:8443 is taken'))");
  expect(failed).toEqual({ code: 1, stderr: 'mu-provider: 127.0.0.1:8443 is taken\n' });
});
