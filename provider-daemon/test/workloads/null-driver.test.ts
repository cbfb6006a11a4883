import { NullDriver, type NullHandler } from '../../src/workloads/null-driver.ts';
import { callOf, describeDriver, failureOf, specOf } from './driver-compliance.ts';

const head = 'content-type: text/plain\n\n';
const handlers: Record<string, NullHandler> = {
  echo: (_, { stdin }) => ({ stdout: `${head}${Buffer.from(stdin).toString()}` }),
  dump: (_, { args, env }) => ({
    stdout: `${head}${[...args, '', ...Object.entries(env).map(([name, value]) => `${name}=${value}`)].join('\0')}\0`,
  }),
  loops: () => new Promise(() => {}),
  logs: () => ({ stderr: 'first line\nsecond line\nno end' }),
};

describeDriver('null', {
  create: async (log) =>
    new NullDriver((spec, call) => handlers[Buffer.from(spec.artifact.bytes).toString()]!(spec, call), log),
  artifacts: {
    echo: Buffer.from('echo'),
    dump: Buffer.from('dump'),
    loops: Buffer.from('loops'),
    logs: Buffer.from('logs'),
    broken: new Uint8Array(),
  },
});

test('a closed driver starts nothing', async () => {
  const driver = new NullDriver();
  const workload = await driver.start(specOf(Buffer.from('any')));
  expect((await callOf(workload)).stdout).toContain('hello');
  await driver.close();
  expect(await failureOf(driver.start(specOf(Buffer.from('any'))))).toBe('failed');
  expect(await failureOf(callOf(workload))).toBe('stopped');
});
