/** A function called through the gateway of a real provider, and the same function without the gateway. */
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { Gateway } from '@mu/provider-daemon/gateway/gateway';
import { WasmDriver } from '@mu/provider-daemon/workloads/wasm-driver';
import { ask, drive } from './load.ts';

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

/**
 * The same function by turns through the gateway and by the driver's own invoke, on one machine in one run: the
 * difference is what the gateway adds.
 * @returns milliseconds of each call
 */
export async function callSideBySide(calls: number): Promise<{ gateway: number[]; driver: number[] }> {
  const driver = await WasmDriver.create({ maxInstances: 1 });
  const gateway = new Gateway();
  try {
    const bytes = new Uint8Array(readFileSync(module));
    const workload = await driver.start({
      deployment: 'bench',
      service: 'login',
      artifact: { kind: 'wasm', bytes },
      memoryBytes: 128 << 20,
    });
    const { host, port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
    const routes = [{ path: '/login', methods: ['POST'], to: { kind: 'function' as const, name: 'login' } }];
    gateway.setRoutes('bench', {
      deployment: 'bench',
      service: 'gw',
      routes,
      functions: new Map([['login', workload]]),
    });
    const endpoint = `http://${host}:${port}/~bench`;
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const env = { REQUEST_METHOD: 'POST', CONTENT_LENGTH: `${body.length}` };
    const times = { gateway: [] as number[], driver: [] as number[] };
    for (let call = 0; call < calls; call += 1) {
      const start = performance.now();
      await ask(agent, endpoint, { method: 'POST', path: '/~bench/login', body });
      const between = performance.now();
      await workload.invoke({ args: ['/login'], env, stdin: Buffer.from(body) }, () => undefined);
      times.gateway.push(between - start);
      times.driver.push(performance.now() - between);
    }
    agent.destroy();
    return times;
  } finally {
    await gateway.close();
    await driver.close();
  }
}
