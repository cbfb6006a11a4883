/** Tunnels over real TLS, between workloads' sockets: relay, caller, callee, instance. */
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { createServer } from 'node:tls';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import { listenTcp, type Relay } from '../../src/network/relay.ts';
import { type AdmissionFacts, admit } from '../../src/overlay/admission.ts';
import type { TunnelCredentials } from '../../src/overlay/certificates.ts';
import { acceptTunnel, dialTunnel } from '../../src/overlay/endpoint.ts';
import { closeCodes } from '../../src/overlay/frames.ts';
import { realTimers } from '../../src/overlay/timers.ts';
import { contextOf, listenOptions, tunnelLabel } from '../../src/overlay/tls.ts';
import { Tunnel } from '../../src/overlay/tunnel.ts';
import { eventually } from '../network/support/eventually.ts';
import { counted } from '../support/surroundings.ts';
import { credentials, endOf, expectedWeb, factsOf, makeProvider, type TestProvider } from './support/providers.ts';
import { instance, undo, undoAll } from './support/sessions.ts';

const nowMs = Date.now();
let web: TestProvider;
let db: TestProvider;
let ofWeb: TunnelCredentials;
let ofDb: TunnelCredentials;
beforeAll(async () => {
  web = await makeProvider('mu1web0000000000', counted(nowMs));
  db = await makeProvider('mu1db00000000000', counted(nowMs));
  ofWeb = await credentials(web, endOf(web, 'web'), counted(nowMs));
  ofDb = await credentials(db, endOf(db, 'db'), counted(nowMs));
});
afterEach(undoAll);

interface World {
  readonly relay: Relay;
  readonly caller: Tunnel;
  readonly log: string[];
  handshakes: number;
}

/** The web tier's node dials the database's, which believes the facts. @param failure why it cannot ask for them */
async function world(facts: Partial<AdmissionFacts> = {}, failure?: string): Promise<World> {
  const label = tunnelLabel({ connection: 'main', caller: endOf(web, 'web'), callee: endOf(db, 'db') });
  const counts = { handshakes: 0 };
  const log: string[] = [];
  const common = { timers: realTimers, random: () => 1, log: (line: string) => log.push(line) };
  const port = await instance((socket) => socket.pipe(socket));
  const streams = new InstanceRoute([{ address: '127.0.0.1', port }]);
  const context = contextOf(ofDb);
  const known = {
    admitPeer: (chain: readonly Uint8Array[]) => {
      if (failure !== undefined) throw new Error(failure);
      return admit({ chain, expected: expectedWeb(web), facts: { ...factsOf(web, 'web', nowMs), ...facts }, nowMs });
    },
  };
  const callee = new Tunnel({ ...common, name: 'callee', role: 'callee', streams, admitPeer: known.admitPeer });
  const server = createServer(
    listenOptions((one) => (one === label ? context : undefined)),
    (socket) => {
      counts.handshakes += 1;
      acceptTunnel(socket, (one) => (one === label ? known : undefined)).then(
        (admitted) => callee.accept(admitted),
        (error: Error) => log.push(error.message),
      );
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const expected = {
    ...({ peer: endOf(db, 'db'), connection: 'main', peerRole: 'callee', isKnownPair: false } as const),
    own: { infrastructure: 'web-infra', workload: 'web' },
  };
  const there = {
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    label,
    credentials: ofWeb,
    allowPrivatePeers: true,
  };
  const admitPeer = (chain: readonly Uint8Array[]) =>
    admit({ chain, expected, facts: factsOf(db, 'db', nowMs), nowMs });
  const dial = (signal: AbortSignal) => dialTunnel({ ...there, admitPeer }, signal);
  const caller = new Tunnel({ ...common, name: 'caller', role: 'caller', dial, admitPeer });
  const relay = await listenTcp({ listen: { address: '127.0.0.1', port: 0 }, route: caller });
  undo.push(async () => {
    for (const one of [caller, callee]) one.cut(closeCodes.shutdown, 'the test is over');
    server.close();
    await relay.close(0);
  });
  return Object.assign(counts, { relay, caller, log });
}

function ask(relay: Relay, question: string): Promise<string> {
  const socket = connect({ host: relay.address, port: relay.port, allowHalfOpen: true });
  socket.end(question);
  return text(socket);
}

describe('a tunnel over TLS', () => {
  it('joins a workload with an instance elsewhere', async () => {
    const { relay } = await world();
    expect(await ask(relay, 'select 1')).toBe('select 1');
  });

  it('carries 1,000 short connections one after another, and 1,000 at once, over one handshake', async () => {
    const made = await world();
    for (let at = 0; at < 1000; at += 1) expect(await ask(made.relay, String(at))).toBe(String(at));
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, at) => ask(made.relay, String(at))));
    expect(answers).toEqual(Array.from({ length: 1000 }, (_, at) => String(at)));
    await eventually('their end', () => made.caller.sessions[0]?.counters().open === 0);
    expect(made.handshakes).toBe(1);
  });

  it('tells a peer that is not admitted why, and carries nothing', async () => {
    const { relay, caller, log } = await world({ leases: [] });
    const word = 'not admitted (no_lease): mu1web0000000000 has no lease of web-infra that stands';
    await eventually('the word', () => log.includes(`tunnel caller: the peer says: ${word}`));
    expect(log).toContain(word);
    expect(caller.isUp).toBe(false);
    const socket = connect({ host: relay.address, port: relay.port });
    socket.on('error', () => {});
    caller.cut(closeCodes.shutdown, 'over');
    await eventually('the reset', () => socket.destroyed);
  });

  it('tells a peer nothing of what failed here', async () => {
    const failure = 'connect ECONNREFUSED 10.0.0.7:26657';
    const { log } = await world({}, failure);
    await eventually('the word', () => log.includes('tunnel caller: the peer says: whether it may cannot be told now'));
    expect(log).toContain(failure);
  });

  it('is given up with its signal', async () => {
    const stop = AbortSignal.abort(new Error('no longer'));
    const options = { host: '127.0.0.1', port: 1, label: 'a'.repeat(32), credentials: ofWeb, allowPrivatePeers: true };
    const admitPeer = () => ({ admitted: false, reason: 'no_lease', text: '' }) as const;
    await expect(dialTunnel({ ...options, admitPeer }, stop)).rejects.toThrow('no longer');
    await expect(dialTunnel({ ...options, admitPeer }, new AbortController().signal)).rejects.toThrow(/ECONNREFUSED/);
  });
});
