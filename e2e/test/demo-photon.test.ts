/** `./scripts/demo --photon` as a person runs it. */
import { join } from 'node:path';
import { expect, jest, test } from '@jest/globals';
import { describeWithDocker } from '../../provider-daemon/test/support/docker.ts';
import { runCommand } from '../src/process.ts';

jest.setTimeout(300_000);

describeWithDocker('the demo of Photon', () => {
  test('ends with an answer through a new lease, with the manifest from a peer', async () => {
    const demo = join(import.meta.dirname, '..', '..', 'scripts', 'demo');
    const done = await runCommand(demo, ['--photon', '--json']);
    expect(done.code === 0 ? '' : done.stderr).toBe('');
    const summary = JSON.parse(done.stdout.trim().split('\n').at(-1) ?? '{}') as {
      readonly leases: readonly { readonly lease: number; readonly provider: string }[];
    };
    const [web, db, renewed] = summary.leases;
    expect(summary).toMatchObject({
      demo: 'ok',
      broken: [db?.lease],
      manifest_from: [web?.provider],
      answer_before: { visits: expect.any(Number), instance: 'web-0' },
      answer_after: { visits: expect.any(Number), instance: 'web-0' },
    });
    expect(new Set([web?.provider, db?.provider, renewed?.provider]).size).toBe(3);
  });
});
