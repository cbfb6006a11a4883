import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type Logger, pino } from 'pino';
import type { Identity } from '../../src/identity/identity.ts';
import { expiries } from '../../src/operators/expiry.ts';
import type { Facts } from '../../src/operators/facts.ts';
import { health, isReady, maxBlockAgeMs, maxLateBlocks } from '../../src/operators/health.ts';
import { openIdentity, Renewal } from '../../src/operators/renewal.ts';
import { healthInput } from '../../src/operators/view.ts';
import { counted } from '../support/surroundings.ts';
import { configIn, factsOf, identityIn, keeperOf, lease, nowMs, sourcesOf, testFolder } from './fixture.ts';

const dayMs = 86_400_000;

let own: ReturnType<typeof testFolder>;
let identity: Identity;
let logged: { level: number; msg: string; reason?: string }[];
let log: Logger;

beforeEach(async () => {
  own = testFolder();
  identity = await identityIn(own.folder);
  logged = [];
  log = pino({ level: 'trace' }, { write: (line: string) => logged.push(JSON.parse(line) as (typeof logged)[number]) });
});
afterEach(() => own.remove());

const withoutRootKey = (): void => rmSync(join(identity.folder, 'root.key.pem'));
const { random } = counted();

function renewalAt(clock: { ms: number }, served: Identity[]): Renewal {
  return new Renewal({
    identity,
    around: { now: () => clock.ms, random },
    expiries: (now) => expiries({ identity: now, registry: undefined, height: 0n, nowMs: clock.ms }),
    onRenewed: (renewed) => served.push(renewed),
    log,
  });
}

test('the node certificate is renewed at half of its life, once, and handed to the listener', async () => {
  const clock = { ms: nowMs };
  const served: Identity[] = [];
  const renewal = renewalAt(clock, served);
  await renewal.check();
  for (let day = 1; day <= 14; day += 1) {
    clock.ms = nowMs + day * dayMs;
    await renewal.check();
  }
  expect(served).toEqual([]);
  clock.ms = nowMs + 15 * dayMs;
  await Promise.all([renewal.check(), renewal.check()]);
  expect(served).toHaveLength(1);
  expect(renewal.identity.nodeCertificate.notAfterMs).toBeGreaterThan(clock.ms + 29 * dayMs);
  expect(served[0]?.nodeCertificate).toEqual(renewal.identity.nodeCertificate);
  clock.ms += dayMs;
  await renewal.check();
  expect(served).toHaveLength(1);
});

test('it looks once a day, and again within the hours after a renewal that failed', async () => {
  withoutRootKey();
  identity = { ...identity, rootKey: undefined };
  const clock = { ms: nowMs + 16 * dayMs };
  const served: Identity[] = [];
  const renewal = renewalAt(clock, served);
  const failures = (): number => logged.filter(({ msg }) => msg === 'the node certificate is not renewed').length;
  await renewal.check();
  await renewal.check();
  expect(failures()).toBe(1);
  clock.ms += 3_600_000;
  await renewal.check();
  expect(failures()).toBe(2);
  expect(served).toEqual([]);
  expect(logged[0]?.reason).toContain('root.key.pem');
});

test('what ends soon and what has ended is logged with its time', async () => {
  withoutRootKey();
  identity = { ...identity, rootKey: undefined };
  const clock = { ms: nowMs + 25 * dayMs };
  const renewal = renewalAt(clock, []);
  await renewal.check();
  expect(logged.at(-1)).toMatchObject({
    msg: 'something expires soon',
    reason: expect.stringMatching(/TLS certificate ends at 2030-02-0/),
  });
  clock.ms = nowMs + 40 * dayMs;
  await renewal.check();
  expect(logged.at(-1)).toMatchObject({
    msg: 'something has expired',
    reason: expect.stringMatching(/ended at 2030-02-0/),
  });
});

test('at the start without the root’s key it serves on with what it has, until that has ended', async () => {
  withoutRootKey();
  const at = (days: number) => openIdentity(identity.folder, { now: () => nowMs + days * dayMs, random }, log);
  expect((await at(1)).nodeCertificate).toEqual(identity.nodeCertificate);
  expect((await at(20)).nodeCertificate).toEqual(identity.nodeCertificate);
  expect(logged.at(-1)?.msg).toBe('the node certificate cannot be renewed yet');
  await expect(at(31)).rejects.toThrow('root.key.pem');
});

test('entries on the chain end by height: soon is a month of blocks, and no end is none', () => {
  const config = configIn(own.folder);
  const { registry } = factsOf(config, identity);
  const at = (height: bigint, validTo: bigint) => {
    const roots = registry.provider?.roots.map((root) => ({ ...root, validToHeight: validTo })) ?? [];
    const provider = registry.provider && { ...registry.provider, roots };
    return expiries({ identity, registry: { ...registry, provider }, height, nowMs }).find(
      ({ kind }) => kind === 'root_entry',
    );
  };
  expect(at(100n, 0n)).toBeUndefined();
  expect(at(100n, 1_000_000n)).toMatchObject({ level: 'fine' });
  expect(at(600_000n, 1_000_000n)).toMatchObject({ level: 'soon', text: expect.stringContaining('in 400000 blocks') });
  expect(at(1_000_001n, 1_000_000n)).toMatchObject({
    level: 'over',
    text: expect.stringContaining('ended at height 1000000'),
  });
});

const facts = (change: Partial<Facts> = {}): Partial<Facts> => ({
  ...factsOf(configIn(own.folder), identity),
  ...change,
});

/** Names of the checks that fail. */
function failing(change: Partial<Facts>, more: Partial<Parameters<typeof health>[0]> = {}): string[] {
  const input = healthInput(sourcesOf(configIn(own.folder), identity, { facts: keeperOf(facts(change)) }));
  const found = health({ ...input, ...more });
  expect(found.ok).toBe(found.checks.every(({ ok }) => ok));
  return found.checks.filter(({ ok }) => !ok).map(({ name }) => name);
}

test('health: each thing that goes wrong is named, and nothing else', () => {
  expect(failing({})).toEqual([]);
  expect(failing({ node: { height: 9, blockTimeMs: nowMs - maxBlockAgeMs - 1, catchingUp: false } })).toEqual([
    'chain',
  ]);
  expect(failing({ node: { height: 9, blockTimeMs: nowMs, catchingUp: true } })).toEqual(['chain']);
  expect(failing({ view: { height: 9, blockTimeMs: nowMs - 601_000 } })).toEqual(['view']);
  expect(failing({ plane: { up: false } })).toEqual(['data_plane']);
  expect(failing({ engine: { up: false, reason: 'gone' } }, { offersContainers: true })).toEqual(['engine']);
  expect(failing({ engine: { up: false, reason: 'gone' } })).toEqual([]);
  expect(failing({}, { lateBlocks: maxLateBlocks })).toEqual([]);
  expect(failing({}, { lateBlocks: maxLateBlocks + 1n })).toEqual(['confirmations']);
  expect(
    failing({}, { expiries: expiries({ identity, registry: undefined, height: 0n, nowMs: nowMs + 40 * dayMs }) }),
  ).toEqual(['certificates']);
});

test('a node that is away for a moment is no alarm; one that never answered is', () => {
  expect(failing({}, { nodeTrouble: 'fetch failed' })).toEqual([]);
  expect(failing({}, { node: undefined, nodeTrouble: 'fetch failed' })).toEqual(['chain']);
});

test('ready is who has read the chain and serves', () => {
  const input = healthInput(sourcesOf(configIn(own.folder), identity, { leases: () => [lease(1n)] }));
  expect(isReady(input)).toBe(true);
  expect(isReady({ ...input, hasSeenBlock: false })).toBe(false);
  expect(isReady({ ...input, plane: undefined })).toBe(false);
});
