import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { toHex, utf8 } from '@mu/lib/bytes';
import { merkleRoot } from '@mu/lib/merkle';
import { UsageReport } from '@mu/proto/billing';
import { logLimits } from '../../src/api/log-book.ts';
import type { NumberedEvent, NumberedLine } from '../../src/api/sources.ts';
import { isRootLine, TenantDesk } from '../../src/api/tenant-desk.ts';
import { RequestLog } from '../../src/usage/request-log.ts';

let folder: string;
let desk: TenantDesk;

const open = (): TenantDesk =>
  new TenantDesk({ folder, requests: new RequestLog(), now: () => 1_000, onTrouble: () => undefined });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'mu-desk-'));
  desk = open();
});
afterEach(async () => {
  await desk.settled();
  rmSync(folder, { recursive: true, force: true });
});

const signal = new AbortController().signal;
const request = (line: string): void => desk.log({ deployment: '7', service: 'web' }, 'request', line);

async function lines(): Promise<NumberedLine[]> {
  const all: NumberedLine[] = [];
  for await (const line of desk.logs.read(7n, { follow: false, signal })) all.push(line);
  return all;
}

async function events(): Promise<NumberedEvent[]> {
  const all: NumberedEvent[] = [];
  for await (const event of desk.events.read(7n, { after: 0, follow: false, signal })) all.push(event);
  return all;
}

/** The roots of the periods, as a tenant reckons them from the log that he has fetched. */
async function reckoned(): Promise<string[]> {
  const roots: string[] = [];
  let open: Uint8Array[] = [];
  for (const line of await lines()) {
    if (line.stream === 'request') open.push(utf8(line.line));
    if (!isRootLine(line)) continue;
    roots.push(toHex(merkleRoot(open)));
    open = [];
  }
  return roots;
}

test('the tenant can reckon the root of every report from the request lines in his log', async () => {
  request('GET / 200 1.0 ms');
  desk.log({ deployment: '7', service: 'web' }, 'stdout', 'not a request');
  // Longer than a line of the log: what is committed to is what is kept.
  request(`GET /${'x'.repeat(2 * logLimits.maxLineChars)} 404 1.0 ms`);
  const first = toHex(desk.takeLogRoot(7n));
  request('POST / 200 2.0 ms');
  const second = toHex(desk.takeLogRoot(7n));
  expect(await reckoned()).toEqual([first, second]);
  expect(first).not.toBe(second);
});

test('also of a period in which the daemon was killed', async () => {
  request('GET /before 200 1.0 ms');
  desk.takeLogRoot(7n);
  request('GET /a 200 1.0 ms');
  await desk.settled();
  desk = open();
  await desk.restore();
  request('GET /b 200 1.0 ms');
  const root = toHex(desk.takeLogRoot(7n));
  expect(root).toBe(toHex(merkleRoot([utf8('GET /a 200 1.0 ms'), utf8('GET /b 200 1.0 ms')])));
  expect((await reckoned()).at(-1)).toBe(root);
});

test('a workload cannot write the line that ends a period', async () => {
  const root = desk.takeLogRoot(7n);
  const [line] = (await lines()) as [NumberedLine];
  expect(isRootLine(line)).toBe(true);
  desk.log({ deployment: '7', service: 'web' }, 'stdout', line.line);
  desk.log({ deployment: '7', service: 'web' }, 'system', line.line);
  expect((await lines()).map(isRootLine)).toEqual([true, false, false]);
  expect(line.line).toContain(toHex(root));
});

test('a report that the chain has taken is an event', async () => {
  const report = { lease: 7n, sequence: 3n, fromHeight: 5n, toHeight: 9n, logRoot: new Uint8Array(32).fill(1) };
  desk.reported(UsageReport.fromPartial(report));
  const event = { type: 'usage-reported', sequence: '3', from_height: '5', to_height: '9', log_root: '01'.repeat(32) };
  expect(await events()).toEqual([{ seq: 1, timeMs: 1_000, event }]);
});

test('an image that has come is an event, and a line of the log', async () => {
  const event = { type: 'image-pulled', image: 'images/web.tar' } as const;
  desk.log({ deployment: '7', service: 'web' }, 'system', 'the image is here', event);
  expect(await events()).toMatchObject([{ event: { ...event, service: 'web' } }]);
  expect(await lines()).toMatchObject([{ service: 'web', stream: 'system', line: 'the image is here' }]);
});

test('nothing of a lease that is over is kept', async () => {
  request('GET / 200 1.0 ms');
  await desk.forget(7n);
  expect(await lines()).toEqual([]);
  expect(desk.takeLogRoot(7n)).toEqual(merkleRoot([]));
});
