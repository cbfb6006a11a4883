/** An engine that fails in the middle of something: what was begun is ended or made whole when it is back. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Networks } from '../../../src/network/networks.ts';
import type { Volumes } from '../../../src/volumes/volumes.ts';
import { ContainerDriver } from '../../../src/workloads/container/container-driver.ts';
import { EngineError } from '../../../src/workloads/container/engine.ts';
import type { ContainerSpec, ServingWorkload } from '../../../src/workloads/driver.ts';
import { eventually } from '../driver-compliance.ts';
import { allowSeconds } from '../patience.ts';
import { MemoryEngine } from './memory-engine.ts';

allowSeconds(60);

const digest = `sha256:${'0'.repeat(64)}`;
const spec = (change: Partial<ContainerSpec> = {}): ContainerSpec => ({
  deployment: '7',
  service: 'web',
  artifact: { kind: 'image', image: { from: 'registry', reference: `registry.example/web@${digest}` } },
  memoryBytes: 64 << 20,
  cpu: 100,
  count: 1,
  ports: [],
  egress: 'none',
  volumes: [],
  ...change,
});
const away = (): EngineError => new EngineError('the engine is away');
const networks = {
  refresh: async () => {},
  ensure: async () => ({
    name: 'net',
    gateway: '10.0.0.1',
    addresses: ['10.0.0.2', '10.0.0.3', '10.0.0.4'],
    peerAddresses: [],
  }),
  list: async () => [],
  remove: async () => {},
  egressBytes: async () => 0n,
} as unknown as Networks;
const volumes = { ensure: async () => '/nowhere' } as unknown as Volumes;

let folder: string;
let engine: MemoryEngine;
let driver: ContainerDriver;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-troubles-'));
  engine = new MemoryEngine();
  driver = await ContainerDriver.create({
    provider: 'mu1provider',
    stateFolder: join(folder, 'marks'),
    networks,
    volumes,
    engine,
    patience: { settleMs: 0 },
  });
});

afterEach(async () => {
  await driver.close();
  rmSync(folder, { recursive: true });
});

const running = (): string[] =>
  [...engine.containers.values()].filter(({ isRunning }) => isRunning).map(({ id }) => id);

test.each([
  [{ seccomp: false }, /at memory runs containers without seccomp; take “seccomp-profile/],
  [{ nvidiaForAll: true }, /at memory runs every container by NVIDIA’s runtime.*take “default-runtime” out/],
])('an engine with %j is refused', async (facts, message) => {
  const loose = new MemoryEngine();
  const usual = await loose.facts();
  loose.facts = async () => ({ ...usual, ...facts });
  const opening = ContainerDriver.create({
    provider: 'mu1provider',
    stateFolder: join(folder, 'marks'),
    networks,
    volumes,
    engine: loose,
  });
  await expect(opening).rejects.toThrow(message);
});

test('a workload whose end failed half way is ended first when it is started again', async () => {
  const workload = await driver.start(spec());
  engine.refuse = (call) => (call.startsWith('remove') ? away() : undefined);
  await expect(workload.stop()).rejects.toThrow('away');
  engine.refuse = () => undefined;
  const again = await driver.start(spec());
  expect(again.status()).toMatchObject([{ index: 0, state: 'ready' }]);
  expect(running()).toEqual(['made-2']);
  expect(engine.containers.size).toBe(1);
});

test('an instance that was removed from outside, and could not be made anew then, is made anew later', async () => {
  const workload = await driver.start(spec());
  engine.containers.clear();
  const tried: string[] = [];
  engine.refuse = (call) => {
    if (!call.startsWith('create')) return undefined;
    tried.push(call);
    return away();
  };
  engine.endEvents();
  await eventually('a try', () => tried[0]);
  engine.refuse = () => undefined;
  engine.endEvents();
  await eventually('another one', () => running()[0]);
  await eventually('that it is ready', () => workload.status().find(({ state }) => state === 'ready'));
});

test('a command whose start cannot be followed keeps no connection to the engine', async () => {
  const workload = (await driver.start(spec())) as ServingWorkload;
  engine.refuse = (call) => (call === 'inspect exec' ? away() : undefined);
  await expect(workload.exec({ instance: 0, command: ['sh'], tty: false })).rejects.toThrow('away');
  expect(engine.terminal.destroyed).toBe(true);
});
