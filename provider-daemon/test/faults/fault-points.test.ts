import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { armedBy, dataPlanePoints, type FaultPoint, faultPoints } from '../../src/faults/fault-points.ts';

const source = join(import.meta.dirname, '..', '..', 'src');
const table = join(source, 'faults', 'fault-points.ts');
const folder = mkdtempSync(join(tmpdir(), 'mu-fault-points-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Names of points by the files that reach them. */
function reached(): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    const file = join(source, name);
    if (!name.endsWith('.ts') || file === table) continue;
    for (const [, point = ''] of readFileSync(file, 'utf8').matchAll(/\breach\(([^)]*)\)/g)) {
      found.set(point, [...(found.get(point) ?? []), name]);
    }
  }
  return found;
}

describe('the table and the source agree', () => {
  test('there are at least 25 points, each with what it stands for', () => {
    expect(Object.keys(faultPoints).length).toBeGreaterThanOrEqual(25);
    for (const meaning of Object.values(faultPoints)) expect(meaning.length).toBeGreaterThan(10);
    expect(new Set(Object.values(faultPoints)).size).toBe(Object.keys(faultPoints).length);
  });

  test('each is reached at exactly one place, by its name; no other name is used', () => {
    const places = [...reached()].map(([point, files]) => [point, files.length]);
    const wanted = Object.keys(faultPoints).map((point) => [`'${point}'`, 1]);
    expect(places.sort()).toEqual(wanted.sort());
  });

  test('those of the data plane stand in its sources, and no others do', () => {
    const there = [...reached()].filter(([, [file]]) => file?.startsWith('data-plane/'));
    expect(there.map(([point]) => point.slice(1, -1)).sort()).toEqual([...dataPlanePoints].sort());
  });
});

/** A program that comes to a point three times, and says so. */
function run(env: Readonly<Record<string, string>>): { signal: string | null; said: string; error: string } {
  const program = `
    import { reach } from ${JSON.stringify(table)};
    for (let i = 0; i < 3; i += 1) { process.stdout.write(String(i)); reach('lease.noted'); }
  `;
  const { signal, stdout, stderr } = spawnSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', program],
    { env: { PATH: process.env['PATH'], ...env }, encoding: 'utf8' },
  );
  return { signal, said: stdout, error: stderr };
}

describe('a process', () => {
  test('without a wish comes through', () => {
    expect(run({})).toEqual({ signal: null, said: '012', error: '' });
  });

  test('ends by SIGKILL at the point that is wished, and says which one', () => {
    const { signal, said, error } = run({ MU_FAULT: 'lease.noted' });
    expect([signal, said]).toEqual(['SIGKILL', '0']);
    expect(error).toMatch(/^process \d+ kills itself at the fault point lease.noted\n$/);
  });

  test('ends when it comes there for the n-th time, and not where it comes there less often', () => {
    expect(run({ MU_FAULT: 'lease.noted:3' })).toMatchObject({ signal: 'SIGKILL', said: '012' });
    expect(run({ MU_FAULT: 'lease.noted:4' })).toMatchObject({ signal: null, said: '012' });
    expect(run({ MU_FAULT: 'lease.heard' })).toMatchObject({ signal: null, said: '012' });
  });

  test('with a mark only the first one ends', () => {
    const env = { MU_FAULT: 'lease.noted', MU_FAULT_MARK: join(folder, 'mark') };
    expect(run(env).signal).toBe('SIGKILL');
    expect(existsSync(env.MU_FAULT_MARK)).toBe(true);
    expect(run(env)).toMatchObject({ signal: null, said: '012' });
  });
});

test('what is no point, or no count, is refused', () => {
  const wished = (fault: string) => () => armedBy({ MU_FAULT: fault });
  expect(wished('lease.noticed')).toThrow('there is no fault point lease.noticed');
  expect(wished('toString')).toThrow('there is no fault point toString');
  for (const count of ['', '0', '-1', '1.5', 'x']) expect(wished(`lease.noted:${count}`)).toThrow('how often');
  expect(armedBy({})).toBeUndefined();
  expect(armedBy({ MU_FAULT: '' })).toBeUndefined();
  const all = Object.keys(faultPoints) as FaultPoint[];
  expect(all.map((point) => armedBy({ MU_FAULT: `${point}:2` })?.point)).toEqual(all);
});
