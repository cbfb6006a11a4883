/** Certificates that are renewed in sessions that stand, between two nodes over real TLS; days pass when a test says so. */
// The certificate library needs the polyfill before anything of it is loaded.
import 'reflect-metadata';
import { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer, type TLSSocket } from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { X509CertificateGenerator } from '@peculiar/x509';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import { type AdmissionFacts, admit } from '../../src/overlay/admission.ts';
import type { TunnelCredentials } from '../../src/overlay/certificates.ts';
import { acceptTunnel, dialTunnel } from '../../src/overlay/endpoint.ts';
import {
  closeCodes,
  encodeFrame,
  frameTypes,
  headBytes,
  type Renewal,
  signatureBytes,
} from '../../src/overlay/frames.ts';
import { bindingOf, chainOf, RenewalProofs } from '../../src/overlay/renewal.ts';
import { contextOf, listenOptions, tunnelLabel } from '../../src/overlay/tls.ts';
import { Tunnel } from '../../src/overlay/tunnel.ts';
import { eventually } from '../network/support/eventually.ts';
import { counted } from '../support/surroundings.ts';
import { ManualTimers } from './support/manual-timers.ts';
import { credentials, endOf, expectedWeb, factsOf, makeProvider, type TestProvider } from './support/providers.ts';
import { instance, undo, undoAll } from './support/sessions.ts';

afterEach(undoAll);

const hourMs = 3_600_000;
const never = new AbortController().signal;
const startMs = new ManualTimers().now();
let web: TestProvider;
let db: TestProvider;
beforeAll(async () => {
  web = await makeProvider('mu1web0000000000', counted(startMs));
  db = await makeProvider('mu1db00000000000', counted(startMs));
});

const ofWeb = (nowMs: number): Promise<TunnelCredentials> => credentials(web, endOf(web, 'web'), counted(nowMs));
const ofDb = (nowMs: number): Promise<TunnelCredentials> => credentials(db, endOf(db, 'db'), counted(nowMs));

interface World {
  readonly timers: ManualTimers;
  readonly caller: Tunnel;
  readonly callee: Tunnel;
  readonly log: string[];
  readonly sockets: { readonly caller: TLSSocket; readonly callee: TLSSocket }[];
  /** What the caller's side believes of the callee's beyond the usual. */
  facts: Partial<AdmissionFacts>;
  /** Both sides have newer certificates now. */
  renew(): Promise<void>;
}

/** `web` dials `db`, whose instance gives back what it gets. */
async function world(): Promise<World> {
  const timers = new ManualTimers();
  const [log, sockets]: [string[], World['sockets']] = [[], []];
  const state: Pick<World, 'facts'> = { facts: {} };
  let [shownByWeb, shownByDb] = [await ofWeb(timers.now()), await ofDb(timers.now())];
  let context = contextOf(shownByDb);
  // Hours pass here without a turn of the event loop: that is no silence.
  const limits = { pingMs: 10_000 * hourMs, silentMs: 10_000 * hourMs };
  const common = { timers, limits, random: () => 1, log: (line: string) => log.push(line) };
  const question = (peer: TestProvider, workload: string) => ({
    ...{ facts: { ...factsOf(peer, workload, timers.now()) }, nowMs: timers.now() },
  });
  const admitWeb = (chain: readonly Uint8Array[]) =>
    admit({ chain, expected: expectedWeb(web), ...question(web, 'web') });
  const admitDb = (chain: readonly Uint8Array[]) => {
    const { facts, nowMs } = question(db, 'db');
    const expected = {
      ...({ peer: endOf(db, 'db'), connection: 'main', peerRole: 'callee', isKnownPair: false } as const),
      own: { infrastructure: 'web-infra', workload: 'web' },
    };
    return admit({ chain, expected, facts: { ...facts, ...state.facts }, nowMs });
  };
  const streams = new InstanceRoute([{ address: '127.0.0.1', port: await instance((socket) => socket.pipe(socket)) }]);
  const callee = new Tunnel({ ...common, name: 'callee', role: 'callee', streams, admitPeer: admitWeb });
  const label = tunnelLabel({ connection: 'main', caller: endOf(web, 'web'), callee: endOf(db, 'db') });
  let taken: Promise<TLSSocket> | undefined;
  const server = createServer(
    listenOptions(() => context),
    (socket) => {
      taken = acceptTunnel(socket, () => ({ admitPeer: admitWeb })).then((admitted) => {
        callee.accept(admitted);
        return socket;
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const dial = async (signal: AbortSignal) => {
    const { port } = server.address() as AddressInfo;
    const at = { host: '127.0.0.1', port, label, credentials: shownByWeb, allowPrivatePeers: true };
    const admitted = await dialTunnel({ ...at, admitPeer: admitDb }, signal);
    await eventually('the other end', () => taken !== undefined);
    sockets.push({ caller: admitted.socket as TLSSocket, callee: (await taken) as TLSSocket });
    taken = undefined;
    return admitted;
  };
  const caller = new Tunnel({ ...common, name: 'caller', role: 'caller', dial, admitPeer: admitDb });
  undo.push(() => {
    for (const one of [caller, callee]) one.cut(closeCodes.shutdown, 'the test is over');
    server.close();
  });
  const renew = async (): Promise<void> => {
    [shownByWeb, shownByDb] = [await ofWeb(timers.now()), await ofDb(timers.now())];
    context = contextOf(shownByDb);
    caller.renew(shownByWeb);
    callee.renew(shownByDb);
    await eventually('both have them', () =>
      [standsOn(caller, shownByDb), standsOn(callee, shownByWeb)].every(Boolean),
    );
  };
  await eventually('the tunnel', () => caller.isUp && callee.isUp);
  return Object.assign(state, { timers, caller, callee, log, sockets, renew });
}

/** What the peer of each session was admitted by. */
function chainsOf(tunnel: Tunnel): Uint8Array[][] {
  const chains: Uint8Array[][] = [];
  tunnel.review((chain) => {
    chains.push([...chain]);
    return undefined;
  });
  return chains;
}

const standsOn = (tunnel: Tunnel, { cert }: TunnelCredentials): boolean =>
  chainsOf(tunnel).every(([leaf]) => chainOf(cert)[0].equals(leaf as Uint8Array));

async function open(tunnel: Tunnel): Promise<Duplex> {
  const stream = await tunnel.open(never);
  // The end of a test breaks it.
  return stream.on('error', () => {});
}

/** @returns what comes back of it */
async function say(stream: Duplex, words: string): Promise<string> {
  const answer = once(stream, 'data');
  stream.write(words);
  return String(((await answer) as [Buffer])[0]);
}

const error = (stream: Duplex): Promise<Error> => new Promise((resolve) => stream.once('error', resolve));

describe('certificates that are renewed', () => {
  it('carry a stream for a week, while new streams have a session of the day', async () => {
    const { timers, caller, callee, sockets, renew } = await world();
    const stream = await open(caller);
    for (let halfDay = 0; halfDay < 14; halfDay += 1) {
      expect(await say(stream, `half day ${halfDay}`)).toBe(`half day ${halfDay}`);
      timers.advance(12 * hourMs);
      await eventually('a session for new streams', () => caller.isUp && callee.isUp);
      await renew();
    }
    expect(await say(stream, 'still here')).toBe('still here');
    // One a day; those whose streams are over have ended.
    expect(sockets).toHaveLength(8);
    await eventually('their end', () => caller.sessions.length === 2 && callee.sessions.length === 2);
    expect(await say(await open(caller), 'new')).toBe('new');
  });

  it('leave the oldest stream alone, however many older sessions have streams', async () => {
    const { timers, caller, sockets, renew } = await world();
    const streams: Duplex[] = [];
    for (let day = 0; day < 6; day += 1) {
      streams.push(await open(caller));
      for (let part = 0; part < 2; part += 1) {
        timers.advance(12 * hourMs + 1);
        await eventually('a session for new streams', () => caller.isUp);
        await renew();
      }
    }
    for (const stream of streams) expect(await say(stream, 'here')).toBe('here');
    expect([sockets.length, caller.sessions.length]).toEqual([3, 3]);
  });

  it('of one side alone do not carry a session beyond the end of the other’s', async () => {
    const { timers, caller, callee } = await world();
    const stream = await open(caller);
    timers.advance(12 * hourMs);
    const renewed = await ofDb(timers.now());
    callee.renew(renewed);
    await eventually('the caller has it', () => standsOn(caller, renewed));
    const broken = error(stream);
    timers.advance(12 * hourMs);
    expect((await broken).message).toContain('a certificate of the tunnel has expired');
  });

  it('are not taken by a side that has not heard of the node’s new key, until it has', async () => {
    const made = await world();
    const { timers, caller, callee, log } = made;
    const stream = await open(caller);
    const moved = await makeProvider(db.provider, counted(timers.now()));
    const renewed = await credentials(moved, endOf(db, 'db'), counted(timers.now()));
    callee.renew(renewed);
    const word = 'tunnel caller: newer certificates of the peer are not admitted yet: ';
    await eventually('the word', () => log.some((line) => line.startsWith(word)));
    expect(standsOn(caller, renewed)).toBe(false);
    expect(await say(stream, 'the old ones')).toBe('the old ones');
    made.facts = factsOf(moved, 'db', timers.now());
    expect(standsOn(caller, renewed)).toBe(true);
    expect(await say(stream, 'the new ones')).toBe('the new ones');
  });

  it('go out a minute after those before at the earliest, and then the newest alone', async () => {
    const { timers, caller, callee, sockets } = await world();
    const { caller: socket } = sockets[0] as { caller: TLSSocket };
    let renewals = 0;
    socket.prependListener('data', (bytes: Buffer) => {
      // Frames of this test come one by one: a record each.
      if (bytes.length > headBytes && bytes[0] === frameTypes.renew) renewals += 1;
    });
    for (let at = 1; at <= 10; at += 1) callee.renew(await ofDb(timers.now() + at));
    const last = await ofDb(timers.now() + 11);
    callee.renew(last);
    await eventually('the first', () => renewals === 1);
    expect(standsOn(caller, last)).toBe(false);
    timers.advance(60_000);
    await eventually('the last', () => standsOn(caller, last));
    expect(renewals).toBe(2);
    expect(await say(await open(caller), 'up')).toBe('up');
  });
});

describe('a proof', () => {
  /** Keys of both make signatures of 64 bytes. */
  const kinds = [
    ['P-256', { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }],
    ['RSA', { name: 'RSASSA-PKCS1-v1_5', modulusLength: 512, publicExponent: Uint8Array.of(1, 0, 1), hash: 'SHA-256' }],
  ] as const;
  it.each(kinds)('by a key of the kind %s is taken if that is P-256', async (kind, algorithm) => {
    const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const certificate = await X509CertificateGenerator.createSelfSigned({ keys, signingAlgorithm: algorithm });
    const cert = certificate.toString('pem');
    const key = String(KeyObject.from(keys.privateKey).export({ type: 'pkcs8', format: 'pem' }));
    const binding = Buffer.alloc(32, 7);
    const renewal = new RenewalProofs(binding, true).prove({ key, cert: `${cert}\n${cert}\n` });
    expect(renewal.signature).toHaveLength(signatureBytes);
    expect(new RenewalProofs(binding, false).isProved(renewal)).toBe(kind === 'P-256');
  });
});

describe('a renewal ends the session', () => {
  const breachOf = async (made: World, send: (socket: TLSSocket) => void): Promise<string> => {
    const { callee, sockets, log } = made;
    send((sockets[0] as { caller: TLSSocket }).caller);
    await eventually('the cut', () => !callee.isUp);
    return log.find((line) => line.startsWith('tunnel callee: the peer broke the protocol')) ?? log.join('\n');
  };
  const frameOf = (renewal: Renewal): Buffer => encodeFrame({ type: 'renew', renewal });

  it.each<[string, (socket: TLSSocket, now: number) => Promise<Renewal>]>([
    [
      'made for another connection',
      async (_socket, now) => new RenewalProofs(Buffer.alloc(32, 7), true).prove(await ofWeb(now)),
    ],
    [
      'made by the other side, and sent back',
      async (socket, now) => new RenewalProofs(bindingOf(socket), false).prove(await ofDb(now)),
    ],
    [
      'for a certificate whose key is another one',
      async (socket, now) => {
        const [shown, signed] = [await ofWeb(now), await ofWeb(now + 1)];
        return new RenewalProofs(bindingOf(socket), true).prove({ cert: shown.cert, key: signed.key });
      },
    ],
    [
      'for what is no certificate',
      async (socket, now) => {
        const { signature } = new RenewalProofs(bindingOf(socket), true).prove(await ofWeb(now));
        return { chain: [Buffer.from('no'), Buffer.from('none')], signature };
      },
    ],
  ])('that is %s', async (_what, forge) => {
    const made = await world();
    const { caller } = made.sockets[0] as { caller: TLSSocket };
    const renewal = await forge(caller, made.timers.now());
    expect(await breachOf(made, (socket) => socket.write(frameOf(renewal)))).toContain('whose key is not proved');
  });

  it('that is the fifth within a minute', async () => {
    const made = await world();
    const { caller } = made.sockets[0] as { caller: TLSSocket };
    const proofs = new RenewalProofs(bindingOf(caller), true);
    const renewals = await Promise.all(
      Array.from({ length: 5 }, async (_, at) => proofs.prove(await ofWeb(made.timers.now() + at))),
    );
    const said = await breachOf(made, (socket) => socket.write(Buffer.concat(renewals.map(frameOf))));
    expect(said).toContain('certificates are renewed too often');
  });

  it('but not one that is of somebody else, rightly proved: it changes nothing', async () => {
    const made = await world();
    const { callee, log, timers } = made;
    const { caller: socket } = made.sockets[0] as { caller: TLSSocket };
    const before = chainsOf(callee);
    const worker = await credentials(web, endOf(web, 'worker'), counted(timers.now()));
    socket.write(frameOf(new RenewalProofs(bindingOf(socket), true).prove(worker)));
    await eventually('the word', () => log.some((line) => line.includes('are not admitted yet')));
    expect(chainsOf(callee)).toEqual(before);
    expect(await say(await open(made.caller), 'up')).toBe('up');
  });
});
