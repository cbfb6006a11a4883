import type { Participant } from '../../src/leases/participants.ts';
import { admitPeer, type PeerQuestion, roleOf, shownNode } from '../../src/peers/admission.ts';
import { chainId, makeProvider, owner, type TestProvider } from '../overlay/support/providers.ts';
import { around, World } from './support/world.ts';

let peer: TestProvider;
let right: PeerQuestion;
beforeAll(async () => {
  peer = await makeProvider('mu1peer000000000', around);
  const world = new World(1);
  world.register(peer, 1);
  world.lease(peer.provider);
  right = {
    ...{ chain: [peer.node, peer.root], expected: { chainId }, isStanding: false, nowMs: around.now() },
    ...{ deployment: await world.facts.deployment(owner, 7n), provider: await world.facts.provider(peer.provider) },
    ...{ view: await world.facts.view(), serveGraceBlocks: 100n },
  };
});

const leases = (...changes: readonly Partial<Participant>[]): PeerQuestion['deployment'] => ({
  ...right.deployment!,
  participants: changes.map((change) => ({ ...right.deployment!.participants[0]!, ...change })),
});
const answer = (change: Partial<PeerQuestion> = {}) => admitPeer({ ...right, ...change });
const text = (change: Partial<PeerQuestion>): string => {
  const given = answer(change);
  return given.admitted ? `admitted to ${given.role}` : `${given.reason}: ${given.text}`;
};

test('a node of a provider with a lease that lives, until its certificate ends', () => {
  expect(answer()).toMatchObject({ admitted: true, role: 'receive' });
  expect(text({ deployment: leases({ standing: 'out_of_funds' }) })).toBe('admitted to receive');
  expect(shownNode(right.chain)).toEqual({ chainId, provider: peer.provider, nodeId: 'node-1' });
  expect(text({ nowMs: right.nowMs + 31 * 86_400_000, isStanding: true })).toMatch(
    /^expired: the certificate of URI:mu:/,
  );
  expect(text({ nowMs: right.nowMs - 3_600_000 })).toMatch(/^not_yet_valid: /);
});

test('a lease that has ended: to serve, for the grace, and only where it ended normally', () => {
  const ended = (standing: Participant['standing'], closedHeight: bigint) =>
    text({ deployment: leases({ standing, closedHeight }) });
  expect(ended('closed', 0n)).toBe('admitted to serve');
  expect(ended('closed', -1n)).toMatch(/^no_lease: mu1peer000000000 has no lease of .* it has one that is closed$/);
  expect(ended('broken', 99n)).toMatch(/^no_lease: /);
  expect(text({ deployment: leases({ standing: 'broken' }, { standing: 'active' }) })).toBe('admitted to receive');
  expect(text({ deployment: leases() })).toMatch(/it has none$/);
  expect(text({ deployment: undefined })).toBe('no_lease: the chain has no such deployment');
  expect(roleOf(right.deployment, 'mu1somebody', { height: 1n, serveGraceBlocks: 9n })).toBeUndefined();
});

test('a view of ten minutes for a new peer; a standing one stays', () => {
  const nowMs = right.view.verifiedAtMs + 600_001;
  expect(text({ nowMs })).toBe('view_too_old: the chain was last verified 10 minutes ago');
  expect(text({ nowMs, isStanding: true })).toBe('admitted to receive');
});

test('what is no certificate of a node of this chain, or not of the one that was dialled', () => {
  expect(text({ chain: [] })).toMatch(/^certificates_missing/);
  expect(text({ chain: [new Uint8Array(5_000)] })).toMatch(/^certificates_malformed: .*4096/);
  expect(text({ chain: [new Uint8Array(50)] })).toMatch(/^certificates_malformed/);
  expect(text({ chain: [peer.root] })).toMatch(/^certificates_malformed: .* no node$/);
  expect(text({ expected: { chainId: 'mu-2' } })).toMatch(/^other_chain/);
  expect(text({ expected: { chainId, provider: 'mu1somebody00000' } })).toMatch(/^other_node/);
  expect(text({ provider: undefined })).toMatch(/^other_root/);
});

test('roots and nodes as the chain has them at its height', () => {
  const provider = right.provider!;
  const [[nodeId, node]] = [...provider.nodes] as [[string, NonNullable<ReturnType<typeof provider.nodes.get>>]];
  const withNode = (change: object) =>
    text({ provider: { ...provider, nodes: new Map([[nodeId, { ...node, ...change }]]) } });
  expect(withNode({ removedHeight: 99n })).toBe('revoked: the node was removed in block 99');
  expect(withNode({ validToHeight: 99n })).toMatch(/^revoked/);
  expect(withNode({ validFromHeight: 101n })).toMatch(/^not_yet_valid/);
  expect(withNode({ publicKey: new Uint8Array(32) })).toMatch(/^other_key/);
  const [root] = provider.roots as [(typeof provider.roots)[number]];
  expect(text({ provider: { ...provider, roots: [{ ...root, validToHeight: 99n }] } })).toMatch(/^root_ended/);
  expect(text({ provider: { ...provider, roots: [] } })).toMatch(/^other_root/);
});
