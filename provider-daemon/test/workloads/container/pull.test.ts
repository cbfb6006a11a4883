/** Pulls that take more than they said, or never end; and an engine that does not answer. */

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { DockerEngine } from '../../../src/workloads/container/docker-engine.ts';
import { type Engine, EngineError, type PullProgress } from '../../../src/workloads/container/engine.ts';
import { httpProbe } from '../../../src/workloads/container/health.ts';
import { PullTotals, pullImage } from '../../../src/workloads/container/pull.ts';
import { errorOf } from '../driver-compliance.ts';

const canonical = `registry.example/a@sha256:${'0'.repeat(64)}`;
const reference = { registry: 'registry.example', repository: 'a', digest: canonical.split('@')[1]!, canonical };
const line = (layer: string | undefined, status: string, current = 0, total = 0): PullProgress => ({
  layer,
  status,
  current,
  total,
});
const [one, two] = ['0'.repeat(12), '1'.repeat(12)];

/** An engine that tells `lines`, then says nothing until the pull is given up. */
function engineThat(
  lines: readonly (PullProgress | EngineError)[],
  { ends }: { ends: boolean },
): Engine & { wasStopped: boolean } {
  const engine = {
    wasStopped: false,
    pull: async (_reference: string, _credentials: unknown, signal: AbortSignal) =>
      (async function* () {
        for (const each of lines) {
          if (each instanceof EngineError) throw each;
          yield each;
        }
        if (ends) return;
        await new Promise<void>((resolve) => {
          if (signal.aborted) resolve();
          signal.addEventListener('abort', () => resolve());
        });
        engine.wasStopped = true;
        throw new Error('aborted');
      })(),
  };
  return engine as unknown as Engine & { wasStopped: boolean };
}

function optionsOf(more: { freeBytes?: () => Promise<number | undefined>; stepMs?: number } = {}) {
  let nowMs = 0;
  const told: string[] = [];
  return {
    told,
    options: {
      credentials: undefined,
      limits: { maxBytes: 1000, maxUnpackedBytes: 5000 },
      guard: {
        clock: {
          now: () => nowMs,
          elapsed: () => nowMs,
          wait: async (ms: number) => {
            nowMs += more.stepMs ?? ms;
            await new Promise((resolve) => setImmediate(resolve));
          },
        },
        freeBytes: more.freeBytes ?? (async () => undefined),
        reserveBytes: 100,
      },
      tell: (text: string) => told.push(text),
      layers: 2,
      bytes: 10,
    },
  };
}

describe('a pull', () => {
  test('is given up when its layers turn out larger than allowed', async () => {
    const engine = engineThat([line(one, 'Downloading', 10, 600), line(two, 'Downloading', 10, 600)], { ends: false });
    const error = await errorOf(pullImage(engine, reference, optionsOf().options));
    expect(error.reason).toBe('image');
    expect(error.message).toContain('more than 1000 bytes to fetch');
    expect(engine.wasStopped).toBe(true);
  });

  test('is given up when the disk fills by more than an image may take', async () => {
    let free = 1_000_000;
    const freeBytes = async () => {
      free -= 1000;
      return free;
    };
    const engine = engineThat([], { ends: false });
    const error = await errorOf(pullImage(engine, reference, optionsOf({ freeBytes }).options));
    expect(error.reason).toBe('image');
    expect(error.message).toContain('unpacked it is larger than 5000 bytes');
    expect(engine.wasStopped).toBe(true);
  });

  test('is given up when the disk has no room left', async () => {
    let free = 600;
    const freeBytes = async () => {
      free -= 100;
      return free;
    };
    const error = await errorOf(
      pullImage(engineThat([], { ends: false }), reference, optionsOf({ freeBytes }).options),
    );
    expect(error.reason).toBe('failed');
    expect(error.message).toMatch(/no room for .*: 0 bytes are free|no room for .*: \d\d bytes are free/);
  });

  test('is given up when nothing comes for two minutes', async () => {
    const error = await errorOf(
      pullImage(engineThat([line(one, 'Waiting')], { ends: false }), reference, optionsOf({ stepMs: 30_000 }).options),
    );
    expect(error.reason).toBe('image');
    expect(error.message).toContain('no progress for 120 s');
  });

  test('that the registry refuses is the image’s fault, one without an engine is the host’s', async () => {
    const refused = engineThat([new EngineError('could not pull the image: manifest unknown', 500)], { ends: true });
    expect((await errorOf(pullImage(refused, reference, optionsOf().options))).reason).toBe('image');
    const gone = engineThat([new EngineError('no engine')], { ends: true });
    expect((await errorOf(pullImage(gone, reference, optionsOf().options))).reason).toBe('failed');
  });

  test('tells how far it is, at most every three seconds', () => {
    const totals = new PullTotals({ layers: 2, bytes: 10 });
    expect(totals.add(line(undefined, 'Pulling from a'), 0)).toBeUndefined();
    expect(totals.add(line(one, 'Downloading', 1, 5), 0)).toBe('fetching: 0 of 2 layers are here');
    expect(totals.add(line(one, 'Pull complete'), 2_999)).toBeUndefined();
    expect(totals.add(line(two, 'Downloading', 3, 4), 3_000)).toBe('fetching: 1 of 2 layers are here');
    expect(totals.fetchedBytes).toBe(9);
  });
});

describe('an engine', () => {
  test('that does not answer is left within the time', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mu-engine-'));
    const socket = join(folder, 's');
    const server = createServer(() => {});
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    try {
      const error = await errorOf(new DockerEngine({ socket, callMs: 200 }).facts());
      expect(error.reason).toBe('failed');
      expect(error.message).toContain(
        'could not ask the engine about itself: the container engine gave no answer within 200 ms',
      );
      expect((error as EngineError).gone).toBe(true);
    } finally {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    }
  });

  test('that is not there is told with what to do', async () => {
    const error = await errorOf(new DockerEngine({ socket: '/no/such.sock' }).facts());
    expect(error.message).toBe(
      'could not ask the engine about itself: no container engine at unix:///no/such.sock (ENOENT); is it running? systemctl start docker',
    );
  });
});

test.each([
  [200, true],
  [302, true],
  [399, true],
  [404, false],
  [500, false],
])('a check that is answered %d: %s', async (status, healthy) => {
  const server = createServer((request, response) => {
    response.writeHead(request.url === '/up' ? status : 418).write('a body without an end');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await httpProbe({ address: '127.0.0.1', port, path: '/up' }, 5_000)).toBe(healthy);
  server.closeAllConnections();
  server.close();
});

test('a check that nobody answers fails, at once or within its time', async () => {
  const server = createServer(() => {});
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  expect(await httpProbe({ address: '127.0.0.1', port, path: '/' }, 100)).toBe(false);
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await httpProbe({ address: '127.0.0.1', port, path: '/' }, 5_000)).toBe(false);
});
