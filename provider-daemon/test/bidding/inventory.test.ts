import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Dec } from '@mu/lib/dec';
import { allocate, fitForSure } from '../../src/bidding/gpus.ts';
import { type Held, inventory } from '../../src/bidding/inventory.ts';
import { hostProbe, type MachineProbe, offeredCapacity, readMachine } from '../../src/bidding/machine.ts';
import { reconcile } from '../../src/bidding/reconcile.ts';
import { inventoryReport, inventoryTable } from '../../src/bidding/report.ts';
import { compute, mib, offer } from './fixture.ts';

const held = (count: number, collateral = 0n): Held => ({ resources: [{ compute, count }], collateral });

describe('what the machine has', () => {
  const probe: MachineProbe = {
    cores: () => 4,
    memory: () => 8n << 30n,
    disk: () => Promise.resolve({ size: 200n, free: 70n }),
    usedDisk: () => Promise.resolve(30n),
  };
  const all = { cpu: 0n, memory: 0n, disk: 0n, cpuOvercommit: Dec.one, memoryOvercommit: Dec.one, gpus: [] };
  const machine = { cpu: 4_000n, memory: 8n << 30n, disk: 100n, diskSize: 200n };

  test('is read from it: the disk is what is free and what the provider has of it already', async () => {
    expect(await readMachine(probe, '/data')).toEqual(machine);
  });

  test('is offered whole where the config says nothing, and less where it says less', () => {
    expect(offeredCapacity(all, machine)).toEqual({ cpu: 4_000n, memory: 8n << 30n, disk: 100n, gpus: [] });
    expect(offeredCapacity({ ...all, cpu: 1_500n, disk: 100n }, machine)).toMatchObject({ cpu: 1_500n, disk: 100n });
  });

  test('times the over-commit factors for CPU and memory, never for disk', () => {
    const twice = { ...all, cpuOvercommit: Dec.fromString('2.5'), memoryOvercommit: Dec.fromString('1.5') };
    expect(offeredCapacity(twice, machine)).toMatchObject({ cpu: 10_000n, memory: 12n << 30n, disk: 100n });
    expect(offeredCapacity({ ...twice, cpu: 10_000n }, machine)).toMatchObject({ cpu: 10_000n });
    expect(() => offeredCapacity({ ...twice, cpu: 10_001n }, machine)).toThrow(
      'capacity.cpu offers 10001 thousandths of a core, but this machine has 10000 (with capacity.cpu_overcommit)',
    );
    expect(() => offeredCapacity({ ...twice, memory: (12n << 30n) + 1n }, machine)).toThrow(/^capacity\.memory offers/);
    expect(() => offeredCapacity({ ...twice, disk: 201n }, machine)).toThrow(
      'capacity.disk offers 201 bytes, but this machine has 200: offer less, or 0 for all of it',
    );
  });

  test('disk that others have filled makes the offer smaller, and does not keep the daemon from starting', () => {
    expect(offeredCapacity({ ...all, disk: 150n }, machine).disk).toBe(100n);
    expect(offeredCapacity({ ...all, disk: 99n }, machine).disk).toBe(99n);
  });

  describe('on a real one', () => {
    let folder: string;
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'mu-machine-'));
    });
    afterEach(() => rmSync(folder, { recursive: true }));

    test('what the data folder holds counts by the blocks it takes, folders within folders too', async () => {
      const before = await hostProbe.usedDisk(folder);
      mkdirSync(join(folder, 'a', 'b'), { recursive: true });
      writeFileSync(join(folder, 'a', 'b', 'c'), Buffer.alloc(300_000, 1));
      const grown = (await hostProbe.usedDisk(folder)) - before;
      expect(grown).toBeGreaterThanOrEqual(300_000n);
      expect(grown).toBeLessThan(400_000n);
      const machine = await readMachine(hostProbe, folder);
      expect(machine.cpu).toBeGreaterThanOrEqual(1_000n);
      expect(machine.memory).toBeGreaterThan(64n * mib);
      expect(machine.disk).toBeGreaterThan(300_000n);
    });
  });
});

describe('the inventory', () => {
  const gpus = [{ vendor: 'nvidia', model: 'a100', count: 4 }];
  const withGpu = (count: number): Held => ({
    resources: [{ compute: { ...compute, gpu: { count, vendor: 'nvidia', model: '' } }, count: 1 }],
    collateral: 7n,
  });

  test('is what leases hold, what bids reserve, and what is left of each kind', () => {
    const found = inventory(
      { ...offer.capacity, gpus },
      { leases: [held(2, 50n), withGpu(2)], bids: [held(1, 30n), withGpu(1)] },
    );
    expect(found).toEqual({
      offered: { cpu: 1_000n, memory: 1_024n * mib, disk: 2_048n * mib },
      leased: { cpu: 300n, memory: 384n * mib, disk: 768n * mib },
      reserved: { cpu: 200n, memory: 256n * mib, disk: 512n * mib },
      free: { cpu: 500n, memory: 384n * mib, disk: 768n * mib },
      gpus: [{ vendor: 'nvidia', model: 'a100', offered: 4, leased: 2, reserved: 1, free: 1 }],
      leases: 2,
      openBids: 2,
      collateral: { leases: 57n, bids: 37n },
    });
  });

  test('shows below zero what is held beyond a smaller offer: nothing is hidden', () => {
    const found = inventory({ ...offer.capacity, cpu: 100n }, { leases: [held(3)], bids: [] });
    expect(found.free.cpu).toBe(-200n);
  });

  test('is reported as texts, and as a table with cores and MiB', () => {
    const found = inventory({ ...offer.capacity, gpus }, { leases: [held(3, 50n), withGpu(2)], bids: [held(7)] });
    const machine = { cpu: 2_000n, memory: 2_048n * mib, disk: 1n << 62n };
    const differences = reconcile([{ lease: 4n, runs: true }], []);
    const report = inventoryReport(machine, found, differences);
    expect(JSON.parse(JSON.stringify(report))).toMatchObject({
      machine: { cpu: '2000', disk: '4611686018427387904' },
      lines: [
        { kind: 'cpu', offered: '1000', leased: '400', reserved: '700', free: '-100' },
        { kind: 'memory', free: `${-384n * mib}` },
        { kind: 'disk', free: `${-768n * mib}` },
        { kind: 'gpu nvidia/a100', offered: '4', leased: '2', reserved: '0', free: '2' },
      ],
      leases: 2,
      open_bids: 1,
      collateral: { leases: '57', bids: '0' },
      differences: ['nothing of lease 4 runs'],
    });
    expect(inventoryTable(report).split('\n')).toEqual([
      '                 offered  leased  reserved    free',
      'cpu (cores)        1.000   0.400     0.700  -0.100',
      'memory (MiB)        1024     512       896    -384',
      'disk (MiB)          2048    1024      1792    -768',
      'gpu nvidia/a100        4       2         0       2',
      '2 leases, 1 open bids; collateral 57 and 0 umu',
      'nothing of lease 4 runs',
    ]);
  });
});

describe('graphics processors', () => {
  const pools = [
    { vendor: 'nvidia', model: 'a100', count: 2 },
    { vendor: 'amd', model: 'mi300', count: 2 },
  ];
  const wish = (count: number, vendor: string, model: string, replicas = 1) => ({
    gpu: { count, vendor, model },
    replicas,
  });

  test('who takes any gives way to who wants a model, whoever came first', () => {
    expect(allocate(pools, [wish(2, '', ''), wish(2, 'nvidia', 'a100')])).toEqual({ taken: [2, 2], unplaced: 0 });
    expect(allocate(pools, [wish(1, '', '', 2), wish(1, '', 'A100', 2)])).toEqual({ taken: [2, 2], unplaced: 0 });
  });

  test('a replica’s own are all of one model; what finds no place is counted', () => {
    expect(allocate(pools, [wish(3, '', '')])).toEqual({ taken: [0, 0], unplaced: 1 });
    expect(allocate(pools, [wish(1, 'nvidia', '', 5)])).toEqual({ taken: [2, 0], unplaced: 3 });
    expect(allocate([], [wish(1, '', '')])).toEqual({ taken: [], unplaced: 1 });
  });

  test('what is promised fits in whatever order containers start: who takes any may sit on a model', () => {
    const any = wish(1, '', '');
    const a100 = wish(1, 'nvidia', 'a100');
    expect(fitForSure(pools, [], [wish(1, '', '', 4)])).toBe(true);
    expect(fitForSure(pools, [], [wish(1, '', '', 5)])).toBe(false);
    expect(fitForSure(pools, [a100], [any])).toBe(true);
    // Two that take any may both be on a100.
    expect(fitForSure(pools, [a100], [any, any])).toBe(false);
    expect(fitForSure(pools, [any, any], [a100])).toBe(false);
    expect(fitForSure(pools, [a100], [a100])).toBe(true);
    expect(fitForSure(pools, [a100, wish(1, 'amd', '')], [any])).toBe(true);
  });

  test('two alike are only promised where others cannot leave one of each', () => {
    expect(fitForSure(pools, [wish(1, '', '')], [wish(2, '', '')])).toBe(true);
    expect(fitForSure(pools, [wish(1, '', '', 2)], [wish(2, '', '')])).toBe(false);
    // A replica with two may serve two instances with one each, on both.
    expect(fitForSure(pools, [wish(2, '', '')], [wish(2, '', '')])).toBe(false);
    expect(fitForSure(pools, [wish(2, 'nvidia', '')], [wish(2, 'amd', '')])).toBe(true);
    expect(fitForSure(pools, [], [wish(3, '', '')])).toBe(false);
    expect(fitForSure([], [], [wish(1, '', '')])).toBe(false);
  });

  test('what is oversold elsewhere keeps nobody from the rest', () => {
    const oversold = wish(3, 'amd', 'mi300');
    expect(fitForSure(pools, [oversold, wish(1, 'amd', '', 3)], [wish(2, 'nvidia', '')])).toBe(true);
    expect(fitForSure(pools, [wish(1, 'amd', '', 3)], [wish(1, 'amd', 'mi300')])).toBe(false);
  });
});

describe('reconciling with the drivers', () => {
  const name = (deployment: string, service: string) => ({ deployment, service });

  test('finds nothing where all is as it should be', () => {
    expect(
      reconcile(
        [
          { lease: 1n, runs: true, services: ['web'] },
          { lease: 2n, runs: true },
          { lease: 3n, runs: false },
        ],
        [name('1', 'web'), name('2', 'anything')],
      ),
    ).toEqual([]);
  });

  test('names what runs without a lease, and what should run and does not', () => {
    const differences = reconcile(
      [
        { lease: 1n, runs: true, services: ['web', 'db'] },
        { lease: 2n, runs: true },
      ],
      [name('1', 'web'), name('1', 'old'), name('9', 'web')],
    );
    expect(differences.map(({ kind, text }) => [kind, text])).toEqual([
      ['stray', 'old of lease 1 runs, but its manifest names no such service'],
      ['stray', 'web of lease 9 runs, but no such lease lives here'],
      ['missing', 'db of lease 1 should run and does not'],
      ['missing', 'nothing of lease 2 runs'],
    ]);
  });
});
