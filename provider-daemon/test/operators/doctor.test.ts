import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { checks, configFinding, diagnose, diagnosisText } from '../../src/operators/doctor/doctor.ts';
import type { Finding } from '../../src/operators/doctor/finding.ts';
import { olderThan } from '../../src/operators/doctor/machine-checks.ts';
import type { Probes } from '../../src/operators/doctor/probes.ts';
import { bench, boom, full, genesisHash, openBench, silent, well } from './doctor-bench.ts';
import { away, cases } from './doctor-cases.ts';
import { configIn } from './fixture.ts';

beforeAll(openBench);
afterAll(() => bench.remove());

async function found(change: Partial<Probes> = {}, more = full): Promise<Map<string, Finding>> {
  const { findings } = await diagnose(configIn(bench.folder, more), well(change));
  return new Map(findings.map((finding) => [finding.name, finding]));
}

test('where all is well every check says so', async () => {
  const { ok, findings } = await diagnose(configIn(bench.folder, full), well());
  expect(findings.filter(({ result }) => result !== 'ok')).toEqual([]);
  expect(findings.map(({ name }) => name)).toEqual(checks.map(({ name }) => name));
  expect(ok).toBe(true);
});

test('what a provider does not offer is not looked at', async () => {
  const names = [...(await found({}, '[trust]\nnode = true\n')).keys()];
  for (const name of [
    'container engine',
    'firewall',
    'volumes',
    'graphics processors',
    'metrics port',
    'gateway certificate',
    'proofs',
  ]) {
    expect(names).not.toContain(name);
  }
});

test.each(cases)('%s, %s: is found, with what to do', async (name, _what, change, result, message, hint) => {
  const finding = (await found(change())).get(name);
  expect(finding).toEqual({
    name,
    result,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

test.each(['host', 'gateway'])('with containers the %s listens at one address, and not at all', async (setting) => {
  const before = `[${setting}]\naddress = `;
  const everywhere = full.replace(`${before}"127.0.0.1"`, `${before}"0.0.0.0"`);
  expect((await found({}, everywhere)).get(`${setting} port`)).toMatchObject({
    result: 'warn',
    message: expect.stringMatching(/all addresses/),
    hint: expect.stringContaining(`${setting}.address`),
  });
  const without = everywhere.replace(', "mu-workload"', '');
  expect((await found({}, without)).get(`${setting} port`)?.result).toBe('ok');
});

test('every check has a case in which it is not content', () => {
  // Trust is a matter of the config alone; its cases stand below.
  const tried = new Set([...cases.map(([name]) => name), 'trust']);
  expect(checks.map(({ name }) => name).filter((name) => !tried.has(name))).toEqual([]);
});

const far = 'http://far.example';

test.each([
  ['', {}, 'fail', /nothing is known/],
  ['[trust]\nheight = 5\n', {}, 'fail', /height is set without trust\.hash/],
  [`[trust]\nhash = "${genesisHash}"\n`, {}, 'fail', /hash is set without trust\.height/],
  ['[trust]\nnode = true\n', { rpcUrl: far }, 'warn', /far\.example is believed without proofs/],
  ['[trust]\nnode = true\n', {}, 'ok', /on this machine/],
] as const)('trust with %j at %j', async (settings, chain, result, message) => {
  const config = configIn(bench.folder, settings);
  const { findings } = await diagnose({ ...config, chain: { ...config.chain, ...chain } }, well());
  expect(findings.find(({ name }) => name === 'trust')).toMatchObject({
    result,
    message: expect.stringMatching(message),
  });
});

test('what has no fault of its own is content: a first start, a clock without a node’s, a port to be had', async () => {
  const fresh = await found({
    ...away,
    exists: async (path) => !path.endsWith('journal'),
    journal: boom('not opened'),
  });
  expect(fresh.get('journal')).toMatchObject({ result: 'ok' });
  expect((await found({ node: async () => silent })).get('clock')).toMatchObject({ result: 'ok' });
  const unbound = await found({ ...away, port: async () => 'free', listens: async () => false });
  for (const name of ['host port', 'gateway port', 'data plane'])
    expect(unbound.get(name)).toMatchObject({ result: 'ok' });
});

test('one look that breaks leaves the others; people read what fails first', async () => {
  const { ok, findings } = await diagnose(configIn(bench.folder, full), well({ entries: boom('the node is away') }));
  expect(ok).toBe(false);
  expect(findings).toHaveLength(checks.length);
  const text = diagnosisText({ ok, findings }).split('\n');
  expect(text[0]).toMatch(/^FAIL {2}funds .*the node is away/);
  expect(text[1]).toMatch(/→ /);
  expect(text.at(-1)).toContain('something fails');
});

test('a config that cannot be read is a finding', () => {
  const { finding, config } = configFinding(() => configIn(bench.folder, '[nothing]\n'));
  expect(config).toBeUndefined();
  expect(finding).toMatchObject({
    name: 'config',
    result: 'fail',
    message: expect.stringContaining('unknown section'),
  });
  expect(configFinding(() => configIn(bench.folder))).toMatchObject({ finding: { result: 'ok' } });
});

test('versions of an API are numbers, not texts', () => {
  expect(['1.9', '1.40', '0.99'].map((version) => olderThan(version, '1.41'))).toEqual([true, true, true]);
  expect(['1.41', '1.100', '2.0'].map((version) => olderThan(version, '1.41'))).toEqual([false, false, false]);
});
