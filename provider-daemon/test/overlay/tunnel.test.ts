import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import { closeCodes } from '../../src/overlay/frames.ts';
import { RenewalProofs } from '../../src/overlay/renewal.ts';
import { Tunnel } from '../../src/overlay/tunnel.ts';
import { type AdmittedSocket, tunnelLimits } from '../../src/overlay/tunnel-options.ts';
import { eventually } from '../network/support/eventually.ts';
import { ManualTimers } from './support/manual-timers.ts';
import { instance, undo, undoAll } from './support/sessions.ts';

afterEach(undoAll);

const never = new AbortController().signal;
const hourMs = 3_600_000;
const { firstBackOffMs, leastDialMs, mostBackOffMs } = tunnelLimits;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Certificates hold for a day from now on; what they are is not looked at here. */
const admission = (timers: ManualTimers) =>
  ({ admitted: true, notBeforeMs: timers.now(), notAfterMs: timers.now() + 24 * hourMs }) as const;
const admittedOver = (socket: Duplex, timers: ManualTimers): AdmittedSocket => ({
  ...{ socket, chain: [], peer: admission(timers), own: { ...admission(timers), der: new Uint8Array() } },
  proofs: new RenewalProofs(Buffer.alloc(32), true),
});

interface World {
  readonly caller: Tunnel;
  readonly callee: Tunnel;
  readonly timers: ManualTimers;
  readonly log: string[];
  readonly dials: AdmittedSocket[];
  /** From now on dialling fails with these words. */
  refuse: string | undefined;
  /** With each attempt. */
  onDial?: () => void;
}

/** The caller dials; certificates hold for a day from then on. */
async function world(serve: Parameters<typeof instance>[0] = (socket) => socket.pipe(socket)): Promise<World> {
  const [timers, log, dials]: [ManualTimers, string[], AdmittedSocket[]] = [new ManualTimers(), [], []];
  const streams = new InstanceRoute([{ address: '127.0.0.1', port: await instance(serve) }]);
  // Hours pass here without a turn of the event loop: that is no silence.
  const limits = { pingMs: 1000 * hourMs, silentMs: 1000 * hourMs };
  const admitPeer = () => admission(timers);
  const common = { timers, limits, admitPeer, random: () => 1, log: (line: string) => log.push(line) };
  const callee = new Tunnel({ ...common, name: 'callee', role: 'callee', streams });
  const state: Pick<World, 'refuse' | 'onDial'> = { refuse: undefined };
  const dial = async (): Promise<AdmittedSocket> => {
    state.onDial?.();
    if (state.refuse !== undefined) throw new Error(state.refuse);
    const [near, far] = duplexPair();
    callee.accept(admittedOver(far, timers));
    dials.push(admittedOver(near, timers));
    return dials.at(-1)!;
  };
  const caller = new Tunnel({ ...common, name: 'caller', role: 'caller', dial });
  undo.push(() => {
    caller.cut(closeCodes.shutdown, 'the test is over');
    callee.cut(closeCodes.shutdown, 'the test is over');
  });
  return Object.assign(state, { caller, callee, timers, log, dials });
}

async function up(): Promise<World> {
  const made = await world();
  await eventually('the tunnel', () => made.caller.isUp && made.callee.isUp);
  return made;
}

async function ask(tunnel: Tunnel, question: string): Promise<string> {
  const stream = await tunnel.open(never);
  stream.end(question);
  return text(stream);
}

describe('a tunnel', () => {
  it('dials by itself, and streams wait for it a little', async () => {
    const { caller, dials } = await world();
    expect(caller.isUp).toBe(false);
    expect(await ask(caller, 'early')).toBe('early');
    expect(dials).toHaveLength(1);
  });

  it('carries many streams without another handshake', async () => {
    const { caller, dials } = await up();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => ask(caller, String(at))));
    expect(answers).toEqual(Array.from({ length: 50 }, (_, at) => String(at)));
    expect(dials).toHaveLength(1);
  });

  it('is replaced when three quarters of its life are over, and loses no stream', async () => {
    const { caller, callee, timers, dials } = await up();
    const old = await caller.open(never);
    old.write('before ');
    await once(old, 'readable');
    const [first] = caller.sessions;
    timers.advance(18 * hourMs - 1);
    expect(dials).toHaveLength(1);
    timers.advance(1);
    await eventually('the next session', () => dials.length === 2 && caller.sessions[1]?.isUp === true);
    expect(await ask(caller, 'new')).toBe('new');
    expect(first!.counters().opened).toBe(1);
    await eventually('the go-away', () => !first!.isTaking);
    old.end('and after');
    expect(await text(old)).toBe('before and after');
    await eventually('the end of the old one', () => caller.sessions.length === 1 && callee.sessions.length === 1);
    expect(caller.isUp).toBe(true);
  });

  it('is cut with its certificate, where nothing replaces it', async () => {
    const world = await up();
    const stream = await world.caller.open(never);
    const broken = once(stream, 'error');
    world.refuse = 'no way there';
    world.timers.advance(24 * hourMs - 1);
    await turn();
    expect(stream.destroyed).toBe(false);
    world.timers.advance(1);
    expect(((await broken) as [Error])[0].message).toMatch(/certificate of the tunnel has expired/);
    expect(world.caller.isUp).toBe(false);
    expect(world.log.some((line) => line.endsWith('no way there'))).toBe(true);
  });

  it('dials again after a break, at longer and longer intervals', async () => {
    const world = await up();
    world.refuse = 'connection refused';
    world.dials[0]!.socket.destroy();
    await eventually('the break', () => !world.caller.isUp);
    const failed = () => world.log.filter((line) => line === 'tunnel caller: connection refused').length;
    const counts: number[] = [];
    for (const waitMs of [499, 1, 999, 1, 1999, 1]) {
      world.timers.advance(waitMs);
      await turn();
      counts.push(failed());
    }
    expect(counts).toEqual([0, 1, 1, 2, 2, 3]);
    world.refuse = undefined;
    world.timers.advance(4000);
    await eventually('the tunnel', () => world.caller.isUp);
    expect(await ask(world.caller, 'again')).toBe('again');
  });

  it('tells streams that wait too long, and those that nobody waits for', async () => {
    const world = await up();
    world.refuse = 'connection refused';
    world.dials[0]!.socket.destroy();
    await eventually('the break', () => !world.caller.isUp);
    const late = expect(world.caller.open(never)).rejects.toThrow(/down for 5000 ms/);
    const leaving = new AbortController();
    const left = expect(world.caller.open(leaving.signal)).rejects.toThrow(/nobody waits/);
    leaving.abort();
    await left;
    world.timers.advance(5000);
    await late;
  });

  it('keeps four sessions at most, whatever the peer dials', async () => {
    const { callee, timers } = await up();
    const [first] = callee.sessions;
    for (let at = 0; at < 6; at += 1) {
      const [socket] = duplexPair();
      callee.accept(admittedOver(socket, timers));
    }
    expect(callee.sessions).toHaveLength(4);
    expect(first!.end?.text).toBe('newer sessions have taken its place');
  });

  it('gives up a dial that gets no answer', async () => {
    const timers = new ManualTimers();
    const signals: AbortSignal[] = [];
    const tunnel = new Tunnel({
      ...{ name: 'x', role: 'caller', timers, random: () => 0, log: () => {}, admitPeer: () => admission(timers) },
      dial: (signal) => {
        signals.push(signal);
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      },
    });
    undo.push(() => tunnel.cut(closeCodes.shutdown, 'the test is over'));
    timers.advance(15_000);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true]);
    await turn();
    timers.advance(500);
    expect(signals).toHaveLength(2);
  });
});

describe('whoever has not been reached for long', () => {
  /** The peer has been away for so long that the next attempt is a minute away. */
  async function away(): Promise<{ world: World; failed: () => number }> {
    const world = await up();
    world.refuse = 'connection refused';
    world.dials[0]!.socket.destroy();
    await eventually('the break', () => !world.caller.isUp);
    let tried = 0;
    world.onDial = () => {
      tried += 1;
    };
    for (let waitMs = firstBackOffMs; waitMs < 2 * mostBackOffMs; waitMs *= 2) {
      world.timers.advance(waitMs);
      await turn();
    }
    world.timers.advance(2 * leastDialMs);
    await turn();
    tried = 0;
    return { world, failed: () => tried };
  }

  it('is dialled at once when a stream waits, and again each second as long as it does', async () => {
    const { world, failed } = await away();
    const waiting = ask(world.caller, 'at last');
    await turn();
    expect(failed()).toBe(1);
    // However many wait, and however often they ask.
    const left = new AbortController();
    const more = Array.from({ length: 20 }, () => world.caller.whenUp(left.signal).catch(() => 'left'));
    world.timers.advance(leastDialMs - 1);
    await turn();
    expect(failed()).toBe(1);
    world.timers.advance(1);
    await turn();
    expect(failed()).toBe(2);
    world.refuse = undefined;
    world.timers.advance(leastDialMs);
    expect(await waiting).toBe('at last');
    expect(await Promise.all(more)).toEqual(Array.from({ length: 20 }, () => undefined));
  });

  it('is dialled for datagrams too, which do not wait', async () => {
    const { world, failed } = await away();
    for (let at = 0; at < 5; at += 1) {
      expect(world.caller.openDatagrams({ message: () => {}, closed: () => {} })).toBeUndefined();
      await turn();
    }
    expect(failed()).toBe(1);
  });

  it('is dialled at once when something new is known of it, and the back-off begins anew', async () => {
    const { world, failed } = await away();
    world.caller.hurry();
    await turn();
    expect(failed()).toBe(1);
    world.timers.advance(firstBackOffMs);
    await turn();
    expect(failed()).toBe(2);
  });

  it('is not dialled any more once it is over, whoever asks', async () => {
    const { world, failed } = await away();
    world.caller.cut(closeCodes.lease_ended, 'over');
    world.caller.hurry();
    await expect(world.caller.open(never)).rejects.toThrow(/over/);
    expect(world.caller.openDatagrams({ message: () => {}, closed: () => {} })).toBeUndefined();
    world.timers.advance(hourMs);
    await turn();
    expect(failed()).toBe(0);
  });
});

describe('the end', () => {
  it('of the lease cuts all at once, and for good', async () => {
    const { caller, callee, timers, dials } = await up();
    const stream = await caller.open(never);
    const broken = once(stream, 'error') as Promise<[Error]>;
    callee.cut(closeCodes.lease_ended, 'lease 5 has ended');
    caller.cut(closeCodes.lease_ended, 'lease 5 has ended');
    expect((await broken)[0].message).toMatch(/lease 5 has ended/);
    await expect(caller.open(never)).rejects.toThrow(/the tunnel is down: lease 5 has ended/);
    timers.advance(48 * hourMs);
    await turn();
    expect(dials).toHaveLength(1);
    const [near] = duplexPair();
    callee.accept(admittedOver(near, timers));
    expect(near.destroyed).toBe(true);
  });

  it('told by the peer alone is known with its reason', async () => {
    const { caller, callee, log } = await up();
    callee.cut(closeCodes.revoked, 'node-1 was removed in block 90');
    await eventually('the word', () => log.includes('tunnel caller: the peer says: node-1 was removed in block 90'));
    expect(caller.isUp).toBe(false);
  });

  it('by draining lets streams finish', async () => {
    const { caller, callee } = await up();
    const stream = await caller.open(never);
    caller.drain();
    await expect(caller.open(never)).rejects.toThrow(/the tunnel ends/);
    stream.end('still');
    expect(await text(stream)).toBe('still');
    await eventually('its end', () => caller.sessions.length === 0 && callee.sessions.length === 0);
  });

  it('is dialled by the patient side where the other finds no way, and replaced by the one that has dialled', async () => {
    const timers = new ManualTimers();
    const dials = { caller: 0, callee: 0 };
    const limits = { pingMs: 1000 * hourMs, silentMs: 1000 * hourMs };
    const common = { timers, limits, random: () => 1, log: () => {}, admitPeer: () => admission(timers) };
    const noWay = async (): Promise<AdmittedSocket> => {
      dials.caller += 1;
      throw new Error('no way there');
    };
    const caller = new Tunnel({ ...common, name: 'caller', role: 'caller', dial: noWay });
    const dial = async (): Promise<AdmittedSocket> => {
      dials.callee += 1;
      const [near, far] = duplexPair();
      caller.accept(admittedOver(far, timers));
      return admittedOver(near, timers);
    };
    const callee = new Tunnel({ ...common, name: 'callee', role: 'callee', patienceMs: 20_000, dial });
    undo.push(() => {
      for (const one of [caller, callee]) one.cut(closeCodes.shutdown, 'the test is over');
    });
    timers.advance(19_999);
    await turn();
    expect(dials.callee).toBe(0);
    timers.advance(1);
    await eventually('the tunnel', () => caller.isUp && callee.isUp);
    const tried = dials.caller;
    timers.advance(18 * hourMs);
    await eventually('the next session', () => dials.callee === 2 && callee.sessions.length === 1 && callee.isUp);
    // While a session of the peer's stands, the caller does not dial.
    expect(dials.caller).toBe(tried);
    caller.sessions[0]!.cut(closeCodes.breach, 'a break');
    await eventually('the break', () => !callee.isUp);
    timers.advance(19_999);
    await turn();
    expect(dials.callee).toBe(2);
    timers.advance(1);
    await eventually('the next one', () => caller.isUp && callee.isUp);
    expect(dials.caller).toBeGreaterThan(tried);
  });

  it('cuts the sessions whose peer may not go on, and dials soon', async () => {
    const { caller, callee, timers, dials } = await up();
    const stream = await caller.open(never);
    const broken = once(stream, 'error');
    caller.review(() => undefined);
    expect(caller.isUp).toBe(true);
    caller.review(() => ({ code: closeCodes.revoked, text: 'the node is gone' }));
    await broken;
    await eventually('the cut', () => !callee.isUp);
    timers.advance(firstBackOffMs - 1);
    caller.hurry();
    await turn();
    // Not more than one attempt a second, whatever is told.
    expect(dials).toHaveLength(1);
    timers.advance(1);
    await eventually('the next one', () => caller.isUp && callee.isUp);
    expect(dials).toHaveLength(2);
    caller.hurry();
    timers.advance(leastDialMs);
    await turn();
    expect(dials).toHaveLength(2);
  });

  it('counts over all its sessions, and never less than before', async () => {
    const { caller, callee, timers } = await up();
    expect(await ask(caller, 'four')).toBe('four');
    caller.sessions[0]!.cut(closeCodes.breach, 'a break');
    await eventually('the break', () => !callee.isUp);
    const counted = { open: 0, opened: 1, failed: 0, sentBytes: 4n, receivedBytes: 4n };
    expect([caller.counters(), callee.counters()]).toMatchObject([counted, counted]);
    timers.advance(500);
    await eventually('the next one', () => caller.isUp && callee.isUp);
    expect(await ask(caller, 'again')).toBe('again');
    expect(caller.counters()).toMatchObject({ opened: 2, sentBytes: 9n, receivedBytes: 9n });
  });

  it('is waited for, as long as streams wait', async () => {
    const { caller, timers } = await up();
    await caller.whenUp(never);
    caller.cut(closeCodes.shutdown, 'over');
    await expect(caller.whenUp(never)).rejects.toThrow(/down: over/);
    const common = { timers, random: () => 1, log: () => {}, admitPeer: () => admission(timers) };
    const patient = new Tunnel({ ...common, name: 'patient', role: 'caller' });
    const late = expect(patient.whenUp(never)).rejects.toThrow(/down for 5000 ms/);
    timers.advance(5000);
    await late;
  });
});
