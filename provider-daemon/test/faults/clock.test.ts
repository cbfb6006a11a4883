/** The clock of the machine is set while something is under way: nothing is given up early, and nothing waits for hours. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, jest, test } from '@jest/globals';
import { PlaneServer } from '../../src/data-plane/plane-server.ts';
import { FactsKeeper } from '../../src/operators/facts.ts';
import type { ContainerFacts, Engine } from '../../src/workloads/container/engine.ts';
import { Instance } from '../../src/workloads/container/instance.ts';
import type { ContainerParts } from '../../src/workloads/container/parts.ts';

const hourMs = 3_600_000;

afterEach(() => {
  jest.restoreAllMocks();
});

/** A container that runs, and a clock that is set by `jumpMs` after so many waits. */
function instanceOf(of: { jumpMs: number; afterWaits: number; answersAfter?: number; patience?: number }) {
  const begun = 1_700_000_000_000;
  let elapsed = 0;
  let waits = 0;
  const now = (): number => begun + elapsed + (waits >= of.afterWaits ? of.jumpMs : 0);
  const facts = { phase: 'running', startedMs: begun, restarts: 0, exitCode: 0, memoryKill: false, error: '' };
  const parts = {
    engine: {
      inspect: async () => facts as ContainerFacts,
      start: async () => {},
      logs: async () => (async function* () {})(),
    } as unknown as Engine,
    marks: { read: () => undefined, write: () => {}, remove: () => {}, names: () => [] },
    clock: {
      now,
      elapsed: () => elapsed,
      wait: async (ms: number) => {
        waits += 1;
        elapsed += ms;
        // Lets others have their turn, as a real wait would.
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
    probe: async () => elapsed >= (of.answersAfter ?? 0),
    log: () => {},
    patience: { readyMs: of.patience ?? 60_000, settleMs: 2_000, maxEnds: 3 },
  };
  const health = of.answersAfter === undefined ? undefined : { path: '/', port: 80, intervalMs: 1_000 };
  const instance = new Instance({
    parts: parts as unknown as ContainerParts,
    workload: { deployment: '1', service: 'web' },
    place: { deployment: '1', service: 'web', instance: 0, specHash: 'x' },
    containerId: 'c',
    address: '10.0.0.2',
    health,
    onChange: () => {},
    onVanished: () => {},
  });
  return { instance, elapsed: () => elapsed };
}

for (const jumpMs of [hourMs, -hourMs]) {
  const how = jumpMs > 0 ? 'forward' : 'back';

  test(`set ${how} by an hour, a new container with a check still has its time to come up`, async () => {
    const { instance } = instanceOf({ jumpMs, afterWaits: 5, answersAfter: 20_000 });
    await instance.start();
    await instance.comeUp();
    await instance.detach();
  });

  test(`set ${how} by an hour, one that never answers is given up when its time is over`, async () => {
    const { instance, elapsed } = instanceOf({ jumpMs, afterWaits: 5, answersAfter: 10 * hourMs });
    await instance.start();
    await expect(instance.comeUp()).rejects.toThrow('within 60 s');
    expect(elapsed()).toBeLessThan(200_000);
    await instance.detach();
  });

  test(`set ${how} by an hour, one without a check comes up when it has run for a while`, async () => {
    const { instance, elapsed } = instanceOf({ jumpMs, afterWaits: 3 });
    await instance.start();
    await instance.comeUp();
    expect(elapsed()).toBeGreaterThanOrEqual(2_000);
    expect(elapsed()).toBeLessThan(10_000);
    await instance.detach();
  });
}

test('a data plane that waits for its daemon does not take a clock that is set for days of waiting', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mu-clock-'));
  const greeting = { settings: '', gateway: { host: '', port: 0 }, host: { host: '', port: 0 } };
  const server = new PlaneServer({ plane: {} as never, path: join(folder, 's'), greeting, onStop: async () => {} });
  await server.listen();
  const real = Date.now();
  jest.spyOn(Date, 'now').mockImplementation(() => real + 48 * hourMs);
  expect(server.aloneMs()).toBeLessThan(60_000);
  jest.spyOn(Date, 'now').mockImplementation(() => real - 48 * hourMs);
  expect(server.aloneMs()).toBeGreaterThanOrEqual(0);
  await server.close();
  rmSync(folder, { recursive: true });
});

test('what an operator sees is asked for again although the clock was set back', async () => {
  let nowMs = 10 * hourMs;
  let asked = 0;
  const facts = new FactsKeeper({
    asking: {
      node: {
        everyMs: 5_000,
        async ask() {
          asked += 1;
        },
      },
    } as never,
    now: () => nowMs,
  });
  await facts.look();
  await facts.look();
  expect(asked).toBe(1);
  nowMs -= hourMs;
  await facts.look();
  expect(asked).toBe(2);
  await facts.look();
  expect(asked).toBe(2);
});
