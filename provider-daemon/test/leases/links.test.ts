/** Links of a lease: from its plan and the chain to tunnels and neighbours. */
import { describe, expect, test } from '@jest/globals';
import type { ManifestHead } from '@mu/client/manifest/head';
import { farConnections } from '../../src/leases/far-connections.ts';
import { type LinkQuestion, maxTunnels, servedLinks, type WishedTunnel, wishedLinks } from '../../src/leases/links.ts';
import type { Participant, PeerProvider } from '../../src/leases/participants.ts';
import { tunnelLabel } from '../../src/overlay/tls.ts';
import {
  byName,
  chainId,
  deploymentOf,
  headOf,
  here,
  owner,
  participant,
  providerOf,
  tcp,
  workload,
} from './far-fixture.ts';

const head = headOf({ front: [workload('web')], back: [workload('db', tcp('sql', 5432))] });

function question(
  of: { readonly head?: ManifestHead; readonly at?: string; readonly height?: bigint },
  participants: readonly Participant[],
  ...providers: PeerProvider[]
): LinkQuestion {
  const { at = 'front' } = of;
  return {
    place: { lease: 1n, owner, dseq: 7n, infrastructure: at },
    plan: farConnections(of.head ?? head, at),
    node: here,
    deployment: deploymentOf(...participants),
    providers: byName(...providers),
    height: of.height ?? 50n,
  };
}

const mine = participant(1n, 'mu1here', 'front');
const peersOf = ({ tunnels }: { readonly tunnels: readonly WishedTunnel[] }): string[] =>
  tunnels.map(({ peer }) => `${peer.provider}/${peer.nodeId}`);

test('a caller’s tunnel has both ends, where to dial, and what the chain says of the peer', () => {
  const there = participant(2n, 'mu1there', 'back', { standing: 'out_of_funds' });
  const { tunnels, neighbours } = wishedLinks(question({}, [mine, there], providerOf('mu1there')));
  const deployment = { chainId, owner };
  const caller = { ...deployment, ...here, dseq: 7n, infrastructure: 'front', workload: 'web' };
  const peer = { ...deployment, provider: 'mu1there', nodeId: 'node-1', infrastructure: 'back', workload: 'db' };
  expect(tunnels).toEqual([
    {
      label: tunnelLabel({ connection: 'sql', caller, callee: { ...peer, dseq: 7n } }),
      ...{ role: 'caller', connection: 'sql', protocol: 'tcp', port: 5432 },
      own: { infrastructure: 'front', workload: 'web' },
      ownEnd: caller,
      peer: { ...peer, dseq: '7' },
      dial: { host: 'mu1there.example', port: 8443 },
      facts: {
        roots: [{ certificate: 'AQID', validFromHeight: '1', validToHeight: '90' }],
        node: { publicKey: `${'A'.repeat(43)}=`, validFromHeight: '1', validToHeight: '0', removedHeight: '0' },
        leases: [{ provider: 'mu1there', infrastructure: 'back', standing: 'out_of_funds', isRunning: true }],
      },
    },
  ]);
  expect(neighbours).toEqual([]);
});

test('both ends give a tunnel the same name', () => {
  const participants = [mine, participant(2n, 'mu1there', 'back')];
  const [called] = wishedLinks(question({}, participants, providerOf('mu1there'))).tunnels;
  const other = {
    ...question({ at: 'back' }, participants, providerOf('mu1here', { 'node-h': {} })),
    place: { lease: 2n, owner, dseq: 7n, infrastructure: 'back' },
    node: { chainId, provider: 'mu1there', nodeId: 'node-1' },
  };
  const [offered] = wishedLinks(other).tunnels;
  expect(offered?.role).toBe('callee');
  expect(offered?.label).toBe(called?.label);
  expect(offered?.ownEnd).toEqual({ ...called?.peer, dseq: 7n });
});

describe('peers', () => {
  test('those whose lease runs are tried first, then those with the newer lease, each with all its nodes', () => {
    const participants = [
      mine,
      participant(2n, 'mu1a', 'back'),
      participant(3n, 'mu1b', 'back', { isRunning: false }),
      participant(4n, 'mu1c', 'back'),
      participant(5n, 'mu1d', 'back', { isRunning: false }),
    ];
    const providers = [
      providerOf('mu1a', { 'node-2': {}, 'node-1': {} }),
      ...['mu1b', 'mu1c', 'mu1d'].map((name) => providerOf(name)),
    ];
    expect(peersOf(wishedLinks(question({}, participants, ...providers)))).toEqual([
      'mu1c/node-1',
      'mu1a/node-1',
      'mu1a/node-2',
      'mu1d/node-1',
      'mu1b/node-1',
    ]);
  });

  test.each<[string, Partial<Participant>]>([
    ['whose lease has ended', { standing: 'closed', closedHeight: 40n }],
    ['whose lease is broken', { standing: 'broken' }],
    ['of an infrastructure that is not called', { infrastructure: 'front' }],
    ['of which the chain knows no provider', { provider: 'mu1nobody' }],
  ])('%s have none', (_what, rest) => {
    const participants = [mine, participant(2n, 'mu1a', 'back'), participant(3n, 'mu1b', 'back', rest)];
    const wished = wishedLinks(question({}, participants, providerOf('mu1a'), providerOf('mu1b')));
    expect(peersOf(wished)).toEqual(['mu1a/node-1']);
  });

  test('nodes that do not stand at this height have none', () => {
    const nodes = {
      gone: { removedHeight: 49n },
      over: { validToHeight: 49n },
      early: { validFromHeight: 51n },
      last: { validToHeight: 50n },
      first: { validFromHeight: 50n },
    };
    const wished = wishedLinks(question({}, [mine, participant(2n, 'mu1a', 'back')], providerOf('mu1a', nodes)));
    expect(peersOf(wished)).toEqual(['mu1a/first', 'mu1a/last']);
  });

  test('with two leases of an infrastructure have one tunnel', () => {
    const participants = [mine, participant(2n, 'mu1a', 'back'), participant(3n, 'mu1a', 'back')];
    const { tunnels } = wishedLinks(question({}, participants, providerOf('mu1a')));
    expect(tunnels.map(({ facts }) => facts.leases.length)).toEqual([2]);
  });

  test.each<[string, string, object | undefined]>([
    ['by an IPv6 address', 'https://[2001:db8::1]:9', { host: '2001:db8::1', port: 9 }],
    ['by the port of HTTPS where none is named', 'https://peer.example', { host: 'peer.example', port: 443 }],
    ['not at all without TLS', 'http://peer.example:80', undefined],
    ['not at all at what is no address', 'nonsense', undefined],
  ])('are dialled %s', (_what, hostUri, dial) => {
    const peer = { ...providerOf('mu1a'), hostUri };
    const [tunnel] = wishedLinks(question({}, [mine, participant(2n, 'mu1a', 'back')], peer)).tunnels;
    expect(tunnel?.dial).toEqual(dial);
  });
});

test('this provider’s own leases are neighbours of a caller, and are offered what the callee’s manifest declares', () => {
  const two = headOf({ front: [workload('web'), workload('job')], back: [workload('db', tcp('sql', 5432))] });
  const participants = [
    mine,
    participant(2n, 'mu1here', 'back', { isRunning: false }),
    participant(3n, 'mu1here', 'back'),
    participant(4n, 'mu1here', 'front'),
  ];
  const calling = wishedLinks(question({ head: two }, participants));
  const from = (name: string) => ({ infrastructure: 'front', workload: name });
  const db = { far: 'db/sql', protocol: 'tcp' };
  expect(calling.neighbours).toEqual([
    { ...db, lease: '3', caller: from('web') },
    { ...db, lease: '2', caller: from('web') },
    { ...db, lease: '3', caller: from('job') },
    { ...db, lease: '2', caller: from('job') },
  ]);
  const called = wishedLinks(question({ head: two, at: 'back' }, participants, providerOf('mu1here')));
  expect([calling.tunnels, called.tunnels, called.neighbours, calling.offers]).toEqual([[], [], [], []]);
  expect(called.offers).toEqual([{ ...db, service: 'db', port: 5432, callers: [from('web'), from('job')] }]);
  const elsewhere = [participant(2n, 'mu1here', 'back'), participant(4n, 'mu1there', 'front')];
  expect(wishedLinks(question({ head: two, at: 'back' }, elsewhere, providerOf('mu1there'))).offers).toEqual([]);
});

test('a lease that is over on the chain is linked with nobody', () => {
  const over = { ...mine, standing: 'closed' as const };
  const wished = wishedLinks(question({}, [over, participant(2n, 'mu1a', 'back')], providerOf('mu1a')));
  expect(wished).toEqual({ tunnels: [], neighbours: [], offers: [], leftOut: 0 });
});

test('beyond the bound each connection keeps the peers that it would try first', () => {
  const ports = Array.from({ length: 64 }, (_none, i) => tcp(`p${i}`, i + 1));
  const many = headOf({ front: [workload('web')], back: [workload('db', ...ports)] });
  const nodes = Object.fromEntries(Array.from({ length: 5 }, (_none, i) => [`node-${i}`, {}]));
  const { tunnels, leftOut } = wishedLinks(
    question({ head: many }, [mine, participant(2n, 'mu1a', 'back')], providerOf('mu1a', nodes)),
  );
  expect([tunnels.length, leftOut]).toEqual([maxTunnels, 64]);
  expect(new Set(tunnels.map(({ connection }) => connection)).size).toBe(64);
  expect(tunnels.filter(({ peer }) => peer.nodeId === 'node-4')).toEqual([]);
});

test('what is served has credentials, and not this end’s name beside them', () => {
  const participants = [mine, participant(2n, 'mu1a', 'back'), participant(3n, 'mu1b', 'back')];
  const wished = wishedLinks(question({}, participants, providerOf('mu1a'), providerOf('mu1b')));
  const credentials = { key: 'key', cert: 'cert', notBeforeMs: 1, notAfterMs: 2 };
  const { tunnels } = servedLinks(wished, new Map([[wished.tunnels[1]!.label, credentials]]));
  const { ownEnd: _, ...rest } = wished.tunnels[1]!;
  expect(tunnels).toEqual([{ ...rest, credentials }]);
});
