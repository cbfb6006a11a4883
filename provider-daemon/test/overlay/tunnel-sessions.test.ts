/** Which of its sessions a tunnel takes for new streams, and when it dials the next one; the peer is this test, frame by frame. */
import { type Duplex, duplexPair } from 'node:stream';
import { afterEach, describe, expect, it } from '@jest/globals';
import { FrameReader } from '../../src/overlay/frame-reader.ts';
import { closeCodes, encodeFrame, type Frame, type Role } from '../../src/overlay/frames.ts';
import { RenewalProofs } from '../../src/overlay/renewal.ts';
import { Tunnel } from '../../src/overlay/tunnel.ts';
import { type AdmittedSocket, tunnelLimits } from '../../src/overlay/tunnel-options.ts';
import { eventually } from '../network/support/eventually.ts';
import { ManualTimers } from './support/manual-timers.ts';
import { undo, undoAll } from './support/sessions.ts';

afterEach(undoAll);

const never = new AbortController().signal;
const hourMs = 3_600_000;
const { firstBackOffMs, leastDialMs, leastLifeMs, mostBackOffMs } = tunnelLimits;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** The other end of a session. */
interface Peer {
  send(frame: Frame): Promise<void>;
  hello(): Promise<void>;
}

interface World {
  readonly tunnel: Tunnel;
  readonly timers: ManualTimers;
  /** The other ends of what it has dialled. */
  readonly dialled: Peer[];
  /** How often it has tried. */
  readonly tries: () => number;
  /** The peer dials. */
  accept(): Peer;
}

/** Certificates are those of the beginning, for a day. */
function world(role: Role, { patienceMs = 0, isAway = false } = {}): World {
  const timers = new ManualTimers();
  const dialled: Peer[] = [];
  let tries = 0;
  const validity = { notBeforeMs: timers.now(), notAfterMs: timers.now() + 24 * hourMs };
  const made = (): { admitted: AdmittedSocket; peer: Peer } => {
    const [near, far] = duplexPair();
    const proofs = new RenewalProofs(Buffer.alloc(32), true);
    const own = { ...validity, der: new Uint8Array() };
    return { admitted: { socket: near, chain: [], peer: validity, own, proofs }, peer: peerAt(far, role) };
  };
  const tunnel = new Tunnel({
    ...{ name: 'this', role, patienceMs, timers, random: () => 1, log: () => {} },
    admitPeer: () => ({ admitted: true, ...validity }),
    // Hours pass here without a turn of the event loop: that is no silence.
    limits: { pingMs: 1000 * hourMs, silentMs: 1000 * hourMs },
    dial: async () => {
      tries += 1;
      if (isAway) throw new Error('nobody answers');
      const { admitted, peer } = made();
      dialled.push(peer);
      return admitted;
    },
  });
  undo.push(() => tunnel.cut(closeCodes.shutdown, 'the test is over'));
  const accept = (): Peer => {
    const { admitted, peer } = made();
    tunnel.accept(admitted);
    return peer;
  };
  return { tunnel, timers, dialled, accept, tries: () => tries };
}

function peerAt(far: Duplex, of: Role): Peer {
  const isSent = new Set<Frame['type']>();
  const write = (frame: Frame): void => {
    isSent.add(frame.type);
    far.write(encodeFrame(frame));
  };
  const reader = new FrameReader({
    frame: ({ type }) => {
      if (type === 'goAway' && !isSent.has(type)) write({ type });
    },
    ...{ dataHead: () => {}, dataPiece: () => {} },
  });
  far.on('error', () => {}).on('data', (bytes: Buffer) => reader.push(bytes));
  const send = async (frame: Frame): Promise<void> => {
    write(frame);
    await turn();
    await turn();
  };
  const role = of === 'caller' ? 'callee' : 'caller';
  return { send, hello: () => send({ type: 'hello', hello: { role, window: 65_536, maxStreams: 1024 } }) };
}

const dialledAt = (made: World, count: number): Promise<void> =>
  eventually(`attempt ${count}`, () => made.tries() === count);

describe('a clock that is set back', () => {
  it('keeps nobody from dialling for as long', async () => {
    const made = world('caller', { isAway: true });
    await dialledAt(made, 1);
    await turn();
    made.timers.set(-hourMs);
    made.timers.advance(firstBackOffMs);
    await dialledAt(made, 2);
    await turn();
    made.timers.advance(2 * firstBackOffMs);
    await turn();
    expect(made.tries()).toBe(3);
    const open = made.tunnel.open(never).catch(() => 'late');
    await turn();
    made.timers.advance(leastDialMs);
    await turn();
    expect(made.tries()).toBe(4);
    made.timers.advance(mostBackOffMs);
    expect(await open).toBe('late');
  });

  it('makes a callee no more patient than it is', async () => {
    const made = world('callee', { patienceMs: 20_000, isAway: true });
    made.timers.set(-hourMs);
    for (const attempt of [1, 2]) {
      made.timers.advance(20_000);
      await dialledAt(made, attempt);
      await turn();
    }
  });
});

describe('certificates that nobody renews', () => {
  it('are looked for by a few handshakes, and not by one each minute', async () => {
    const made = world('caller');
    await dialledAt(made, 1);
    await made.dialled[0]!.hello();
    let answered = 1;
    made.timers.advance(17 * hourMs);
    // Each attempt is answered before the next step.
    const stepMs = leastLifeMs / 6;
    for (let atMs = 17 * hourMs; atMs < 24 * hourMs - stepMs; atMs += stepMs) {
      made.timers.advance(stepMs);
      await turn();
      for (; answered < made.dialled.length; answered += 1) await made.dialled[answered]!.hello();
    }
    expect(made.tunnel.isUp).toBe(true);
    expect(made.tries()).toBeLessThan(16);
    expect(made.tries()).toBeGreaterThan(3);
  });
});

describe('of two sessions, each dialled by one side,', () => {
  it('the one that the caller has chosen is replaced by the callee that dialled it, whatever the other still carries', async () => {
    const made = world('callee', { patienceMs: 20_000 });
    made.timers.advance(20_000);
    await dialledAt(made, 1);
    const own = made.dialled[0]!;
    await own.hello();
    const other = made.accept();
    await other.hello();
    // The caller has seen them come up the other way round.
    await other.send({ type: 'open', stream: 1, kind: 'datagrams' });
    await other.send({ type: 'goAway' });
    made.timers.advance(10 * 60_000);
    await turn();
    expect(made.tries()).toBe(1);
    made.timers.advance(18 * hourMs);
    await dialledAt(made, 2);
  });

  it('the end of the chosen one is seen at once, though the other drains', async () => {
    const made = world('caller');
    const theirs = made.accept();
    await dialledAt(made, 1);
    const own = made.dialled[0]!;
    await own.hello();
    const stream = await made.tunnel.open(never);
    stream.on('error', () => {});
    await theirs.hello();
    expect(made.tunnel.sessions.map(({ isTaking }) => isTaking)).toEqual([true, false]);
    await theirs.send({ type: 'close', code: closeCodes.shutdown, text: '' });
    expect(made.tunnel.isUp).toBe(false);
    made.timers.advance(firstBackOffMs);
    await dialledAt(made, 2);
  });
});
