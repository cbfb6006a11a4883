import { beforeEach, expect, test } from '@jest/globals';
import { TunnelCertificates } from '../../src/leases/tunnel-certificates.ts';
import { tunnelLifetimeMs } from '../../src/overlay/certificates.ts';
import { endOf, makeProvider, type TestProvider } from '../overlay/support/providers.ts';
import { counted } from '../support/surroundings.ts';

const around = counted();
let nowMs: number;
let own: TestProvider;
let certificates: TunnelCertificates;

const issuerOf = ({ nodeKey, node }: TestProvider) => ({ nodeKey, nodeCertificate: { der: node } });
const wish = (workload: string) => ({ label: `label-of-${workload}`, ownEnd: endOf(own, workload) });
const certOf = async (lease: bigint, ...workloads: string[]): Promise<string | undefined> =>
  (await certificates.of(lease, workloads.map(wish))).get('label-of-web')?.cert;

beforeEach(async () => {
  nowMs = around.now();
  own = await makeProvider('mu1here', around);
  certificates = new TunnelCertificates(issuerOf(own), { now: () => nowMs, random: around.random });
});

test('a tunnel keeps its certificate until half of its life is over', async () => {
  const first = await certOf(1n, 'web');
  nowMs += tunnelLifetimeMs / 2 - 6 * 60_000;
  expect(await certOf(1n, 'web', 'job')).toBe(first);
  nowMs += 2 * 60_000;
  const second = await certOf(1n, 'web');
  expect(second).not.toBe(first);
  expect(await certOf(1n, 'web')).toBe(second);
});

test('each tunnel has a key of its own', async () => {
  const found = await certificates.of(1n, ['web', 'job'].map(wish));
  expect([...found.keys()]).toEqual(['label-of-web', 'label-of-job']);
  expect(new Set([...found.values()].map(({ key }) => key)).size).toBe(2);
});

test('with another certificate of the node all are new', async () => {
  const first = await certOf(1n, 'web');
  certificates.renew(issuerOf(await makeProvider('mu1here', around)));
  const second = await certOf(1n, 'web');
  expect(second).not.toBe(first);
  expect(await certOf(1n, 'web')).toBe(second);
});

test('what is not wished any more, or whose lease is over, is forgotten', async () => {
  const first = await certOf(1n, 'web');
  await certOf(1n, 'job');
  const second = await certOf(1n, 'web');
  expect(second).not.toBe(first);
  certificates.forget(1n);
  expect(await certOf(1n, 'web')).not.toBe(second);
});

test('the node signs for itself alone', async () => {
  const other = { label: 'x', ownEnd: { ...endOf(own, 'web'), nodeId: 'node-2' } };
  await expect(certificates.of(1n, [other])).rejects.toThrow('is not of the node');
});
