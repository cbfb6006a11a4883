/** mucli on a real market: bills and who lies about them, the order book, providers, funds, and what auditors and users sign. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { BillLineKind, QueryBillResponse } from '@mu/proto/billing';
import { QueryLeasesResponse } from '@mu/proto/market';
import { type Lie, LyingRpc } from '../src/lying-rpc.ts';
import { must, Network } from '../src/network.ts';
import { eventually } from '../src/process.ts';
import { writePersistentStack } from '../src/stacks.ts';

jest.setTimeout(120_000);

let network: Network;
let proxy: LyingRpc;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-bill-')),
    chainId: `mu-bill-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
  });
  await network.initChain();
  const user = await network.initUser();
  const provider = await network.initProvider({ name: 'only', price: { cpu: '0.05', memoryMib: '0.01' } });
  for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  await network.registerProvider(provider);
  await network.startProvider(provider);
  proxy = await LyingRpc.start(network.rpc);
  await deployAndCall();
});

afterAll(async () => {
  await proxy?.stop();
  await network?.stop();
});

beforeEach(() => proxy.honest());

/** A deployment whose bill has a report of usage. */
async function deployAndCall(): Promise<void> {
  const stack = writePersistentStack(network.path('stack'));
  const { stdout } = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
  const { endpoints } = JSON.parse(stdout) as { endpoints: { endpoint: string }[] };
  await fetch(`${endpoints[0]?.endpoint}/login`, { method: 'POST', body: '{"name":"Ada"}' });
  const client = await network.client();
  await eventually('a usage line', async () => {
    const { lines } = await client.billing.bill({ lease: 1n });
    return lines.some(({ kind }) => kind === BillLineKind.BILL_LINE_KIND_USAGE) ? true : undefined;
  });
  client.disconnect();
}

interface Verdict {
  readonly code: number;
  readonly verified: boolean;
  readonly fault?: { readonly lease: string; readonly line: string; readonly field: string };
  readonly leases: readonly { readonly reports: number }[];
}

async function verify(): Promise<Verdict> {
  const { code, stdout } = await network.mucli(['--node', proxy.url, 'bill', 'verify', '1', '--output', 'json']);
  return { code, ...(JSON.parse(stdout) as Omit<Verdict, 'code'>) };
}

/** Changes the answer to one query; all else stays true. */
function lieAbout(path: string, change: (value: Buffer) => Uint8Array): Lie {
  return (result, params) => {
    if (params.path !== path) return result;
    const { response } = result;
    return {
      ...result,
      response: { ...response, value: Buffer.from(change(Buffer.from(response.value, 'base64'))).toString('base64') },
    };
  };
}

test('a bill is right as the chain has it, and shown with its evidence', async () => {
  const verdict = await verify();
  expect(verdict).toMatchObject({ code: 0, verified: true });
  expect(verdict.leases[0]?.reports).toBeGreaterThan(0);
  const shown = await must(network.mucli(['bill', '1']));
  expect(shown.stdout).toMatch(/blocks \d+–\d+: \d+ × [\d.]+ = [\d.]+\n {5}paid \d+.*transaction [0-9A-F]{64}/);
  expect(shown.stdout).toMatch(/function-invocations: 1 × 2 = 2/);
});

test('a line that is changed, and one that is left out', async () => {
  const path = '/mu.billing.v1.Query/Bill';
  const lie = (change: (answer: QueryBillResponse) => void): Lie =>
    lieAbout(path, (value) => {
      const answer = QueryBillResponse.decode(value);
      change(answer);
      return QueryBillResponse.encode(answer).finish();
    });
  proxy.lies.set(
    'abci_query',
    lie(({ lines }) => Object.assign(lines[0] ?? {}, { amount: '1' })),
  );
  expect(await verify()).toMatchObject({ code: 4, verified: false, fault: { lease: '1', line: '1', field: 'amount' } });
  proxy.lies.set(
    'abci_query',
    lie(({ lines }) => Object.assign(lines[0] ?? {}, { txHash: Buffer.alloc(32) })),
  );
  expect(await verify()).toMatchObject({ code: 4, fault: { lease: '1', line: '0', field: 'bill_hash' } });
  proxy.lies.set(
    'abci_query',
    lie(({ lines }) => lines.shift()),
  );
  expect(await verify()).toMatchObject({ code: 4, fault: { lease: '1', line: '1', field: 'line' } });
});

test('a lease that is hidden', async () => {
  const none = lieAbout('/mu.market.v1.Query/Leases', () =>
    QueryLeasesResponse.encode({ leases: [], pagination: undefined }).finish(),
  );
  proxy.lies.set('abci_query', none);
  expect(await verify()).toMatchObject({ code: 4, fault: { lease: '0', field: 'spent' } });
});

const said = async (...words: string[]): Promise<string> => (await must(network.mucli(words))).stdout;

test('the market, providers and funds as people read them', async () => {
  const book = await said('market', '--region', 'local');
  expect(book).toContain('no order is open');
  expect(book).toMatch(/\n {2}1 {6}mu1\w+\/1\/0\/1 .* active/);
  expect(await said('market', '--order', /mu1\w+\/1\/0\/1/.exec(book)?.[0] ?? '')).toMatch(/due {3}matched, lease 1/);
  const list = await said('provider', 'list', '--metric', 'function-invocations', '--max-price', '2');
  expect(list).toMatch(/FUNCTION-INVOCATIONS\nmu1\w+ .*2 for 1/);
  expect(await said('provider', 'list', '--metric', 'function-invocations', '--max-price', '1.99')).toContain('nobody');
  expect(await said('provider', 'list', '--attribute', 'tier=gold')).toContain('nobody');
  expect(await said('runway', '1')).toMatch(/^funds last until block [\d,]+, about \d{4}-/);
});

test('what an auditor states, what a depositor takes back, and the end of a lease', async () => {
  const [provider = ''] = /mu1\w+/.exec(await said('provider', 'list')) ?? [];
  await said('tx', 'provider', 'attest', provider, 'tier=gold');
  expect(await said('query', 'provider', 'attestations', provider, '--all')).toContain('"gold"');
  await said('tx', 'provider', 'attest', provider, '--withdraw');
  expect(await said('query', 'provider', 'attestations', provider)).not.toContain('"gold"');
  await said('tx', 'deployment', 'withdraw', '1', '10umu');
  const refused = await network.mucli(['tx', 'market', 'submit-stale-lease', '--lease', '1']);
  expect(refused.stderr).toMatch(
    /^mucli: the transaction would fail: it may be confirmed until \d+: lease is not stale\n$/,
  );
  await said('tx', 'lease', 'close', '1', '--reason', 'by-user');
  expect(await said('market')).toContain('no lease');
  expect(await verify()).toMatchObject({ code: 0, verified: true });
});
