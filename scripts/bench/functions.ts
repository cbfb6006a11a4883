/** A function called through the gateway of a real provider, and the same function without the gateway. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { WasmDriver } from '@mu/provider-daemon/workloads/wasm-driver';
import { drive } from './load.ts';

const module = join(import.meta.dirname, '..', '..', 'examples', 'login', 'build', 'simple_backend.wasm');
const body = '{"name":"Ada"}';

/** Calls POST /login so often. @returns milliseconds of each call and requests per second */
export async function callGateway(
  endpoint: string,
  connections: number,
  calls: number,
): Promise<{ times: number[]; perSecond: number }> {
  let left = calls;
  const path = `${new URL(endpoint).pathname}/login`;
  const start = performance.now();
  const times = await drive(
    endpoint,
    connections,
    () => (left-- > 0 ? { method: 'POST', path, body } : undefined),
    ({ status, text }) => {
      if (status !== 200) throw new Error(`the function answered ${status}: ${text}`);
    },
  );
  return { times, perSecond: calls / ((performance.now() - start) / 1000) };
}

/** The engine alone: the driver's own invoke, one call after the other. @returns milliseconds of each call */
export async function callDriver(calls: number): Promise<number[]> {
  const driver = await WasmDriver.create({ maxInstances: 1 });
  try {
    const bytes = new Uint8Array(readFileSync(module));
    const workload = await driver.start({
      deployment: 'bench',
      service: 'login',
      artifact: { kind: 'wasm', bytes },
      memoryBytes: 128 << 20,
    });
    const env = { REQUEST_METHOD: 'POST', CONTENT_LENGTH: `${body.length}` };
    const times: number[] = [];
    for (let call = 0; call < calls; call += 1) {
      const start = performance.now();
      await workload.invoke({ args: ['/login'], env, stdin: Buffer.from(body) }, () => undefined);
      times.push(performance.now() - start);
    }
    return times;
  } finally {
    await driver.close();
  }
}
