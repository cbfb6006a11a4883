/** Providers with roots and nodes, and what the chain would say of them. */
import type { KeyObject } from 'node:crypto';
import { issueNode, issueRoot, type Surroundings } from '../../../src/identity/certificates.ts';
import { generateKey, rawPublicKey } from '../../../src/identity/keys.ts';
import type { AdmissionFacts, ExpectedTunnel } from '../../../src/overlay/admission.ts';
import { issueTunnel, type TunnelCredentials, type TunnelName } from '../../../src/overlay/certificates.ts';

export const chainId = 'mu-1';
export const owner = 'mu1owner00000000';

export interface TestProvider {
  readonly provider: string;
  readonly nodeId: string;
  readonly rootKey: KeyObject;
  readonly root: Uint8Array;
  readonly nodeKey: KeyObject;
  readonly node: Uint8Array;
}

export async function makeProvider(provider: string, around: Surroundings): Promise<TestProvider> {
  const [rootKey, nodeKey, nodeId] = [generateKey('p256'), generateKey('ed25519'), 'node-1'];
  const root = await issueRoot(rootKey, provider, around);
  const node = await issueNode(
    { rootKey, rootCertificate: root, nodeKey, name: { chainId, provider, nodeId } },
    around,
  );
  return { provider, nodeId, rootKey, root, nodeKey, node };
}

export function endOf({ provider, nodeId }: TestProvider, workload: string): TunnelName {
  return { chainId, provider, nodeId, owner, dseq: 7n, infrastructure: `${workload}-infra`, workload };
}

/** @param name what the certificate says; the end's own name unless told otherwise */
export function credentials(by: TestProvider, name: TunnelName, around: Surroundings): Promise<TunnelCredentials> {
  return issueTunnel({ nodeKey: by.nodeKey, nodeCertificate: by.node, name }, around);
}

/** The chain knows the peer, its lease stands, and `web` may call `db` by the connection `main`. */
export function factsOf(peer: TestProvider, workload: string, nowMs: number): AdmissionFacts {
  return {
    ...{ chainId, height: 100n, verifiedAtMs: nowMs },
    roots: [{ certificate: peer.root, validFromHeight: 1n, validToHeight: 0n }],
    node: { publicKey: rawPublicKey(peer.nodeKey), validFromHeight: 1n, validToHeight: 1000n, removedHeight: 0n },
    leases: [{ provider: peer.provider, infrastructure: `${workload}-infra`, standing: 'active' }],
    connections: [
      {
        name: 'main',
        caller: { infrastructure: 'web-infra', workload: 'web' },
        callee: { infrastructure: 'db-infra', workload: 'db' },
      },
    ],
  };
}

/** What the side of `db` expects of the side of `web`. */
export function expectedWeb(peer: TestProvider): ExpectedTunnel {
  return {
    ...{ peer: endOf(peer, 'web'), connection: 'main', peerRole: 'caller', isKnownPair: false },
    own: { infrastructure: 'db-infra', workload: 'db' },
  };
}
