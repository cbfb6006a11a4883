import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { LineStore } from '../../src/api/line-store.ts';

interface Line {
  readonly text: string;
}

let base: string;
let troubles: string[];
let store: LineStore<Line>;

const open = (segmentBytes = 1_000, pendingBytes = 10_000): LineStore<Line> =>
  new LineStore<Line>({
    folder: join(base, 'lines'),
    segmentBytes,
    pendingBytes,
    onTrouble: (lease, error) => troubles.push(`${lease} ${error === undefined ? 'fine' : 'trouble'}`),
  });

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mu-lines-'));
  troubles = [];
  store = open();
});
afterEach(async () => {
  await store.settled();
  rmSync(base, { recursive: true, force: true });
});

const write = (text: string, lease = 7n): void => store.append(lease, { text }, text.length);
const never = new AbortController().signal;

async function read(after = 0, lease = 7n): Promise<string[]> {
  const lines: string[] = [];
  for await (const { seq, text } of store.read(lease, { after, follow: false, signal: never })) {
    lines.push(`${seq} ${text}`);
  }
  return lines;
}

test('lines are numbered in the order in which they were written, each lease by itself', async () => {
  write('a');
  write('b\n"ü"');
  write('c', 8n);
  expect(await read()).toEqual(['1 a', '2 b\n"ü"']);
  expect(await read(1)).toEqual(['2 b\n"ü"']);
  expect(await read(2)).toEqual([]);
  expect(await read(0, 8n)).toEqual(['1 c']);
  expect(await read(0, 9n)).toEqual([]);
});

test('numbers go on after a restart, also where a crash has left half a line', async () => {
  write('a');
  await store.settled();
  const [file] = readdirSync(join(base, 'lines', '7')) as [string];
  appendFileSync(join(base, 'lines', '7', file), '{"seq":2,"te');
  store = open();
  write('b');
  expect(await read()).toEqual(['1 a', '2 b']);
});

test('two files are kept, of bounded size, which nobody else may read', async () => {
  for (let i = 0; i < 100; i++) {
    write('x'.repeat(100));
    await store.settled();
  }
  const folder = join(base, 'lines', '7');
  const files = readdirSync(folder).map((name) => statSync(join(folder, name)));
  expect(files).toHaveLength(2);
  for (const { size, mode } of files) expect([size <= 1_000, mode & 0o777]).toEqual([true, 0o600]);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  const kept = await read();
  expect(kept.length).toBeGreaterThanOrEqual(8);
  expect(kept.at(-1)).toMatch(/^100 /);
  expect(await read(98)).toHaveLength(2);
});

test('a reader follows over files, and gets what comes until it goes', async () => {
  const stop = new AbortController();
  const reader = store.read(7n, { after: 0, follow: true, signal: stop.signal });
  for (let i = 1; i <= 60; i++) {
    const next = reader.next();
    write(`line ${i} ${'x'.repeat(50)}`);
    expect((await next).value).toMatchObject({ seq: i });
  }
  const last = reader.next();
  stop.abort();
  expect((await last).done).toBe(true);
});

test('a reader that does not read holds no writer up, and misses only what is kept no longer', async () => {
  write('first');
  const reader = store.read(7n, { after: 0, follow: true, signal: never });
  expect((await reader.next()).value).toMatchObject({ seq: 1 });
  for (let i = 2; i <= 100; i++) {
    write('x'.repeat(100));
    await store.settled();
  }
  const next = (await reader.next()).value as { seq: number };
  expect(next.seq).toBeGreaterThan(1);
  let last = next.seq;
  while (last < 100) {
    const line = (await reader.next()).value as { seq: number };
    expect(line.seq).toBeGreaterThan(last);
    last = line.seq;
  }
  await reader.return(undefined);
});

test('more at once than may wait is lost, and the gap in the numbers says so', async () => {
  store = open(1_000, 100);
  for (let i = 0; i < 5; i++) write('x'.repeat(40));
  await store.settled();
  write('after');
  expect((await read()).map((line) => line.slice(0, 7))).toEqual([
    `1 ${'x'.repeat(5)}`,
    `2 ${'x'.repeat(5)}`,
    '6 after',
  ]);
});

test('a disk that takes nothing loses lines and nothing else; it is told once, and once when it is over', async () => {
  write('before');
  await store.settled();
  // A file in the place of the folder: nothing can be written below it.
  rmSync(join(base, 'lines'), { recursive: true });
  writeFileSync(join(base, 'lines'), '');
  for (const text of ['lost', 'lost too']) {
    write(text);
    await store.settled();
  }
  expect(troubles).toEqual(['7 trouble']);
  rmSync(join(base, 'lines'));
  store.append(7n, { text: 'x'.repeat(990) }, 990);
  await store.settled();
  expect(troubles).toEqual(['7 trouble', '7 fine']);
  expect((await read()).map((line) => line.slice(0, 3))).toEqual(['4 x']);
});

test('the end of a lease ends its readers and erases what was kept; what nobody has any more is swept', async () => {
  write('a');
  write('b', 8n);
  write('c', 9n);
  await store.settled();
  const reader = store.read(7n, { after: 0, follow: true, signal: never });
  await reader.next();
  const next = reader.next();
  await store.forget(7n);
  expect((await next).done).toBe(true);
  expect(existsSync(join(base, 'lines', '7'))).toBe(false);
  expect(await store.leases()).toEqual([8n, 9n]);
  await store.keepOnly(new Set([9n]));
  expect(await store.leases()).toEqual([9n]);
});

test('lines that come while a lease is being forgotten end nothing, and are swept', async () => {
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 20; i++) write('x'.repeat(300));
    const ending = store.forget(7n);
    for (let i = 0; i < 20; i++) write('late'.repeat(80));
    await ending;
  }
  await store.settled();
  await store.keepOnly(new Set());
  expect(await store.leases()).toEqual([]);
});
