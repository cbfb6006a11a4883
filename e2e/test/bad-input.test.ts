import { randomBytes } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { DeploymentState } from '@mu/proto/deployment';
import { must, Network, type NetworkProvider } from '../src/network.ts';
import { eventually } from '../src/process.ts';
import { writePersistentStack } from '../src/stacks.ts';

jest.setTimeout(120_000);

let network: Network;
let client: ChainClient;
let user: string;
let provider: NetworkProvider;
let stack: string;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-input-')),
    chainId: `mu-input-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 300,
  });
  await network.initChain();
  user = await network.initUser();
  provider = await network.initProvider({ name: 'provider', price: { cpu: '0.05', memoryMib: '0.01' } });
  for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
  await network.startChain();
  await network.untilHeight(1);
  client = await network.client();
  await network.registerProvider(provider);
  await network.startProvider(provider);
  stack = writePersistentStack(network.path('stack'));
});

afterAll(async () => {
  client?.disconnect();
  await network?.stop();
});

const services = {
  function: '{ type: MuFunction, name: web, binary: simple_backend.wasm, runtime: wasi1.0 }',
  gateway: '{ type: MuGateway, name: gw, endpoints: { /a: { type: GET, route_to: web } } }',
};
const stackOf = (...lines: string[]): string =>
  ['name: Test', 'version: 0.1', 'services:', ...lines.map((line) => `  - ${line}`)].join('\n');

/** A module that is WebAssembly and imports what WASI does not have: (import "env" "f" (func)). */
const foreignModule = Uint8Array.from([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 9, 1, 3, 0x65, 0x6e, 0x76, 1, 0x66, 0, 0,
]);

describe('mucli refuses before anything is sent, with file, line, column and what is allowed', () => {
  const cases: [string, string, RegExp][] = [
    ['an unknown key', `${stackOf(services.function)}\ncolour: red`, /stack\.yaml:5:1: .*colour.*allowed/s],
    ['a wrong type', stackOf(services.function).replace('name: Test', 'name: [1]'), /stack\.yaml:1:7: /],
    [
      'a dangling route_to',
      stackOf(services.function, services.gateway.replace('route_to: web', 'route_to: wob')),
      /stack\.yaml:5:\d+: .*wob.*web/s,
    ],
    ['a duplicate name', stackOf(services.function, services.function), /stack\.yaml:5:\d+: .*web/s],
    [
      'a binary that is missing',
      stackOf(services.function.replace('simple_backend', 'gone')),
      /stack\.yaml:4:\d+: .*gone\.wasm/s,
    ],
    [
      'a binary that is no WebAssembly',
      stackOf(services.function.replace('simple_backend.wasm', 'text.wasm')),
      /stack\.yaml:4:\d+: /,
    ],
    [
      'a binary that imports what WASI lacks',
      stackOf(services.function.replace('simple_backend.wasm', 'foreign.wasm')),
      /stack\.yaml:4:\d+: .*env/s,
    ],
    [
      'a price of zero, in an unknown region',
      `${stackOf(services.function)}\ninfrastructure:\n  - { name: main, region: mars, resources: [ { compute: { cpu: 100m, memory: 1MiB }, price: 0 } ] }`,
      /stack\.yaml:6:\d+: .*mars.*local.*stack\.yaml:6:\d+: .*price|stack\.yaml:6:\d+: .*price.*mars/s,
    ],
  ];
  test.each(cases)('%s', async (_what, text, message) => {
    const file = network.path('stack', 'stack.yaml');
    writeFileSync(network.path('stack', 'text.wasm'), 'no module');
    writeFileSync(network.path('stack', 'foreign.wasm'), foreignModule);
    writeFileSync(file, text);
    const { dseq: before } = await client.deployment.lastDseq({ owner: user });
    const { code, stderr, stdout } = await network.mucli(['tx', 'deployment', 'create', file, '--yes']);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect((await client.deployment.lastDseq({ owner: user })).dseq).toBe(before);
  });
});

test('a service that nobody offers: exit code 3, which one it is, and how to cancel; the cancel gives the deposit back', async () => {
  const file = network.path('stack', 'store.yaml');
  writeFileSync(file, stackOf(services.function, '{ type: MuStore, name: box }'));
  const created = await network.mucli(['tx', 'deployment', 'create', file, '--yes', '--timeout', '5']);
  expect(created.code).toBe(3);
  const { dseq } = await client.deployment.lastDseq({ owner: user });
  expect(created.stderr).toContain('nobody in local offers mu-store');
  expect(created.stderr).toContain(`mucli tx deployment cancel ${dseq}`);
  await must(network.mucli(['tx', 'deployment', 'cancel', `${dseq}`]));
  const { deployment } = await client.deployment.deployment({ owner: user, dseq });
  expect(deployment?.state).toBe(DeploymentState.DEPLOYMENT_STATE_CLOSING);
});

test('a deposit adds to the escrow; one that is no amount, of nobody or too large is refused', async () => {
  stack = writePersistentStack(network.path('stack'));
  const { stdout } = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
  const { dseq } = JSON.parse(stdout) as { dseq: string };
  const deposited = async (): Promise<bigint> =>
    BigInt((await client.billing.escrow({ owner: user, dseq: BigInt(dseq) })).escrow?.deposited ?? '0');
  const before = await deposited();
  await must(network.mucli(['tx', 'deployment', 'deposit', dseq, '5000umu']));
  expect((await deposited()) - before).toBe(5000n);
  const refusals: [string[], number, string][] = [
    [[dseq, 'many'], 2, 'is no amount'],
    [['x', '5000umu'], 2, 'is no whole number'],
    [['999', '5000umu'], 1, '999'],
    [[dseq, '9999999999999999999umu'], 1, 'insufficient funds'],
  ];
  for (const [args, code, message] of refusals) {
    const refused = await network.mucli(['tx', 'deployment', 'deposit', ...args]);
    expect(refused.stderr).toContain(message);
    expect(refused.code).toBe(code);
  }
  expect((await deposited()) - before).toBe(5000n);
});

test('the gateway of a real deployment: 404, 405 with Allow, 413, and the next request is served', async () => {
  const { leases } = await client.market.leases({ provider: provider.owner });
  const endpoint = await eventually(
    'an address',
    () => leases.find(({ endpoints }) => endpoints.length > 0)?.endpoints[0],
  );
  expect((await fetch(`${endpoint}/nowhere`)).status).toBe(404);
  const wrongMethod = await fetch(`${endpoint}/login`);
  expect([wrongMethod.status, wrongMethod.headers.get('allow')]).toEqual([405, 'POST']);
  expect((await fetch(`${endpoint}/login`, { method: 'POST', body: new Uint8Array(11 * 1024 * 1024) })).status).toBe(
    413,
  );
  expect(await (await fetch(`${endpoint}/login`, { method: 'POST', body: '{"name":"Ada"}' })).text()).toContain(
    'Hello, Ada!',
  );
});
