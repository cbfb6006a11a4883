/** What a driver of functions must do beside driver-compliance.ts. */
import type { CallableWorkload, FunctionSpec, WorkloadDriver } from '../../src/workloads/driver.ts';
import { callOf, failureOf, specOf } from './driver-compliance.ts';

/** Artifacts that do the same under each driver: echo the body, tell arguments and environment, run for ever. */
export interface CallableUnderTest {
  readonly create: () => Promise<WorkloadDriver<FunctionSpec, CallableWorkload>>;
  readonly artifacts: Readonly<Record<'echo' | 'dump' | 'loops', Uint8Array>>;
}

export function describeCallable(name: string, { create, artifacts }: CallableUnderTest): void {
  describe(`functions of driver ${name}`, () => {
    let driver: WorkloadDriver<FunctionSpec, CallableWorkload>;

    beforeAll(async () => {
      driver = await create();
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

    test('each call is billed once', async () => {
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

    test('stop ends a running call with stopped and refuses the next', async () => {
      const workload = await driver.start(specOf(artifacts.loops));
      const running = failureOf(callOf(workload));
      await workload.stop();
      expect(await running).toBe('stopped');
      expect(await failureOf(callOf(workload))).toBe('stopped');
    });

    test('a caller who is gone before the call begins gets none', async () => {
      const workload = await driver.start(specOf(artifacts.echo));
      expect(await failureOf(callOf(workload, { signal: AbortSignal.abort() }))).toBe('canceled');
      expect(workload.usage().invocations).toBe(0n);
      await workload.stop();
    });
  });
}
