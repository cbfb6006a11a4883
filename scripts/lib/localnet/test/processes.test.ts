import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { eventually } from '@mu/e2e/process';
import { killProgram, lastLines, type ProgramFiles, pidOf, signal, startDetached, stopProgram } from '../processes.ts';

let folder: string;
let files: ProgramFiles & { readonly outFile: string };

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-processes-'));
  files = {
    title: 'a program',
    mark: folder,
    pidFile: join(folder, 'pid'),
    outFile: join(folder, 'out'),
    logFile: join(folder, 'log'),
  };
});
afterEach(async () => {
  await killProgram(files);
  rmSync(folder, { recursive: true });
});

/** Node, with our folder among its arguments. */
const start = (code: string): Promise<number> => startDetached(files, process.execPath, ['-e', code, folder]);
const waits = 'setInterval(() => {}, 1000); console.log("ready"); console.error("logged")';
const said = (): Promise<true> =>
  eventually('its first line', () => (readFileSync(files.outFile, 'utf8') === 'ready\n' ? true : undefined));

test('a program is known by its pid and ends when asked', async () => {
  expect(pidOf(files)).toBeUndefined();
  const pid = await start(waits);
  await said();
  expect(pidOf(files)).toBe(pid);
  await eventually('its log', () => (lastLines(files.logFile) === 'logged' ? true : undefined));
  await stopProgram(files, 10_000);
  expect(pidOf(files)).toBeUndefined();
});

test('one that does not want to end, and one that stands still, are ended all the same', async () => {
  await start(`process.on('SIGTERM', () => {}); ${waits}`);
  await said();
  await stopProgram(files, 300);
  expect(pidOf(files)).toBeUndefined();
  await start(waits);
  await said();
  signal(files, 'SIGSTOP');
  await stopProgram(files, 10_000);
  expect(pidOf(files)).toBeUndefined();
});

test('a pid that belongs to somebody else now is nobody, and is left alone', async () => {
  writeFileSync(files.pidFile, `${process.pid}\n`);
  expect(pidOf(files)).toBeUndefined();
  expect(signal(files, 'SIGKILL')).toBe(false);
});

test('a program that is not there is named', async () => {
  await expect(startDetached(files, join(folder, 'nothing'), [])).rejects.toThrow('a program cannot be started');
});
