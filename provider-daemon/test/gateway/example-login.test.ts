import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Gateway } from '../../src/gateway/gateway.ts';
import type { CallableWorkload } from '../../src/workloads/driver.ts';
import { WasmDriver } from '../../src/workloads/wasm-driver.ts';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(60);

const folder = join(import.meta.dirname, '../../../examples/login');

const scratch = mkdtempSync(join(tmpdir(), 'mu-login-'));

/** The example's function, compiled as its `build` script does. */
function compiled(): Uint8Array {
  const out = join(scratch, 'out.wasm');
  const compiler = fileURLToPath(import.meta.resolve('assemblyscript/bin/asc.js'));
  execFileSync(process.execPath, [compiler, 'assembly/simple_backend.ts', '--target', 'release', '--outFile', out], {
    cwd: folder,
  });
  return readFileSync(out);
}

describe('examples/login', () => {
  const lines: string[] = [];
  const gateway = new Gateway();
  let driver: WasmDriver;
  let workload: CallableWorkload;
  let bytes: Uint8Array;
  let url: string;

  beforeAll(async () => {
    bytes = compiled();
    driver = await WasmDriver.create({ log: (_, stream, line) => void lines.push(`${stream}: ${line}`) });
    const artifact = { kind: 'wasm', bytes } as const;
    workload = await driver.start({
      deployment: 'd',
      service: 'simple_backend',
      artifact,
      memoryBytes: 128 * 1024 * 1024,
    });
    const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 });
    url = `http://127.0.0.1:${port}/~label/login`;
    const routes = [{ path: '/login', methods: ['POST'], to: { kind: 'function' as const, name: 'simple_backend' } }];
    const functions = new Map([['simple_backend', workload]]);
    gateway.setRoutes('label', { deployment: 'd', service: 'main_gw', routes, functions });
  });
  afterAll(async () => {
    rmSync(scratch, { recursive: true });
    await gateway.close();
    await driver.close();
  });

  async function greeting(query: string, body?: string): Promise<unknown> {
    const response = await fetch(`${url}${query}`, { method: 'POST', ...(body === undefined ? {} : { body }) });
    expect(response.headers.get('content-type')).toBe('application/json');
    return response.json();
  }

  test.each([
    ['', undefined, 'world'],
    ['', '{"name":"Ada"}', 'Ada'],
    ['', ' { "other": [1, {"name": "inner"}], "name" : "A \\"q\\" \\u00e9 \\\\ \\n" } ', 'A "q" é \\'],
    ['', '{"name": 7}', 'world'],
    ['', '{"name": "not ended', 'world'],
    ['?a=1&name=Grace%20H%c3%b6pper+x', '', 'Grace Höpper x'],
    ['?name=query', '{"name":"body"}', 'body'],
    ['?name=%zz', undefined, 'world'],
  ])('%s %s greets', async (query, body, name) => {
    expect(await greeting(query, body)).toEqual({ message: `Hello, ${name}!`, visitor: name });
  });

  test('a long name is cut, and a long body does no harm', async () => {
    expect(await greeting('', JSON.stringify({ name: 'x'.repeat(500) }))).toMatchObject({ visitor: 'x'.repeat(200) });
    expect(await greeting('', `{"pad":"${'y'.repeat(1_000_000)}","name":"late"}`)).toMatchObject({ visitor: 'world' });
  });

  test('it logs, and what it used is counted', async () => {
    await greeting('', '{"name":"Bob"}');
    expect(lines).toContain('stderr: login of "Bob"');
    expect(workload.usage().invocations).toBeGreaterThan(0n);
  });

  test('it is small, and the same with every build', () => {
    expect(bytes.length).toBeLessThan(16 * 1024);
    expect(Buffer.from(compiled()).equals(bytes)).toBe(true);
  });

  test('the stack names what is built here', () => {
    const { scripts } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
      scripts: { build: string };
    };
    const { targets } = JSON.parse(readFileSync(join(folder, 'asconfig.json'), 'utf8')) as {
      targets: { release: { outFile: string } };
    };
    expect(scripts.build).toContain('assembly/simple_backend.ts --target release');
    expect(readFileSync(join(folder, 'stack.yaml'), 'utf8')).toContain(`binary: ${targets.release.outFile}`);
    expect(dirname(targets.release.outFile)).toBe('build');
  });
});
