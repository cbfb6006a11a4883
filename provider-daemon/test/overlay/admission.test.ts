/** Certificates of eight wrong kinds, and some more, over real handshakes. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type SecureContext, type TLSSocket } from 'node:tls';
import { issueNode } from '../../src/identity/certificates.ts';
import { generateKey } from '../../src/identity/keys.ts';
import {
  type Admission,
  type AdmissionFacts,
  admit,
  type ExpectedTunnel,
  shownName,
} from '../../src/overlay/admission.ts';
import {
  issueTunnel,
  parseTunnelUri,
  type TunnelCredentials,
  tunnelLifetimeMs,
  tunnelRenewalMs,
  tunnelUri,
} from '../../src/overlay/certificates.ts';
import { contextOf, dialOptions, labelOf, listenOptions, peerChain, tunnelLabel } from '../../src/overlay/tls.ts';
import { counted } from '../support/surroundings.ts';
import {
  chainId,
  credentials,
  endOf,
  expectedWeb,
  factsOf,
  makeProvider,
  type TestProvider,
} from './support/providers.ts';

const [hourMs, nowMs] = [3_600_000, Date.now()];
const around = counted(nowMs);
let web: TestProvider;
let db: TestProvider;
let right: TunnelCredentials;
let label: string;
beforeAll(async () => {
  web = await makeProvider('mu1web0000000000', around);
  db = await makeProvider('mu1db00000000000', around);
  right = await credentials(web, endOf(web, 'web'), around);
  label = tunnelLabel({ connection: 'main', caller: endOf(web, 'web'), callee: endOf(db, 'db') });
});

const undo: Array<() => void> = [];
afterEach(() => {
  for (const step of undo.splice(0).reverse()) step();
});

interface Handshake {
  readonly atServer: TLSSocket;
  readonly atClient: TLSSocket;
}

/** `web` dials `db`, with whatever it shows. */
async function handshake(shown: TunnelCredentials, name = label): Promise<Handshake> {
  const own = contextOf(await credentials(db, endOf(db, 'db'), around));
  const known = new Map<string, SecureContext>([[label, own]]);
  const server = createServer(listenOptions((one) => known.get(one)));
  undo.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  const { port } = server.address() as AddressInfo;
  const atClient = connect({ ...dialOptions(name, shown), host: '127.0.0.1', port });
  undo.push(() => atClient.destroy());
  await once(atClient, 'secureConnect');
  const [atServer] = await accepted;
  undo.push(() => atServer.destroy());
  return { atServer, atClient };
}

interface Case {
  readonly shown?: TunnelCredentials;
  readonly facts?: Partial<AdmissionFacts>;
  readonly expected?: Partial<ExpectedTunnel>;
  readonly atMs?: number;
}

async function admission({ shown = right, facts, expected, atMs = nowMs }: Case): Promise<Admission> {
  const { atServer } = await handshake(shown);
  return admit({
    chain: peerChain(atServer),
    expected: { ...expectedWeb(web), ...expected },
    facts: { ...factsOf(web, 'web', atMs), ...facts },
    nowMs: atMs,
  });
}

const reasonOf = async (wrong: Case): Promise<string> => {
  const answer = await admission(wrong);
  return answer.admitted ? 'admitted' : answer.reason;
};

describe('the right certificate', () => {
  it('is admitted at both ends, for as long as it holds', async () => {
    const { atServer, atClient } = await handshake(right);
    expect(atServer.alpnProtocol).toBe('mu-tunnel/1');
    expect(atServer.getProtocol()).toBe('TLSv1.3');
    expect(shownName(peerChain(atServer))).toEqual(endOf(web, 'web'));
    expect(
      admit({ chain: peerChain(atServer), expected: expectedWeb(web), facts: factsOf(web, 'web', nowMs), nowMs }),
    ).toEqual({ admitted: true, notBeforeMs: right.notBeforeMs, notAfterMs: right.notAfterMs });
    const expected: ExpectedTunnel = {
      ...{ peer: endOf(db, 'db'), connection: 'main', peerRole: 'callee', isKnownPair: false },
      own: { infrastructure: 'web-infra', workload: 'web' },
    };
    const chain = peerChain(atClient);
    expect(admit({ chain, expected, facts: factsOf(db, 'db', nowMs), nowMs }).admitted).toBe(true);
  });

  it('is one of a day, backdated five minutes, due again at half of its life', () => {
    const certificate = new X509Certificate(right.cert);
    expect(certificate.subjectAltName).toBe('URI:mu://mu-1/mu1web0000000000/node-1/mu1owner00000000/7/web-infra/web');
    expect(right.notAfterMs - right.notBeforeMs).toBe(tunnelLifetimeMs);
    expect(nowMs - right.notBeforeMs).toBeGreaterThanOrEqual(300_000);
    expect(nowMs - right.notBeforeMs).toBeLessThan(301_000);
    expect(tunnelRenewalMs(right)).toBe(right.notBeforeMs + 12 * hourMs);
  });

  it('stays admitted while its lease is out of funds', async () => {
    const leases = [{ provider: web.provider, infrastructure: 'web-infra', standing: 'out_of_funds' } as const];
    expect(await reasonOf({ facts: { leases } })).toBe('admitted');
  });
});

describe('eight wrong kinds', () => {
  it('of another root', async () => {
    const other = await makeProvider(web.provider, around);
    expect(await reasonOf({ shown: await credentials(other, endOf(web, 'web'), around) })).toBe('other_root');
  });

  it('without a lease, or of one that has ended', async () => {
    const lease = { provider: web.provider, infrastructure: 'web-infra' };
    expect(await reasonOf({ facts: { leases: [] } })).toBe('no_lease');
    expect(await reasonOf({ facts: { leases: [{ ...lease, standing: 'closed' }] } })).toBe('no_lease');
    expect(await reasonOf({ facts: { leases: [{ ...lease, standing: 'broken' }] } })).toBe('no_lease');
    expect(await reasonOf({ facts: { leases: [{ ...lease, provider: 'mu1else', standing: 'active' }] } })).toBe(
      'no_lease',
    );
    expect(await reasonOf({ facts: { leases: [{ ...lease, infrastructure: 'x', standing: 'active' }] } })).toBe(
      'no_lease',
    );
  });

  it('of another deployment', async () => {
    const name = endOf(web, 'web');
    const shown = (other: object) => credentials(web, { ...name, ...other }, around);
    expect(await reasonOf({ shown: await shown({ dseq: 8n }) })).toBe('other_deployment');
    expect(await reasonOf({ shown: await shown({ owner: 'mu1other' }) })).toBe('other_deployment');
  });

  it('of another workload', async () => {
    const shown = await credentials(web, { ...endOf(web, 'web'), workload: 'worker' }, around);
    expect(await reasonOf({ shown })).toBe('other_workload');
  });

  it('that has expired', async () => {
    const earlier = counted(nowMs - 25 * hourMs);
    const provider = { ...web, ...(await makeNode(web, earlier, web.nodeKey)) };
    expect(await reasonOf({ shown: await credentials(provider, endOf(web, 'web'), earlier) })).toBe('expired');
    expect(await reasonOf({ atMs: right.notAfterMs })).toBe('expired');
    expect(await reasonOf({ atMs: right.notAfterMs - 1 })).toBe('admitted');
  });

  it('that is not yet valid', async () => {
    const shown = await credentials(web, endOf(web, 'web'), counted(nowMs + hourMs));
    expect(await reasonOf({ shown })).toBe('not_yet_valid');
  });

  it('of a node that was removed, or of a root that has ended', async () => {
    const facts = factsOf(web, 'web', nowMs);
    const { node: _, ...without } = facts;
    const [root] = facts.roots;
    expect(await reasonOf({ facts: { node: { ...facts.node!, removedHeight: 90n } } })).toBe('revoked');
    expect(await reasonOf({ facts: { node: { ...facts.node!, validToHeight: 99n } } })).toBe('revoked');
    expect(await reasonOf({ facts: { node: { ...facts.node!, validFromHeight: 101n } } })).toBe('not_yet_valid');
    expect(await reasonOf({ facts: { roots: [{ ...root!, validToHeight: 99n }] } })).toBe('root_ended');
    expect(await reasonOf({ facts: { roots: [{ ...root!, validToHeight: 100n }] } })).toBe('admitted');
    const { atServer } = await handshake(right);
    const gone = admit({ chain: peerChain(atServer), expected: expectedWeb(web), facts: without, nowMs });
    expect(gone).toMatchObject({ admitted: false, reason: 'revoked' });
  });

  it('of the right name with another key', async () => {
    // The root has certified a second key for the node; the chain knows the first one.
    const other = await makeNode(web, around);
    expect(await reasonOf({ shown: await credentials({ ...web, ...other }, endOf(web, 'web'), around) })).toBe(
      'other_key',
    );
    // Signed by a key of its own, and shown with the node's true certificate.
    const forged = await issueTunnel(
      { nodeKey: generateKey('ed25519'), nodeCertificate: web.node, name: endOf(web, 'web') },
      around,
    );
    expect(await reasonOf({ shown: forged })).toBe('other_key');
  });
});

/** Another certificate for the node, of another key unless told otherwise, under the same root. */
async function makeNode(
  of: TestProvider,
  when: typeof around,
  nodeKey = generateKey('ed25519'),
): Promise<Pick<TestProvider, 'node' | 'nodeKey'>> {
  const name = { chainId, provider: of.provider, nodeId: of.nodeId };
  const node = await issueNode({ rootKey: of.rootKey, rootCertificate: of.root, nodeKey, name }, when);
  return { node, nodeKey };
}

describe('and what else is refused', () => {
  it('a node’s certificate without one of the tunnel, none at all, and bytes', async () => {
    const facts = factsOf(web, 'web', nowMs);
    const ask = (chain: Uint8Array[]) => admit({ chain, expected: expectedWeb(web), facts, nowMs });
    expect(ask([])).toMatchObject({ reason: 'certificates_missing' });
    expect(ask([web.node])).toMatchObject({ reason: 'certificates_missing' });
    expect(ask([web.node, web.root])).toMatchObject({ reason: 'certificates_malformed' });
    expect(ask([Buffer.from('no'), Buffer.from('certificate')])).toMatchObject({ reason: 'certificates_malformed' });
    expect(ask([new Uint8Array(5000), web.node])).toMatchObject({ reason: 'certificates_malformed' });
    expect(shownName([])).toBeUndefined();
    expect(shownName([web.node])).toBeUndefined();
  });

  it('what is not declared, the wrong way round too', async () => {
    expect(await reasonOf({ expected: { connection: 'other' } })).toBe('not_declared');
    expect(await reasonOf({ expected: { peerRole: 'callee' } })).toBe('not_declared');
    expect(await reasonOf({ facts: { connections: [] } })).toBe('not_declared');
  });

  it('new peers by an old view of the chain; known ones for a day', async () => {
    const facts = (ageMs: number) => ({ verifiedAtMs: nowMs - ageMs });
    expect(await reasonOf({ facts: facts(600_000) })).toBe('admitted');
    expect(await reasonOf({ facts: facts(600_001) })).toBe('view_too_old');
    expect(await reasonOf({ facts: facts(24 * hourMs), expected: { isKnownPair: true } })).toBe('admitted');
    expect(await reasonOf({ facts: facts(24 * hourMs + 1), expected: { isKnownPair: true } })).toBe('view_too_old');
  });

  it('a handshake for a tunnel that nobody knows', async () => {
    await expect(handshake(right, 'a'.repeat(32))).rejects.toThrow();
  });
});

describe('names', () => {
  it('are read as they were written, and in no other form', () => {
    const name = endOf(web, 'web');
    expect(parseTunnelUri(tunnelUri(name))).toEqual(name);
    const uri = tunnelUri(name);
    for (const wrong of [`${uri}/`, `${uri}/x`, uri.replace('/7/', '/07/'), uri.replace('/7/', '/-7/'), ` ${uri}`]) {
      expect(parseTunnelUri(wrong)).toBeUndefined();
    }
    expect(parseTunnelUri(uri.replace('web-infra', 'a%2fb'))).toBeUndefined();
  });

  it('of another node, or that could pass for another, are not issued', async () => {
    const name = endOf(web, 'web');
    await expect(credentials(web, { ...name, workload: 'a/b' }, around)).rejects.toThrow(/not of the form/);
    await expect(credentials(web, { ...name, nodeId: 'node-2' }, around)).rejects.toThrow(/not of the node/);
  });

  it('of tunnels differ by connection and by direction', () => {
    const [caller, callee] = [endOf(web, 'web'), endOf(db, 'db')];
    const labels = [
      tunnelLabel({ connection: 'main', caller, callee }),
      tunnelLabel({ connection: 'main', caller: callee, callee: caller }),
      tunnelLabel({ connection: 'mai', caller, callee }),
    ];
    expect(new Set(labels).size).toBe(3);
    expect(labelOf(`${labels[0]}.tunnel.mu.internal`)).toBe(labels[0]);
    expect(labelOf('db.mu.internal')).toBeUndefined();
  });
});
