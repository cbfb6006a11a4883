import { existsSync, readFileSync } from 'node:fs';
import type { CallableWorkload, FunctionSpec } from '../../src/workloads/driver.ts';
import type { FunctionWorkload } from '../../src/workloads/function-workload.ts';
import { megabyteMilliseconds } from '../../src/workloads/usage-meter.ts';
import { WasmDriver } from '../../src/workloads/wasm-driver.ts';
import { describeCallable } from './callable-compliance.ts';
import { callOf, describeDriver, errorOf, eventually, failureOf, type Habit, specOf } from './driver-compliance.ts';
import * as modules from './modules.ts';
import { allowSeconds } from './patience.ts';

allowSeconds(60);

const head = 'content-type: text/plain\n\n';
/** Looks like a module, but its code is none. */
const badCode = modules.trap.slice();
badCode[badCode.findLastIndex((byte, at) => byte === 0x00 && badCode[at + 1] === 0x0b)] = 0xff;
const habits: Readonly<Record<Habit, Uint8Array>> = {
  v1: modules.says(`${head}version 1`),
  v2: modules.says(`${head}version 2`),
  crashes: modules.trap,
  hogs: modules.hogs,
  logs: modules.logs,
  'does-not-start': badCode,
};

/** Who calls waits as long as a busy machine takes: refusals are tested where they are meant. */
const patient = { maxInstances: 2, patienceMs: 30_000, maxQueuedMs: 30_000 };

describeDriver<FunctionSpec, CallableWorkload>('wasm', () => ({
  open: (log) => WasmDriver.create({ log, ...patient }),
  spec: (habit, more) => specOf(habits[habit], more),
  invalid: () => specOf(Buffer.from('not WebAssembly')),
  ask: async (workload) => (await callOf(workload)).stdout.slice(head.length),
  kill: async (workload) => {
    await callOf(workload);
    for (const pid of (workload as FunctionWorkload).processIds) process.kill(pid, 'SIGKILL');
  },
  crash: async (workload) => {
    await errorOf(callOf(workload));
    return (await errorOf(callOf(workload))).message;
  },
  crashTold: /unreachable/,
  hog: async (workload) => (await errorOf(callOf(workload))).message,
  write: async (workload) => void (await callOf(workload)),
  logStream: 'stderr',
  outlives: false,
  // Its first call takes a process.
  identity: async (workload) => {
    await callOf(workload);
    return (workload as FunctionWorkload).processIds.join();
  },
  parts: async () => 0,
  startFailure: 'invalid',
}));

describeCallable('wasm', { create: () => WasmDriver.create(patient), artifacts: modules });

describe('sandboxes', () => {
  const lines: string[] = [];
  const about: string[] = [];
  let driver: WasmDriver;

  beforeAll(async () => {
    driver = await WasmDriver.create({
      log: (_, stream, line) => lines.push(`${stream}: ${line}`),
      logger: (line) => about.push(line),
      maxInstances: 1,
      maxQueued: 2,
      patienceMs: 5_000,
    });
  });
  beforeEach(() => {
    lines.length = 0;
  });
  afterAll(() => driver.close());

  /** Starts a workload for the time of `use`. */
  async function withFunction<T>(
    spec: ReturnType<typeof specOf>,
    use: (workload: CallableWorkload) => Promise<T>,
  ): Promise<T> {
    const workload = await driver.start(spec);
    try {
      return await use(workload);
    } finally {
      await workload.stop();
    }
  }

  test('what isolation holds is said once', () => {
    expect(about).toHaveLength(1);
    expect(about[0]).toContain(process.getuid!() === 0 ? 'user 65534' : 'not root');
  });

  test('a sandbox has another user, another network and no environment', async () => {
    await withFunction(specOf(modules.loops), async (workload) => {
      const running = failureOf(callOf(workload));
      const pids = await eventually('its process', () => {
        const found = (workload as FunctionWorkload).processIds;
        return found.length > 0 ? found : undefined;
      });
      expect(pids).toHaveLength(1);
      for (const pid of pids) {
        const status = readFileSync(`/proc/${pid}/status`, 'utf8');
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
          .split('\0')
          .filter((text) => text !== '');
        expect(environment.filter((text) => !text.startsWith('MU_SANDBOX_UID='))).toEqual([]);
        if (driver.isolation.networkNamespace) {
          const devices = readFileSync(`/proc/${pid}/net/dev`, 'utf8')
            .split('\n')
            .slice(2)
            .filter((line) => line !== '');
          expect(devices.map((line) => line.trim().split(':')[0])).toEqual(['lo']);
        }
        if (driver.isolation.uid !== undefined) {
          expect(status).toMatch(/Uid:\t65534\t65534\t65534\t65534/);
        }
      }
      await workload.stop();
      expect(await running).toBe('stopped');
    });
  });

  test.each(['/etc/passwd', import.meta.filename])('no path of the host opens: %s', async (path) => {
    expect(existsSync(path)).toBe(true);
    await withFunction(specOf(modules.opens(path)), async (workload) => {
      expect((await callOf(workload)).exitCode).toBe(0);
    });
  });

  test('no descriptor is a socket', async () => {
    await withFunction(specOf(modules.sends), async (workload) => {
      expect((await callOf(workload)).exitCode).toBe(0);
    });
  });

  test('the environment is what the call gives and nothing of the daemon’s', async () => {
    await withFunction(
      specOf(modules.dump, { env: { OWN: '1', HTTP_PROXY: 'evil', QUERY_STRING: 'x' } }),
      async (workload) => {
        const { stdout } = await callOf(workload, { args: ['/login', 'a=b c', ''], env: { GIVEN: 'ü' } });
        const [args, env] = stdout.split('\n\n')[1]!.split('\0\0\0');
        expect(args).toBe('/login\0a=b c');
        expect(
          env!
            .split('\0')
            .filter((text) => text !== '')
            .sort(),
        ).toEqual(['GIVEN=ü', 'OWN=1']);
      },
    );
  });

  test('a trap is typed and logged, and the next call is served', async () => {
    await withFunction(specOf(modules.trap), async (workload) => {
      expect(await failureOf(callOf(workload))).toBe('trap');
      expect(await failureOf(callOf(workload))).toBe('trap');
      expect(lines[0]).toMatch(/^system: call ended after \d+ ms by a trap: unreachable/);
    });
    await withFunction(specOf(modules.recurses), async (workload) => {
      expect(await failureOf(callOf(workload))).toBe('trap');
      expect(lines.at(-1)).toContain('call stack');
    });
  });

  test('memory ends at the limit, and the log names it', async () => {
    for (const module of [modules.hogs, modules.hogsAndExits]) {
      await withFunction(specOf(module, { memoryBytes: 5 * 1024 * 1024 }), async (workload) => {
        expect(await failureOf(callOf(workload))).toBe('memory');
        expect(lines.at(-1)).toContain('its memory limit: out of memory: 4.1 of 5 MiB in use');
      });
    }
  });

  test('a call past its limit costs its sandbox; another takes its place at once', async () => {
    await withFunction(specOf(modules.loops, { timeoutMs: 200 }), async (workload) => {
      expect(await failureOf(callOf(workload))).toBe('time_limit');
      const used = workload.takeUsage().megabyteMilliseconds;
      expect(used).toBeGreaterThanOrEqual(4n * 190n);
      expect(await failureOf(callOf(workload))).toBe('time_limit');
    });
  });

  test('exit codes come through', async () => {
    await withFunction(specOf(modules.exits), async (workload) => {
      expect(await callOf(workload)).toMatchObject({ exitCode: 3, stdout: 'content-type: text/plain\n\ndone' });
    });
  });

  test('a large body and a large answer arrive whole', async () => {
    const stdin = Buffer.alloc(9 * 1024 * 1024, 'abcdefg');
    await withFunction(specOf(modules.echo), async (workload) => {
      const { stdout } = await callOf(workload, { stdin });
      expect(stdout.split('\n\n')[1] === stdin.toString()).toBe(true);
    });
    await withFunction(specOf(modules.big), async (workload) => {
      expect((await callOf(workload)).stdout).toHaveLength('content-type: text/plain\n\n'.length + modules.bigBytes);
    });
  });

  test('a slow receiver holds the program back', async () => {
    await withFunction(specOf(modules.big), async (workload) => {
      const gate = Promise.withResolvers<void>();
      const begun = Promise.withResolvers<void>();
      let received = 0;
      let open = false;
      const running = workload.invoke({ args: ['f'], env: {}, stdin: new Uint8Array() }, (chunk) => {
        received += chunk.length;
        begun.resolve();
        return open ? undefined : gate.promise;
      });
      await begun.promise;
      // Another workload's whole life passes meanwhile: the first had time to flood the daemon, were it not held.
      await withFunction(specOf(modules.echo, { service: 'other' }), async (other) => void (await callOf(other)));
      expect(received).toBeLessThan(modules.bigBytes / 10);
      open = true;
      gate.resolve();
      await running;
      expect(received).toBeGreaterThanOrEqual(modules.bigBytes);
    });
  });

  test('more calls than instances and places are busy, at once', async () => {
    await withFunction(specOf(modules.loops, { timeoutMs: 300 }), async (workload) => {
      const calls = [1, 2, 3, 4, 5].map(() => failureOf(callOf(workload)));
      expect(await calls[3]).toBe('busy');
      expect(await calls[4]).toBe('busy');
      expect(await Promise.all(calls.slice(0, 3))).toEqual(['time_limit', 'time_limit', 'time_limit']);
    });
  });

  test('a caller who leaves while waiting frees the place', async () => {
    await withFunction(specOf(modules.loops, { timeoutMs: 300 }), async (workload) => {
      const first = failureOf(callOf(workload));
      const leaving = new AbortController();
      const second = failureOf(callOf(workload, { signal: leaving.signal }));
      leaving.abort();
      expect(await second).toBe('canceled');
      expect(await first).toBe('time_limit');
      expect(workload.usage().invocations).toBe(1n);
    });
  });

  test('an instance is replaced after its calls, and none of them fails', async () => {
    const other = await WasmDriver.create({ maxInstances: 1, maxCalls: 5, spares: 1 });
    try {
      const workload = (await other.start(specOf(modules.hello))) as FunctionWorkload;
      await callOf(workload);
      const [first] = workload.processIds;
      let calls = 1;
      while (workload.processIds.includes(first!)) {
        expect((await callOf(workload)).stdout).toContain('hello');
        calls += 1;
      }
      expect(calls).toBeGreaterThanOrEqual(5);
      expect((await callOf(workload)).stdout).toContain('hello');
    } finally {
      await other.close();
    }
  });

  test('an update reaches the instance that is still starting', async () => {
    await withFunction(specOf(habits.v1), async (workload) => {
      const first = callOf(workload);
      await workload.update(specOf(habits.v2));
      await first;
      expect((await callOf(workload)).stdout).toContain('version 2');
    });
  });

  test('specs that cannot run are refused with the reason', () => {
    expect(() => driver.check(specOf(modules.wat('(module)')))).toThrow(/f: the module defines 0 memories/);
    expect(() => driver.check(specOf(modules.echo, { memoryBytes: 65_536 }))).toThrow(
      /starts with 128 KiB.*limit is 64 KiB/,
    );
    expect(() => driver.check(specOf(modules.echo, { timeoutMs: 0 }))).toThrow(/time limit of 0 ms/);
  });

  test('a driver that is closed leaves no process behind', async () => {
    const other = await WasmDriver.create({ spares: 2 });
    const workload = await other.start(specOf(modules.loops));
    const running = failureOf(callOf(workload));
    expect(other.processCount).toBeGreaterThan(0);
    await other.close();
    expect(other.processCount).toBe(0);
    expect(await running).toBe('stopped');
  });
});

test('usage is memory limit times running time, rounded up once', () => {
  expect(megabyteMilliseconds(128 * 1024 * 1024, 1000)).toBe(128n);
  expect(megabyteMilliseconds(128 * 1024 * 1024, 1)).toBe(1n);
  expect(megabyteMilliseconds(1, 1001)).toBe(2n);
  expect(megabyteMilliseconds(3 * 1024 * 1024 + 1, 2500)).toBe(10n);
});
