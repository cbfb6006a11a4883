/** A function that is busy for ever, and what its callers and another deployment's see of it: real sandboxes, real HTTP. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { ServedLease } from '../../src/data-plane/plane.ts';
import { PlaneSupervisor } from '../../src/data-plane/supervisor.ts';
import { eventually } from '../workloads/driver-compliance.ts';
import { echo, loops } from '../workloads/modules.ts';
import { allowSeconds } from '../workloads/patience.ts';

allowSeconds(120);

const maxInstances = 2;

const folder = mkdtempSync(join(tmpdir(), 'mu-overload-'));
let supervisor: PlaneSupervisor;
const leaving = new AbortController();

beforeAll(async () => {
  supervisor = await PlaneSupervisor.start({
    settings: {
      folder: join(folder, 'plane'),
      gateway: { listen: { host: '127.0.0.1', port: 0 }, domain: '', limits: { drainMs: 0 } },
      host: { address: '127.0.0.1', port: 0, api: '/nowhere/api', peer: '/nowhere/peer', allowPrivatePeers: true },
      hosts: { nameServers: [], reserved: [] },
      resolvers: [],
      functions: { maxInstances },
      orphanMs: 60_000,
    },
    onLog: () => {},
    log: pino({ level: 'silent' }),
  });
  await supervisor.serve(leaseOf('1', 'busy', loops));
  await supervisor.serve(leaseOf('2', 'other', echo));
});
afterAll(async () => {
  leaving.abort();
  await supervisor.end();
  rmSync(folder, { recursive: true });
});

function leaseOf(lease: string, label: string, module: Uint8Array): ServedLease {
  const file = join(folder, `${label}.wasm`);
  writeFileSync(file, module);
  const sha256 = createHash('sha256').update(module).digest('hex');
  const routes = [{ path: '/', methods: [], to: { kind: 'function', name: 'f' } as const }];
  return {
    lease,
    deployment: `mu1owner/${lease}`,
    functions: [{ service: 'f', file, sha256, memoryBytes: 4 * 1024 * 1024, timeoutMs: 300_000, env: {} }],
    gateways: [{ label, service: 'gw', hosts: [], routes }],
    ...{ workloads: [], relays: [], names: [] },
  };
}

function ask(label: string, body: string): Promise<Response> {
  const { host, port } = supervisor.gateway;
  return fetch(`http://${host}:${port}/~${label}/`, { method: 'POST', body, signal: leaving.signal });
}

// How soon they are told, `npm run bench:gateway` measures; when it is decided, call-queue.test.ts tries.
test('callers of a busy function are told so while it is busy, and another deployment is served meanwhile', async () => {
  for (let i = 0; i < maxInstances; i += 1) ask('busy', 'for ever').catch(() => {});
  await eventually('the first refusal', async () =>
    (await ask('busy', 'one more')).status === 429 ? true : undefined,
  );
  for (let i = 0; i < 11; i += 1) {
    const [refused, served] = await Promise.all([ask('busy', 'one more'), ask('other', `call ${i}`)]);
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, expect.any(Number)]);
    expect(await refused.json()).toMatchObject({ error: 'busy' });
    expect([served.status, await served.text()]).toEqual([200, `call ${i}`]);
  }
});

test('many callers at once are all told, and the other deployment’s get their answers meanwhile', async () => {
  const refused = Array.from({ length: 100 }, () => ask('busy', 'one more').then(({ status }) => status));
  for (let i = 0; i < 5; i += 1) expect(await (await ask('other', `${i}`)).text()).toBe(`${i}`);
  expect(new Set(await Promise.all(refused))).toEqual(new Set([429]));
});
