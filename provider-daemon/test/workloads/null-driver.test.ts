import { type CallableWorkload, type FunctionSpec, WorkloadError } from '../../src/workloads/driver.ts';
import { NullDriver, type NullHandler } from '../../src/workloads/null-driver.ts';
import { describeCallable } from './callable-compliance.ts';
import { callOf, describeDriver, errorOf, failureOf, specOf } from './driver-compliance.ts';

const head = 'content-type: text/plain\n\n';
const handlers: Record<string, NullHandler> = {
  v1: () => ({ stdout: `${head}version 1` }),
  v2: () => ({ stdout: `${head}version 2` }),
  crashes: () => {
    throw new WorkloadError('trap', 'unreachable');
  },
  hogs: () => {
    throw new WorkloadError('memory', 'out of memory');
  },
  echo: (_, { stdin }) => ({ stdout: `${head}${Buffer.from(stdin).toString()}` }),
  dump: (_, { args, env }) => ({
    stdout: `${head}${[...args, '', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)].join('\0')}\0`,
  }),
  loops: () => new Promise(() => {}),
  logs: () => ({ stderr: 'first line\nsecond line\nno end' }),
};

const handler: NullHandler = (spec, call) => handlers[Buffer.from(spec.artifact.bytes).toString()]!(spec, call);

describeDriver<FunctionSpec, CallableWorkload>('null', () => ({
  open: async (log) => new NullDriver(handler, log),
  // Nothing that it knows fails to start.
  spec: (habit, more) => specOf(Buffer.from(habit === 'does-not-start' ? '' : habit), more),
  invalid: () => specOf(new Uint8Array()),
  ask: async (workload) => (await callOf(workload)).stdout.slice(head.length),
  kill: async () => {},
  crash: async (workload) => (await errorOf(callOf(workload))).message,
  crashTold: /unreachable/,
  hog: async (workload) => (await errorOf(callOf(workload))).message,
  write: async (workload) => void (await callOf(workload)),
  logStream: 'stderr',
  outlives: false,
  identity: async () => 'this process',
  parts: async () => 0,
  startFailure: 'invalid',
}));

describeCallable('null', {
  create: async () => new NullDriver(handler),
  artifacts: { echo: Buffer.from('echo'), dump: Buffer.from('dump'), loops: Buffer.from('loops') },
});

test('a closed driver starts nothing', async () => {
  const driver = new NullDriver();
  const workload = await driver.start(specOf(Buffer.from('any')));
  expect((await callOf(workload)).stdout).toContain('hello');
  await driver.close();
  expect(await failureOf(driver.start(specOf(Buffer.from('any'))))).toBe('failed');
  expect(await failureOf(callOf(workload))).toBe('stopped');
});
