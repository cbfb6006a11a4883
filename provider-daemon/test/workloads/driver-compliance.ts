/** What every driver must do, whatever runs behind it; callable-compliance.ts adds what functions must. */
import {
  type CallableWorkload,
  type FunctionSpec,
  type Invocation,
  type InvocationResult,
  type Workload,
  type WorkloadDriver,
  WorkloadError,
  type WorkloadFailure,
  type WorkloadLog,
  type WorkloadSpec,
} from '../../src/workloads/driver.ts';

/** Programs with one habit each. `v1` and `v2` answer `version 1` and `version 2`. */
export type Habit = 'v1' | 'v2' | 'crashes' | 'hogs' | 'logs' | 'does-not-start';

/** A driver, and how its workloads are made, asked and hurt. */
export interface DriverHarness<S extends WorkloadSpec, W extends Workload> {
  /** A driver on this machine, as a daemon that starts has it; the one before has been closed. */
  readonly open: (log: WorkloadLog) => Promise<WorkloadDriver<S, W>>;
  readonly spec: (habit: Habit, more?: { readonly deployment?: string; readonly service?: string }) => S;
  /** A spec that `check` refuses. */
  readonly invalid: () => S;
  /** What the workload answers. @throws where it does not answer */
  readonly ask: (workload: W) => Promise<string>;
  /** Kills the process behind it from outside; nothing where there is none. */
  readonly kill: (workload: W) => Promise<void>;
  /** Has a `crashes` crash again and again. @returns what its driver tells about it */
  readonly crash: (workload: W) => Promise<string>;
  /** What `crash` must tell. */
  readonly crashTold: RegExp;
  /** Has a `hogs` take memory without end. @returns what its driver tells about it */
  readonly hog: (workload: W) => Promise<string>;
  /** Has a `logs` write its lines. */
  readonly write: (workload: W) => Promise<void>;
  /** Where these lines are written. */
  readonly logStream: 'stdout' | 'stderr';
  /** Its workloads run on while no driver is there. */
  readonly outlives: boolean;
  /** What runs behind a workload: another after each start. */
  readonly identity: (workload: W) => Promise<string>;
  /** How many parts of a workload are on the machine, running or not. */
  readonly parts: (name: { readonly deployment: string; readonly service: string }) => Promise<number>;
  /** Why `does-not-start` fails. */
  readonly startFailure: WorkloadFailure;
}

export function specOf(bytes: Uint8Array, more: Partial<FunctionSpec> = {}): FunctionSpec {
  const artifact = { kind: 'wasm', bytes } as const;
  return { deployment: 'd1', service: 'f', artifact, memoryBytes: 4 * 1024 * 1024, timeoutMs: 20_000, ...more };
}

export async function callOf(
  workload: Pick<CallableWorkload, 'invoke'>,
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

export async function errorOf(promise: Promise<unknown>): Promise<WorkloadError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof WorkloadError)) throw new Error(`expected a WorkloadError, got ${String(error)}`);
  return error;
}

export async function failureOf(promise: Promise<unknown>): Promise<WorkloadFailure> {
  return (await errorOf(promise)).reason;
}

/** Bounded waiting for what comes by itself. */
export async function eventually<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 30_000,
): Promise<T> {
  const end = performance.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error(`${what} did not come within ${limitMs / 1000} s`);
    await pause();
  }
}

/** A turn for others: looking again at once would take a whole processor. */
function pause(): Promise<void> {
  return new Promise((resolve) => {
    AbortSignal.timeout(50).addEventListener('abort', () => resolve(), { once: true });
  });
}

/** `undefined` instead of an error: what is asked may be on its way. */
export function soon<T>(promise: Promise<T>): Promise<T | undefined> {
  return promise.catch(() => undefined);
}

/** @param harness made once the hooks before it have run */
export function describeDriver<S extends WorkloadSpec, W extends Workload>(
  name: string,
  harness: () => DriverHarness<S, W>,
): void {
  describe(`driver ${name}`, () => {
    const lines: string[] = [];
    let driver: WorkloadDriver<S, W>;
    const open = async (): Promise<void> => {
      driver = await harness().open(({ deployment, service }, stream, line) => {
        lines.push(`${deployment}/${service} ${stream}: ${line}`);
      });
    };
    const answers = (workload: W): Promise<string> => eventually('an answer', () => soon(harness().ask(workload)));

    beforeAll(open);
    afterAll(() => driver.close());

    test('start makes it ready to answer; a second start of the same takes it over', async () => {
      const { ask, spec, identity } = harness();
      const workload = await driver.start(spec('v1'));
      expect(await ask(workload)).toBe('version 1');
      expect(workload.status().map(({ index, state }) => ({ index, state }))).toEqual([{ index: 0, state: 'ready' }]);
      const before = await identity(workload);
      const again = await driver.start(spec('v1'));
      expect(await ask(again)).toBe('version 1');
      expect(await identity(again)).toBe(before);
      await again.stop();
    });

    test('stop ends it, and may be called again; then it can be started anew', async () => {
      const { ask, spec, parts } = harness();
      const workload = await driver.start(spec('v1'));
      await workload.stop();
      await workload.stop();
      await expect(ask(workload)).rejects.toThrow();
      expect(workload.status().filter(({ state }) => state !== 'ended')).toEqual([]);
      expect(await parts(spec('v1'))).toBe(0);
      const next = await driver.start(spec('v2'));
      expect(await ask(next)).toBe('version 2');
      await next.stop();
    });

    test('killed from outside it answers again', async () => {
      const { kill, spec } = harness();
      const workload = await driver.start(spec('v1'));
      await kill(workload);
      expect(await answers(workload)).toBe('version 1');
      await workload.stop();
    });

    test('one that crashes again and again is told, and does not disturb the others', async () => {
      const { ask, crash, crashTold, spec } = harness();
      const crashing = await driver.start(spec('crashes', { service: 'crashing' }));
      const healthy = await driver.start(spec('v1'));
      expect(await crash(crashing)).toMatch(crashTold);
      expect(await ask(healthy)).toBe('version 1');
      await crashing.stop();
      await healthy.stop();
    });

    test('memory ends at its limit, and it is told as that', async () => {
      const { ask, hog, spec } = harness();
      const greedy = await driver.start(spec('hogs', { service: 'greedy' }));
      const healthy = await driver.start(spec('v1'));
      expect(await hog(greedy)).toMatch(/memory/);
      expect(await ask(healthy)).toBe('version 1');
      await greedy.stop();
      await healthy.stop();
    });

    test('what it writes is its log, line by line, under its name', async () => {
      const { logStream, spec, write } = harness();
      const name = { deployment: 'd7', service: 'noisy' };
      const workload = await driver.start(spec('logs', name));
      await write(workload);
      const prefix = `d7/noisy ${logStream}: `;
      const written = (): string[] =>
        lines.filter((line) => line.startsWith(prefix)).map((line) => line.slice(prefix.length));
      await eventually('three lines', () => written()[2]);
      expect(written()).toEqual(['first line', 'second line', 'no end']);
      await workload.stop();
      expect(written()).toEqual(['first line', 'second line', 'no end']);
    });

    test('an update in place runs the new version', async () => {
      const { ask, spec } = harness();
      const workload = await driver.start(spec('v1'));
      await workload.update(spec('v2'));
      expect(await ask(workload)).toBe('version 2');
      expect(workload.spec).toEqual(spec('v2'));
      await workload.stop();
    });

    test('a start under the same name with another spec is an update', async () => {
      const { ask, spec } = harness();
      await driver.start(spec('v1'));
      const workload = await driver.start(spec('v2'));
      expect(await ask(workload)).toBe('version 2');
      await workload.stop();
    });

    test('an update that does not come up leaves the old version in place', async () => {
      const { ask, identity, spec, startFailure } = harness();
      const workload = await driver.start(spec('v1'));
      const before = await identity(workload);
      expect(await failureOf(workload.update(spec('does-not-start')))).toBe(startFailure);
      expect(await ask(workload)).toBe('version 1');
      expect(await identity(workload)).toBe(before);
      expect(workload.spec).toEqual(spec('v1'));
      await workload.stop();
    });

    test('an update to what cannot run is refused and changes nothing', async () => {
      const { ask, invalid, spec } = harness();
      const workload = await driver.start(spec('v1'));
      expect(await failureOf(workload.update(invalid()))).toBe('invalid');
      expect(await ask(workload)).toBe('version 1');
      await workload.stop();
    });

    test('a first version that does not come up is refused, and leaves nothing behind', async () => {
      const { parts, spec, startFailure } = harness();
      expect(await failureOf(driver.start(spec('does-not-start')))).toBe(startFailure);
      expect(await parts(spec('does-not-start'))).toBe(0);
      expect(await driver.found()).toEqual([]);
    });

    test('what cannot run is refused before anything runs', async () => {
      const { invalid } = harness();
      expect(() => driver.check(invalid())).toThrow(WorkloadError);
      expect(await failureOf(driver.start(invalid()))).toBe('invalid');
    });

    test('usage never falls, and takeUsage gives all of it once', async () => {
      const { ask, spec } = harness();
      const workload = await driver.start(spec('v1'));
      await ask(workload);
      const { invocations } = workload.takeUsage();
      const before = workload.usage();
      expect(before.invocations).toBe(invocations);
      expect(workload.takeUsage()).toEqual({ invocations: 0n, megabyteMilliseconds: 0n, egressBytes: 0n });
      await ask(workload);
      await workload.stop();
      const after = workload.usage();
      expect(after.invocations >= before.invocations).toBe(true);
      expect(after.megabyteMilliseconds >= before.megabyteMilliseconds).toBe(true);
      expect(after.egressBytes >= before.egressBytes).toBe(true);
    });

    test('after a restart of the daemon it answers again; what outlives the daemon was never stopped', async () => {
      const { ask, identity, outlives, spec } = harness();
      const before = await identity(await driver.start(spec('v1')));
      await driver.close();
      expect(await failureOf(driver.start(spec('v1')))).toBe('failed');
      await open();
      const { deployment, service } = spec('v1');
      expect(await driver.found()).toEqual(outlives ? [{ deployment, service }] : []);
      const workload = await driver.start(spec('v1'));
      expect(await answers(workload)).toBe('version 1');
      expect(await ask(workload)).toBe('version 1');
      if (outlives) expect(await identity(workload)).toBe(before);
      await workload.stop();
      expect(await driver.found()).toEqual([]);
    });

    test('what no lease wants after a restart is removed', async () => {
      const { parts, spec } = harness();
      await driver.start(spec('v1', { deployment: 'd9' }));
      await driver.close();
      await open();
      for (const name of await driver.found()) await driver.remove(name);
      expect(await driver.found()).toEqual([]);
      expect(await parts(spec('v1', { deployment: 'd9' }))).toBe(0);
      // What is not there is no error.
      await driver.remove({ deployment: 'd9', service: 'f' });
    });
  });
}
