/** The pure parts: how an instance stands, its health, its usage, its marks, frames and figures of the engine. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, describe, expect, test } from '@jest/globals';
import { EgressMeter } from '../../../src/workloads/container/egress-meter.ts';
import type { ContainerFacts } from '../../../src/workloads/container/engine.ts';
import { jsonLines, statsOf } from '../../../src/workloads/container/engine-readers.ts';
import { FrameSplitter } from '../../../src/workloads/container/frames.ts';
import {
  checkHealth,
  failuresUntilUnhealthy,
  failuresWhileStarting,
  freshHealth,
  nextHealth,
  verdict,
} from '../../../src/workloads/container/health.ts';
import { firstStanding, type Observation, observe, statusOf } from '../../../src/workloads/container/instance-state.ts';
import { sinceOf } from '../../../src/workloads/container/logs.ts';
import { FolderMarks } from '../../../src/workloads/container/marks.ts';

const folder = mkdtempSync(join(tmpdir(), 'mu-marks-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const running: ContainerFacts = {
  id: 'x',
  labels: {},
  phase: 'running',
  pid: 1,
  exitCode: 0,
  memoryKill: false,
  error: '',
  startedMs: 1000,
  restarts: 0,
};
const after = (hasHealth: boolean, ...seen: Observation[]) =>
  statusOf(seen.reduce(observe, firstStanding(hasHealth)), { index: 0, address: '10.0.0.2' });
const inspected = (facts: Partial<ContainerFacts> = {}): Observation => ({
  type: 'inspected',
  facts: { ...running, ...facts },
});

describe('how an instance stands', () => {
  test('created, it is starting; running, it is ready where nothing else is asked of it', () => {
    expect(after(false)).toEqual({ index: 0, state: 'starting', restarts: 0, address: '10.0.0.2' });
    expect(after(false, inspected()).state).toBe('ready');
    expect(after(true, inspected()).state).toBe('starting');
    expect(after(true, inspected(), { type: 'probed', healthy: true }).state).toBe('ready');
  });

  test('an end is told by its event, and what runs next begins anew', () => {
    const died: Observation[] = [inspected(), { type: 'probed', healthy: true }, { type: 'died', exitCode: 3 }];
    expect(after(true, ...died)).toMatchObject({ state: 'backing_off', lastEnd: 'exit code 3' });
    expect(after(true, ...died, { type: 'started' }).state).toBe('starting');
    expect(after(true, ...died, { type: 'started' }, inspected({ startedMs: 2000, restarts: 1 }))).toMatchObject({
      state: 'starting',
      restarts: 1,
      lastEnd: 'exit code 3',
    });
  });

  test('a kill at the memory limit is told as that, whichever way it becomes known', () => {
    const memory = 'killed at its memory limit';
    expect(after(false, inspected(), { type: 'memory-kill' }, { type: 'died', exitCode: 137 }).lastEnd).toBe(memory);
    expect(after(false, inspected({ phase: 'restarting', exitCode: 137, memoryKill: true })).lastEnd).toBe(memory);
    expect(
      after(
        false,
        inspected(),
        { type: 'died', exitCode: 137 },
        inspected({ phase: 'restarting', exitCode: 137, memoryKill: true }),
      ).lastEnd,
    ).toBe(memory);
    // Another process of it was killed; the program ended for a reason of its own.
    expect(after(false, inspected(), { type: 'memory-kill' }, { type: 'died', exitCode: 1 }).lastEnd).toBe(
      'exit code 1',
    );
    // In an earlier run.
    const earlier: Observation[] = [
      inspected(),
      { type: 'memory-kill' },
      { type: 'died', exitCode: 137 },
      { type: 'started' },
    ];
    expect(after(false, ...earlier, { type: 'died', exitCode: 137 }).lastEnd).toBe('exit code 137 (SIGKILL)');
  });

  test('what ended while nobody looked is told by what the engine knows', () => {
    expect(after(false, inspected({ phase: 'exited', exitCode: 143 }))).toMatchObject({
      state: 'backing_off',
      lastEnd: 'exit code 143 (SIGTERM)',
    });
    expect(after(false, inspected({ phase: 'exited', error: 'no such file' })).lastEnd).toBe(
      'could not be started: no such file',
    );
    expect(after(false, inspected(), { type: 'inspected', facts: undefined }).state).toBe('backing_off');
    expect(after(false, inspected({ phase: 'paused' })).state).toBe('unhealthy');
  });

  test('restarts by the engine and by us are counted together, and never fall', () => {
    expect(
      after(false, inspected({ restarts: 4 }), { type: 'revived' }, inspected({ restarts: 0, startedMs: 3000 }))
        .restarts,
    ).toBe(5);
    expect(after(false, inspected({ restarts: 4 }), { type: 'revived' }, inspected({ restarts: 2 })).restarts).toBe(7);
  });
});

describe('health', () => {
  const run = (...answers: boolean[]) => verdict(answers.reduce(nextHealth, freshHealth));

  test('one answer is enough to be ready; so many refusals in a row end it', () => {
    expect(run()).toBe('starting');
    expect(run(false, true)).toBe('ready');
    expect(run(true, ...Array<boolean>(failuresUntilUnhealthy - 1).fill(false))).toBe('ready');
    expect(run(true, ...Array<boolean>(failuresUntilUnhealthy).fill(false))).toBe('unhealthy');
    expect(run(true, ...Array<boolean>(failuresUntilUnhealthy).fill(false), true)).toBe('ready');
    expect(run(true, false, false, true, false, false)).toBe('ready');
    expect(run(...Array<boolean>(failuresWhileStarting - 1).fill(false))).toBe('starting');
    expect(run(...Array<boolean>(failuresWhileStarting).fill(false))).toBe('unhealthy');
  });

  test('it is asked often while it starts, in its interval later, and not while it does not run', async () => {
    const end = new AbortController();
    const waits: number[] = [];
    const asked: string[] = [];
    const starting = { isRunning: true, isStarting: true };
    const states = [
      ...Array.from({ length: 7 }, () => starting),
      { isRunning: true, isStarting: false },
      { isRunning: false, isStarting: false },
      starting,
    ];
    const now = () => states[waits.length]!;
    await checkHealth(
      {
        clock: {
          now: () => 0,
          elapsed: () => 0,
          wait: async (ms) => {
            waits.push(ms);
            if (waits.length === states.length) end.abort();
          },
        },
        probe: async ({ address, port, path }, timeoutMs) => {
          asked.push(`${address}:${port}${path} ${timeoutMs}`);
          return true;
        },
        target: { address: 'a', port: 1, path: '/p' },
        intervalMs: 9_000,
        isRunning: () => now().isRunning,
        isStarting: () => now().isStarting,
        changed: () => new Promise(() => {}),
        tell: () => {},
      },
      end.signal,
    );
    expect(waits).toEqual([20, 30, 45, 68, 102, 153, 230, 9_000, 500, 20]);
    expect(asked).toEqual(Array.from({ length: 9 }, () => 'a:1/p 5000'));
  });
});

describe('egress', () => {
  const name = { deployment: '1', service: 'e' };
  const meterOver = (marks: FolderMarks) => {
    let counter = 0n;
    const meter = new EgressMeter({ egressBytes: async () => counter }, marks, name);
    return {
      meter,
      read: async (bytes: bigint) => {
        counter = bytes;
        await meter.poll();
      },
    };
  };

  test('all is given once, over a restart of the daemon and a network made anew', async () => {
    const marks = new FolderMarks(join(folder, 'egress'));
    const first = meterOver(marks);
    await first.read(100n);
    expect(first.meter.take()).toBe(100n);
    await first.read(150n);
    expect(first.meter.total()).toBe(150n);
    // Killed before it was taken; 30 bytes more were sent meanwhile.
    const second = meterOver(marks);
    await second.read(180n);
    expect(second.meter.take()).toBe(80n);
    expect(second.meter.take()).toBe(0n);
    expect(second.meter.total()).toBe(80n);
    await second.read(200n);
    // The network is another one now, and counts from 0.
    await second.read(7n);
    expect(second.meter.total()).toBe(107n);
    expect(second.meter.take()).toBe(27n);
    await second.read(9n);
    second.meter.close();
    expect(marks.names()).toEqual([]);
    expect(second.meter.take()).toBe(2n);
    expect(marks.names()).toEqual([]);
    const third = meterOver(marks);
    await third.read(5n);
    expect(third.meter.take()).toBe(5n);
  });

  test('what cannot be marked while the disk is full is given later, and is not lost', async () => {
    const marks = new FolderMarks(join(folder, 'full'));
    let isFull = false;
    const write = marks.write.bind(marks);
    marks.write = (mark, text) => {
      if (isFull) throw new Error('no space left on device');
      write(mark, text);
    };
    const { meter, read } = meterOver(marks);
    await read(100n);
    isFull = true;
    expect(meter.take()).toBe(0n);
    await read(150n);
    expect([meter.take(), meter.total()]).toEqual([0n, 150n]);
    isFull = false;
    expect([meter.take(), meter.take(), meter.total()]).toEqual([150n, 0n, 150n]);
  });
});

describe('marks', () => {
  test('the last one is read back, a shorter one over a longer one', () => {
    const marks = new FolderMarks(join(folder, 'plain'));
    expect(marks.read('a')).toBeUndefined();
    marks.write('a', 'x'.repeat(95));
    marks.write('a', 'short');
    expect(new FolderMarks(join(folder, 'plain')).read('a')).toBe('short');
    expect(readFileSync(join(folder, 'plain', 'a'))).toHaveLength(96);
    marks.remove('a');
    marks.remove('a');
    expect(existsSync(join(folder, 'plain', 'a'))).toBe(false);
  });

  test('what does not fit, or leaves the folder, is refused', () => {
    const marks = new FolderMarks(join(folder, 'plain'));
    expect(() => marks.write('a', 'x'.repeat(96))).toThrow(/longer than 95/);
    for (const name of ['../a', '', '.hidden', 'a/b'])
      expect(() => marks.write(name, 'x')).toThrow(/cannot be the name/);
  });
});

describe('what the engine sends', () => {
  const frame = (kind: number, text: string) => {
    const header = Buffer.alloc(8);
    header[0] = kind;
    header.writeUInt32BE(Buffer.byteLength(text), 4);
    return Buffer.concat([header, Buffer.from(text)]);
  };

  test('frames come whole, however the bytes are cut', () => {
    const bytes = Buffer.concat([frame(1, 'out'), frame(2, 'error'), frame(1, '')]);
    for (let cut = 1; cut < bytes.length; cut++) {
      const splitter = new FrameSplitter();
      const frames = [...splitter.push(bytes.subarray(0, cut)), ...splitter.push(bytes.subarray(cut))];
      expect(frames.map(({ stream, payload }) => `${stream} ${payload.toString()}`)).toEqual([
        'stdout out',
        'stderr error',
        'stdout ',
      ]);
    }
    expect(() => new FrameSplitter().push(Buffer.from('no frames at all'))).toThrow('sent no frame');
  });

  test('times of logs keep their nanoseconds', () => {
    expect(sinceOf('2026-11-21T17:49:39.123456789Z')).toBe('1795283379.123456789');
    expect(sinceOf('2026-11-21T17:49:39.12Z')).toBe('1795283379.120000000');
    expect(sinceOf('2026-11-21T17:49:39Z')).toBe('1795283379.000000000');
  });

  test('JSON lines, however they are cut', async () => {
    const bytes = Buffer.from('{"a":"ü"}\n\n{"a":2}\n{"a":3}');
    for (let cut = 1; cut < bytes.length; cut++) {
      const found: unknown[] = [];
      for await (const line of jsonLines(Readable.from([bytes.subarray(0, cut), bytes.subarray(cut)])))
        found.push(line);
      expect(found).toEqual([{ a: 'ü' }, { a: 2 }, { a: 3 }]);
    }
  });

  test('figures of both versions of control groups', () => {
    const networks = { eth0: { rx_bytes: 1, tx_bytes: 2 }, eth1: { rx_bytes: 10, tx_bytes: 20 } };
    const cpu_stats = { cpu_usage: { total_usage: 5000 } };
    const rest = { cpuNanos: 5000, receivedBytes: 11, sentBytes: 22 };
    expect(
      statsOf({
        cpu_stats,
        networks,
        memory_stats: { usage: 100, stats: { total_inactive_file: 30, inactive_file: 1 } },
      }),
    ).toEqual({ ...rest, memoryBytes: 70 });
    expect(statsOf({ cpu_stats, networks, memory_stats: { usage: 100, stats: { inactive_file: 40 } } })).toEqual({
      ...rest,
      memoryBytes: 60,
    });
    expect(statsOf({})).toEqual({ cpuNanos: 0, memoryBytes: 0, receivedBytes: 0, sentBytes: 0 });
  });
});
