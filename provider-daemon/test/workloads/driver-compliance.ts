/** What every driver must do, whatever runs behind it. */
import {
  type Invocation,
  type InvocationResult,
  type Workload,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadFailure,
  type WorkloadLog,
  type WorkloadSpec,
} from '../../src/workloads/driver.ts';

/** A driver, and artifacts that do the same under each: echo the body, run for ever, write three lines to stderr. */
export interface DriverUnderTest {
  readonly create: (log: WorkloadLog) => Promise<WorkloadDriver>;
  readonly artifacts: Readonly<Record<'echo' | 'dump' | 'loops' | 'logs' | 'broken', Uint8Array>>;
}

export function specOf(bytes: Uint8Array, more: Partial<WorkloadSpec> = {}): WorkloadSpec {
  const artifact = { kind: 'wasm', bytes } as const;
  return { deployment: 'd1', service: 'f', artifact, memoryBytes: 4 * 1024 * 1024, timeoutMs: 20_000, ...more };
}

export async function callOf(
  workload: Pick<Workload, 'invoke'>,
  options: Partial<Invocation> = {},
): Promise<InvocationResult & { stdout: string }> {
  const chunks: Uint8Array[] = [];
  const invocation = { args: ['f'], env: {}, stdin: new Uint8Array(), ...options };
  const result = await workload.invoke(invocation, (chunk) => {
    chunks.push(chunk);
    return undefined;
  });
  return { ...result, stdout: Buffer.concat(chunks).toString() };
}

export async function failureOf(promise: Promise<unknown>): Promise<WorkloadFailure> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkloadError)) throw new Error(`expected a WorkloadError, got ${String(error)}`);
  return error.reason;
}

export function describeDriver(name: string, { create, artifacts }: DriverUnderTest): void {
  describe(`driver ${name}`, () => {
    const lines: string[] = [];
    let driver: WorkloadDriver;

    beforeAll(async () => {
      driver = await create(({ deployment, service }, stream, line) => {
        lines.push(`${deployment}/${service} ${stream}: ${line}`);
      });
    });
    afterAll(() => driver.close());

    test('a call gets body, arguments and environment, and gives its output', async () => {
      const workload = await driver.start(specOf(artifacts.echo));
      const result = await callOf(workload, { stdin: Buffer.from('to and fro') });
      expect(result.exitCode).toBe(0);
      expect(result.stdout).toBe('content-type: text/plain\n\nto and fro');
      await workload.stop();
    });

    test('the caller’s variables stand above the stack’s', async () => {
      const workload = await driver.start(specOf(artifacts.dump, { env: { A: 'stack', B: 'stack' } }));
      const { stdout } = await callOf(workload, { args: ['name', 'k=v'], env: { B: 'caller' } });
      expect(stdout).toContain('name\0k=v\0');
      expect(stdout).toContain('A=stack\0');
      expect(stdout).toContain('B=caller\0');
      expect(stdout).not.toContain('B=stack');
      await workload.stop();
    });

    test('calls at once all get their own answer', async () => {
      const workload = await driver.start(specOf(artifacts.echo));
      const bodies = Array.from({ length: 12 }, (_, i) => `body ${i}`);
      const results = await Promise.all(bodies.map((body) => callOf(workload, { stdin: Buffer.from(body) })));
      expect(results.map(({ stdout }) => stdout.split('\n\n')[1])).toEqual(bodies);
      await workload.stop();
    });

    test('a call past its limit ends with time_limit, and the next one is served', async () => {
      const slow = await driver.start(specOf(artifacts.loops, { timeoutMs: 150 }));
      expect(await failureOf(callOf(slow))).toBe('time_limit');
      expect(await failureOf(callOf(slow))).toBe('time_limit');
      await slow.stop();
    });

    test('usage never falls, and is given once by takeUsage', async () => {
      const workload = await driver.start(specOf(artifacts.echo));
      await callOf(workload);
      const first = workload.takeUsage();
      expect(first.invocations).toBe(1n);
      expect(first.megabyteMilliseconds).toBeGreaterThan(0n);
      expect(workload.takeUsage()).toEqual({ invocations: 0n, megabyteMilliseconds: 0n, egressBytes: 0n });
      await callOf(workload);
      expect(workload.takeUsage().invocations).toBe(1n);
      expect(workload.usage().invocations).toBe(2n);
      await workload.stop();
      expect(workload.usage().invocations).toBe(2n);
    });

    test('a failed call is billed too', async () => {
      const slow = await driver.start(specOf(artifacts.loops, { timeoutMs: 100 }));
      await failureOf(callOf(slow));
      expect(slow.usage().invocations).toBe(1n);
      await slow.stop();
    });

    test('stderr is the log, line by line, under the workload’s name', async () => {
      const workload = await driver.start(specOf(artifacts.logs, { deployment: 'd7', service: 'noisy' }));
      await callOf(workload);
      expect(lines.filter((line) => line.startsWith('d7/noisy stderr'))).toEqual([
        'd7/noisy stderr: first line',
        'd7/noisy stderr: second line',
        'd7/noisy stderr: no end',
      ]);
      await workload.stop();
    });

    test('stop ends a running call with stopped and refuses the next; it may be called again', async () => {
      const workload = await driver.start(specOf(artifacts.loops));
      const running = failureOf(callOf(workload));
      await workload.stop();
      expect(await running).toBe('stopped');
      expect(await failureOf(callOf(workload))).toBe('stopped');
      await workload.stop();
    });

    test('a caller who is gone before the call begins gets none', async () => {
      const workload = await driver.start(specOf(artifacts.echo));
      expect(await failureOf(callOf(workload, { signal: AbortSignal.abort() }))).toBe('canceled');
      expect(workload.usage().invocations).toBe(0n);
      await workload.stop();
    });

    test('what cannot run is refused before anything runs', async () => {
      const spec = specOf(artifacts.broken);
      expect(() => driver.check(spec)).toThrow(WorkloadError);
      expect(await failureOf(driver.start(spec))).toBe('invalid');
    });
  });
}
