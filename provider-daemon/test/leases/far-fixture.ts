/** Manifests of several infrastructures, and who takes part in their deployments. */
import type { ManifestHead, ManifestWorkload } from '@mu/client/manifest/head';
import type { DeploymentView, NodeFact, Participant, PeerProvider } from '../../src/leases/participants.ts';

type Connection = ManifestWorkload['connections'][number];

export const tcp = (name: string, port: number, rest: Partial<Connection> = {}): Connection => ({
  ...{ name, port, protocol: 'tcp', scope: 'workload' },
  ...rest,
});

export function workload(name: string, ...connections: Connection[]): ManifestWorkload {
  return {
    type: 'Workload',
    name,
    image: { registry: `web@sha256:${'a'.repeat(64)}` },
    compute: { cpu: 100, memory: 1 << 26, disk: 0 },
    count: 1,
    connections,
    egress: 'none',
    volumes: [],
  };
}

/** What runs in each infrastructure, in this order. */
export function headOf(infrastructures: Record<string, ManifestHead['workloads'][number]['services']>): ManifestHead {
  const workloads = Object.entries(infrastructures).map(([infrastructure, services]) => ({ infrastructure, services }));
  return { workloads } as unknown as ManifestHead;
}

export const chainId = 'mu-1';
export const owner = 'mu1owner00000000';
export const here = { chainId, provider: 'mu1here', nodeId: 'node-h' };

export function participant(
  lease: bigint,
  provider: string,
  infrastructure: string,
  rest: Partial<Participant> = {},
): Participant {
  return { lease, provider, infrastructure, standing: 'active', closedHeight: 0n, isRunning: true, ...rest };
}

export function deploymentOf(...participants: Participant[]): DeploymentView {
  return { chainId, owner, dseq: 7n, version: new Uint8Array(32), revision: 1n, participants };
}

const standing: NodeFact = { publicKey: new Uint8Array(32), validFromHeight: 1n, validToHeight: 0n, removedHeight: 0n };

/** A provider with its nodes, each as it differs from one that stands. */
export function providerOf(name: string, nodes: Record<string, Partial<NodeFact>> = { 'node-1': {} }): PeerProvider {
  return {
    provider: name,
    hostUri: `https://${name}.example:8443`,
    roots: [{ certificate: Uint8Array.of(1, 2, 3), validFromHeight: 1n, validToHeight: 90n }],
    nodes: new Map(Object.entries(nodes).map(([id, fact]) => [id, { ...standing, ...fact }])),
  };
}

export const byName = (...providers: PeerProvider[]): ReadonlyMap<string, PeerProvider> =>
  new Map(providers.map((one) => [one.provider, one]));
