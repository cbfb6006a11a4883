/** `./scripts/demo --containers` as a person runs it. */
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { describeWithDocker } from '../../provider-daemon/test/support/docker.ts';
import { runCommand } from '../src/process.ts';

jest.setTimeout(240_000);

describeWithDocker('the demo of containers', () => {
  test('updates, scales and survives a kill without a request lost', async () => {
    const demo = join(import.meta.dirname, '..', '..', 'scripts', 'demo');
    const done = await runCommand(demo, ['--containers', '--json']);
    expect(done.code === 0 ? '' : done.stderr).toBe('');
    const summary = JSON.parse(done.stdout.trim().split('\n').at(-1) ?? '{}') as Record<string, unknown>;
    expect(summary).toMatchObject({
      demo: 'ok',
      workloads: { containers: 3, functions: 1 },
      survived_kill: true,
      answer_before: { greeting: 'welcome' },
      answer_after: { greeting: 'welcome back' },
      failed: 0,
    });
    expect(Number(summary['requests'])).toBeGreaterThan(20);
  });
});
