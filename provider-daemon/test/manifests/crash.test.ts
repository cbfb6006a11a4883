/** A process that dies at each point of a manifest's way to the disk, and what the next one finds. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { type FaultPoint, peerPoints } from '../../src/faults/fault-points.ts';
import { type Journal, openJournal } from '../../src/journal/journal.ts';
import { ManifestStore } from '../../src/manifests/manifest-store.ts';
import { counted } from '../support/surroundings.ts';
import { factsOf, twoFiles } from './fixture.ts';

// Each case starts two processes.
jest.setTimeout(60_000);

const { chainId, owner, dseq, revision } = factsOf(twoFiles);
const key = { owner, dseq, revision };
const program = join(import.meta.dirname, 'crash-program.ts');

let base: string;
let journal: Journal | undefined;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mu-crash-'));
});

afterEach(async () => {
  await journal?.close();
  journal = undefined;
  rmSync(base, { recursive: true });
});

/** Does the steps, up to the fault where there is one. */
function run(steps: readonly string[], fault = ''): string | null {
  const args = ['--disable-warning=ExperimentalWarning', program, base, ...steps];
  const { signal, status, stderr } = spawnSync(process.execPath, args, {
    env: { PATH: process.env['PATH'], MU_FAULT: fault },
    encoding: 'utf8',
  });
  if (signal === null && status !== 0) throw new Error(stderr);
  return signal;
}

/** What a process after it finds. */
async function found(): Promise<unknown> {
  journal = openJournal(join(base, 'journal'), { chainId, provider: 'mu1p', nodeId: 'n' });
  const folder = join(base, 'manifests');
  const store = new ManifestStore({ folder, index: journal.manifests, random: counted().random });
  const [record] = store.list();
  const carried = await store.carried(key);
  expect(readdirSync(folder)).toEqual(record === undefined ? [] : [record.folder]);
  for (const infrastructure of record?.infrastructures ?? []) {
    const path = `functions/${infrastructure === 'main' ? 'first' : 'second'}.wasm`;
    await expect(store.load(key)!.fileOf(path)).resolves.toBeDefined();
  }
  await journal.close();
  journal = undefined;
  return carried === undefined ? 'nothing' : [record?.infrastructures, [...carried.keys.keys()], [...carried.have()]];
}

const whole = ['adopt', 'keys', 'first', 'second'];
const first = [0, 1, 2];
const all = [0, 1, 2, 3, 4, 5, 6, 7];
const both = ['main', 'spare'];

test.each<[FaultPoint, string, readonly string[], unknown]>([
  ['manifest.adopted', '', whole, 'nothing'],
  ['manifest.entered', '', whole, [[], [], []]],
  ['manifest.piece', '', whole, [[], both, []]],
  ['manifest.piece', ':3', whole, [[], both, [0, 1]]],
  ['manifest.piece', ':4', whole, [['main'], both, first]],
  ['manifest.claimed', '', whole, [['main'], both, first]],
  ['manifest.claimed', ':2', whole, [both, both, all]],
  ['manifest.placed', '', ['deliver-first'], 'nothing'],
  ['manifest.entered', '', ['deliver-first'], [['main'], ['main'], first]],
  ['manifest.merged', '', ['deliver-first', 'deliver-second'], [['main'], ['main'], first]],
  ['manifest.claimed', '', ['deliver-first', 'deliver-second'], [['main'], ['main'], all]],
  ['manifest.merged', '', ['adopt', 'piece-0', 'deliver-first'], [[], [], [0]]],
])('%s%s', async (point, times, steps, expected) => {
  expect(run(steps, `${point}${times}`)).toBe('SIGKILL');
  expect(await found()).toEqual(expected);
  // Whoever comes after it has everything in the end.
  expect(run([...whole, 'deliver-first', 'deliver-second'])).toBeNull();
  expect(await found()).toEqual([both, expect.arrayContaining(both), all]);
});

test('every point of the exchange is tried here', () => {
  expect([...peerPoints].sort()).toEqual(['manifest.adopted', 'manifest.claimed', 'manifest.merged', 'manifest.piece']);
});
