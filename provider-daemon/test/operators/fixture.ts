/** A daemon's sources for its operator, made up: everything well, with one lease that runs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lease, LeaseState } from '@mu/proto/market';
import { Node, Provider, ProviderState } from '@mu/proto/provider';
import { inventory } from '../../src/bidding/inventory.ts';
import { parseConfig } from '../../src/config/config.ts';
import type { ProviderConfig } from '../../src/config/schema.ts';
import type { PlaneFigures } from '../../src/data-plane/plane.ts';
import { wireVersion } from '../../src/data-plane/wire.ts';
import { type Identity, initIdentity } from '../../src/identity/identity.ts';
import { isDraining } from '../../src/operators/drain.ts';
import type { Facts, FactsKeeper } from '../../src/operators/facts.ts';
import type { OperatorSources } from '../../src/operators/sources.ts';
import { Tallies } from '../../src/operators/tallies.ts';
import { pricesOf } from '../../src/setup/register.ts';
import { counted } from '../support/surroundings.ts';

export const owner = 'mu1provider00000';
export const operator = 'mu1operator00000';
export const nowMs = Date.parse('2030-01-10T00:00:00Z');

/** A folder of the test's own. */
export function testFolder(): { readonly folder: string; remove(): void } {
  const folder = mkdtempSync(join(tmpdir(), 'mu-operators-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export function configIn(folder: string, more = ''): ProviderConfig {
  const text = `[chain]\nid = "mu-1"\n[offer]\nregions = ["eu"]\n${more}`;
  return parseConfig({ file: join(folder, 'mu-provider.toml'), text });
}

export function identityIn(folder: string, atMs = nowMs): Promise<Identity> {
  const name = { chainId: 'mu-1', provider: owner, nodeId: 'node-1' };
  return initIdentity(join(folder, 'data', 'identity'), name, counted(atMs));
}

export function lease(number: bigint, change: Partial<Lease> = {}): Lease {
  return Lease.fromPartial({
    number,
    provider: owner,
    order: { owner: 'mu1tenant', dseq: 7n, infrastructure: 0, round: 1 },
    state: LeaseState.LEASE_STATE_ACTIVE,
    createdHeight: 80n,
    paidThrough: 95n,
    confirmBy: 140n,
    pricePerBlock: '2500000000000000000',
    ...change,
  });
}

/** As the config and the identity say. */
export function providerOf(config: ProviderConfig, identity: Identity): Provider {
  return Provider.fromPartial({
    owner,
    operators: [operator],
    payoutAddress: owner,
    hostUri: 'https://0.0.0.0:8443',
    gatewayUri: 'http://0.0.0.0:8080',
    regions: [...config.offer.regions],
    services: [...config.offer.services],
    roots: [{ certificate: identity.rootCertificate, validFromHeight: 0n, validToHeight: 0n }],
    nodeAuthorityKey: identity.authorityPublicKey,
    encryptionKeys: [{ keyId: 1, publicKey: identity.encryptionPublicKey, validFromHeight: 0n, validToHeight: 0n }],
    priceListVersion: pricesOf(config).length === 0 ? 0n : 1n,
    state: ProviderState.PROVIDER_STATE_ACTIVE,
  });
}

export function nodeOf({ nodePublicKey, name }: Identity): Node {
  const { nodeId } = name;
  return Node.fromPartial({
    nodeId,
    publicKey: nodePublicKey,
    region: 'eu',
    validFromHeight: 1n,
    validToHeight: 9_000_000n,
  });
}

const figures: PlaneFigures = {
  gateway: { connections: 7, calls: 3, websockets: 2, refusedConnections: 4, requests: 50, refusals: { busy: 6 } },
  relays: { relays: 2, open: 5, accepted: 9, refused: 1, failed: 0, receivedBytes: 100, sentBytes: 200 },
  tunnels: { up: 3, down: 1, streams: 6, opened: 11, failed: 2, receivedBytes: 300, sentBytes: 400, refusedPeers: 8 },
  sandboxes: 4,
};

export function factsOf(config: ProviderConfig, identity: Identity): Facts {
  return {
    node: { height: 101, blockTimeMs: nowMs - 2_000, catchingUp: false },
    view: { height: 100, blockTimeMs: nowMs - 3_000 },
    balances: { owner: 5_000_000n, operator: 900_000_000n },
    registry: { provider: providerOf(config, identity), node: nodeOf(identity), blocksPerYear: 6_000_000n },
    bids: { won: 3, lost: 2, canceled: 1 },
    engine: { up: true, reason: '' },
    plane: { up: true, pid: 42, version: wireVersion, startedMs: nowMs - 60_000, figures },
  };
}

/** @param troubles by part, why it does not tell now */
export function keeperOf(
  facts: Partial<Facts>,
  troubles: Partial<Record<keyof Facts, string>> = {},
): Pick<FactsKeeper, 'get' | 'trouble' | 'toldMs'> {
  return {
    get: (part) => facts[part],
    trouble: (part) => troubles[part],
    toldMs: () => nowMs,
  };
}

export function sourcesOf(
  config: ProviderConfig,
  identity: Identity,
  change: Partial<OperatorSources> = {},
): OperatorSources {
  const gib = 1n << 30n;
  const compute = { cpu: 500, memory: gib, disk: gib, gpu: undefined };
  const held = { resources: [{ compute, count: 2 }], collateral: 400n };
  const capacity = {
    cpu: 4_000n,
    memory: 8n * gib,
    disk: 100n * gib,
    gpus: [{ vendor: 'nvidia', model: 't4', count: 2 }],
  };
  return {
    config,
    identity: () => identity,
    operator,
    hostPort: 8443,
    startedMs: nowMs - 3_600_000,
    now: () => nowMs,
    seen: { height: 101n },
    facts: keeperOf(factsOf(config, identity)),
    tallies: new Tallies(),
    leases: () => [lease(1n)],
    leaseStatus: () => ({ work: 'running', revision: 2n, endpoints: ['http://a/~x'] }),
    infrastructure: () => 'main',
    usage: () => undefined,
    pendingReports: () => 1,
    totals: () => [
      { service: 'a', metric: 'gateway-requests', quantity: 5n },
      { service: 'b', metric: 'gateway-requests', quantity: 6n },
      { service: 'a', metric: 'gateway-bytes', quantity: 70n },
    ],
    machine: { cpu: 4_000n, memory: 8n * gib, disk: 100n * gib },
    inventory: () => inventory(capacity, { leases: [held], bids: [] }),
    running: () => undefined,
    links: () => [],
    peers: () => ({
      ...{ connections: 3, downloads: 1, taken: 2, sentBytes: 500, receivedBytes: 600 },
      ...{ dropped: { 'false-piece': 1 }, refused: { no_lease: 4 } },
    }),
    served: async () => ['1'],
    foundContainers: async () => [],
    fundedTo: async () => 5_000n,
    isDraining: () => isDraining(config.node.dataFolder),
    ...change,
  };
}
