import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  Breach,
  encodeFrame,
  encodeHead,
  type Frame,
  frameTypes,
  maxStreamId,
  type Role,
} from '../../src/overlay/frames.ts';
import { Mux } from '../../src/overlay/mux.ts';
import { type MuxEffects, type MuxLimits, maxCreditBytes } from '../../src/overlay/mux-effects.ts';

/** One side: what it has sent and has not arrived, and what has happened to it. */
interface Side {
  readonly mux: Mux;
  readonly sent: Buffer[];
  readonly log: string[];
  /** By stream. */
  readonly got: Map<number, string>;
}

function side(role: Role, limits: Partial<MuxLimits> = {}): Side {
  const [sent, log, got]: [Buffer[], string[], Map<number, string>] = [[], [], new Map()];
  const effects: MuxEffects = {
    send: (frame) => sent.push(frame),
    sendData: (head, payload) => sent.push(head, payload),
    welcomed: (hello) => log.push(`welcomed by ${hello.role}`),
    opened: (id, kind) => log.push(`opened ${id} ${kind}`),
    data: (id, piece) => got.set(id, (got.get(id) ?? '') + piece.toString('latin1')),
    ended: (id) => log.push(`ended ${id}`),
    reset: (id, code, text) => log.push(`reset ${id} ${code} ${text}`),
    credited: (id) => log.push(`credited ${id}`),
    datagram: (id, payload) => log.push(`datagram ${id} ${payload.toString()}`),
    pong: (nonce) => log.push(`pong ${nonce}`),
    renewed: ({ chain }) => log.push(`renewed ${chain.join()}`),
    goingAway: () => log.push('going away'),
    drained: () => log.push('drained'),
    closed: (code, text) => log.push(`closed ${code} ${text}`),
  };
  const mux = new Mux(role, effects, limits);
  mux.start();
  return { mux, sent, log, got };
}

/** All that one side has sent arrives at the other. */
function carry(from: Side, to: Side): void {
  for (const bytes of from.sent.splice(0)) to.mux.receive(bytes);
}

function settle(one: Side, other: Side): void {
  while (one.sent.length + other.sent.length > 0) {
    carry(one, other);
    carry(other, one);
  }
}

function pair(limits: Partial<MuxLimits> = {}): { caller: Side; callee: Side } {
  const [caller, callee] = [side('caller', limits), side('callee', limits)];
  settle(caller, callee);
  for (const { log } of [caller, callee]) log.splice(0);
  return { caller, callee };
}

const window = 65_536;

describe('a session', () => {
  it('begins with both hellos; before that nothing can be opened', () => {
    const [caller, callee] = [side('caller'), side('callee', { maxStreams: 3 })];
    expect(caller.mux.canOpen).toBe(false);
    expect(() => caller.mux.open('stream')).toThrow(/no stream can be opened/);
    carry(callee, caller);
    expect(caller.log).toEqual(['welcomed by callee']);
    expect([caller.mux.canOpen, callee.mux.canOpen]).toEqual([true, false]);
  });

  it('carries the first bytes of a stream without a round trip', () => {
    const { caller, callee } = pair();
    const id = caller.mux.open('stream');
    expect(caller.mux.write(id, Buffer.from('question'))).toBe(8);
    caller.mux.end(id);
    carry(caller, callee);
    expect(callee.log).toEqual(['opened 1 stream', 'ended 1']);
    expect(callee.got.get(1)).toBe('question');
    // The other direction goes on by itself.
    callee.mux.write(id, Buffer.from('answer'));
    callee.mux.end(id);
    carry(callee, caller);
    expect(caller.got.get(1)).toBe('answer');
    expect([caller.mux.openStreams, callee.mux.openStreams]).toEqual([0, 0]);
  });

  it('opens as many streams at once as the callee takes', () => {
    const { caller, callee } = pair({ maxStreams: 2 });
    caller.mux.open('stream');
    const second = caller.mux.open('stream');
    expect(caller.mux.canOpen).toBe(false);
    caller.mux.reset(second, 0, 'done');
    // It is over when the callee has said so.
    expect(caller.mux.canOpen).toBe(false);
    settle(caller, callee);
    expect(caller.mux.canOpen).toBe(true);
    expect(callee.log).toEqual(['opened 1 stream', 'opened 2 stream', 'reset 2 0 done']);
  });

  it('answers pings', () => {
    const { caller, callee } = pair();
    caller.mux.ping(9n);
    settle(caller, callee);
    expect(caller.log).toEqual(['pong 9']);
  });

  it('drains: what is open goes on, then both are done', () => {
    const { caller, callee } = pair();
    const id = caller.mux.open('stream');
    carry(caller, callee);
    callee.mux.goAway();
    // This one was on its way before the caller knew.
    const late = caller.mux.open('stream');
    settle(caller, callee);
    expect(callee.log).toEqual(['opened 1 stream', 'opened 2 stream']);
    expect(caller.log).toEqual(['going away']);
    expect(caller.mux.canOpen).toBe(false);
    for (const one of [id, late]) for (const { mux } of [caller, callee]) mux.end(one);
    settle(caller, callee);
    expect(callee.log.filter((line) => line === 'drained')).toHaveLength(1);
    expect(caller.log.filter((line) => line === 'drained')).toHaveLength(1);
  });
});

describe('windows', () => {
  it('hold one stream back, and no other', () => {
    const { caller, callee } = pair();
    const [slow, quick] = [caller.mux.open('stream'), caller.mux.open('stream')];
    expect(caller.mux.write(slow, Buffer.alloc(200_000))).toBe(window);
    expect(caller.mux.write(slow, Buffer.alloc(200_000))).toBe(0);
    settle(caller, callee);
    expect(caller.mux.credit(slow)).toBe(0);
    expect(caller.mux.write(quick, Buffer.alloc(1000))).toBe(1000);
  });

  it('are granted again once half is read, and grow for a reader that keeps up', () => {
    const { caller, callee } = pair();
    const id = caller.mux.open('stream');
    caller.mux.write(id, Buffer.alloc(window));
    settle(caller, callee);
    callee.mux.consumed(id, window / 2 - 1);
    settle(caller, callee);
    expect(caller.mux.credit(id)).toBe(0);
    // Half is still unread: no more than was read.
    callee.mux.consumed(id, 1);
    settle(caller, callee);
    expect(caller.mux.credit(id)).toBe(window / 2);
    expect(caller.log).toEqual([`credited ${id}`]);
    callee.mux.consumed(id, window / 2);
    settle(caller, callee);
    expect(caller.mux.credit(id)).toBe(2 * window);
  });

  it('grow together by no more than was set aside, which comes back with the end of a stream', () => {
    const { caller, callee } = pair({ growth: window });
    const use = (id: number): number => {
      caller.mux.write(id, Buffer.alloc(window));
      settle(caller, callee);
      callee.mux.consumed(id, window);
      settle(caller, callee);
      return caller.mux.credit(id);
    };
    const [first, second] = [caller.mux.open('stream'), caller.mux.open('stream')];
    expect([use(first), use(second)]).toEqual([2 * window, window]);
    caller.mux.reset(first, 0, '');
    settle(caller, callee);
    expect(use(second)).toBe(2 * window);
  });
});

describe('resets', () => {
  it('cross each other, and ends, and what is on its way', () => {
    const { caller, callee } = pair();
    const id = caller.mux.open('stream');
    settle(caller, callee);
    callee.log.splice(0);
    callee.mux.write(id, Buffer.from('too late'));
    callee.mux.end(id);
    caller.mux.reset(id, 0, 'gone');
    carry(callee, caller);
    expect(caller.got.size).toBe(0);
    settle(caller, callee);
    expect([caller.mux.openStreams, callee.mux.openStreams]).toEqual([0, 0]);
    expect(caller.log).toEqual([]);
    expect(callee.log).toEqual(['reset 1 0 gone']);
  });

  it('and credits may come after the end of their stream', () => {
    const { caller, callee } = pair();
    const id = caller.mux.open('stream');
    caller.mux.write(id, Buffer.alloc(window));
    settle(caller, callee);
    callee.mux.end(id);
    carry(callee, caller);
    callee.mux.consumed(id, window);
    caller.mux.end(id);
    // For the caller it is over; the credit was on its way, and the callee resets what is over there.
    expect(caller.mux.openStreams).toBe(0);
    carry(callee, caller);
    caller.mux.receive(encodeFrame({ type: 'reset', stream: id, code: 0, text: '' }));
    expect(caller.log).toEqual([`ended ${id}`]);
  });
});

describe('datagrams', () => {
  it('go both ways on a stream of theirs, until one side resets it', () => {
    const { caller, callee } = pair();
    const id = caller.mux.open('datagrams');
    caller.mux.datagram(id, Buffer.from('a'));
    carry(caller, callee);
    callee.mux.datagram(id, Buffer.from('b'));
    callee.mux.reset(id, 0, 'over');
    settle(caller, callee);
    expect(callee.log).toEqual([`opened ${id} datagrams`, `datagram ${id} a`]);
    expect(caller.log).toEqual([`datagram ${id} b`, `reset ${id} 0 over`]);
    expect(caller.mux.openStreams).toBe(0);
  });
});

describe('a peer that breaks a rule is cut', () => {
  const frame = (one: Frame) => encodeFrame(one);
  const data = (stream: number, length: number) =>
    Buffer.concat([encodeHead(frameTypes.data, length, stream), Buffer.alloc(length)]);
  const hello = (role: Role, bytes = window) => frame({ type: 'hello', hello: { role, window: bytes, maxStreams: 0 } });
  const open = (stream: number, kind: 'stream' | 'datagrams' = 'stream') => frame({ type: 'open', stream, kind });
  const end = (stream: number) => frame({ type: 'end', stream });
  const reset = (stream: number) => frame({ type: 'reset', stream, code: 0, text: '' });
  const credit = (stream: number, bytes: number) => frame({ type: 'credit', stream, bytes });
  const datagram = (stream: number) => frame({ type: 'datagram', stream, payload: Buffer.alloc(1) });
  const ping = frame({ type: 'ping', nonce: 1n });
  const goAway = frame({ type: 'goAway' });

  it.each<[string, Buffer[], RegExp]>([
    ['no hello', [ping], /before the hello/],
    ['data before the hello', [data(1, 1)], /before the hello/],
    ['a hello of the same role', [hello('callee')], /both sides say that they are the callee/],
    ['a window that is too small', [hello('caller', 100)], /a window of 100 bytes/],
    ['a window that is too large', [hello('caller', maxCreditBytes + 1)], /a window of 16777217 bytes/],
    ['two hellos', [hello('caller'), hello('caller')], /a second hello/],
    ['streams out of turn', [hello('caller'), open(2)], /stream 2 is opened after stream 0/],
    ['a stream twice', [hello('caller'), open(1), open(1)], /stream 1 is opened after stream 1/],
    ['too many streams', [hello('caller'), open(1), open(2), open(3)], /more than 2 streams/],
    ['data of no stream', [hello('caller'), data(1, 1)], /data of stream 1, which is not open/],
    [
      'data beyond the window',
      [hello('caller'), open(1), data(1, window), data(1, 1)],
      /1 bytes on stream 1, of which 0/,
    ],
    ['data after the end', [hello('caller'), open(1), end(1), data(1, 1)], /after its end/],
    ['data after a reset', [hello('caller'), open(1), reset(1), data(1, 1)], /not open/],
    ['two ends', [hello('caller'), open(1), end(1), end(1)], /second end/],
    ['an end of no stream', [hello('caller'), end(1)], /not open/],
    ['a reset of no stream', [hello('caller'), reset(1)], /never opened/],
    ['credit for no stream', [hello('caller'), credit(1, window)], /never opened/],
    ['credit without bounds', [hello('caller'), open(1), credit(1, maxCreditBytes)], /credit of 16842752 bytes/],
    ['data among datagrams', [hello('caller'), open(1, 'datagrams'), data(1, 1)], /carries datagrams/],
    ['an end of datagrams', [hello('caller'), open(1, 'datagrams'), end(1)], /carries datagrams/],
    ['credit for datagrams', [hello('caller'), open(1, 'datagrams'), credit(1, window)], /carries datagrams/],
    ['a datagram among data', [hello('caller'), open(1), datagram(1)], /carries bytes/],
    ['a datagram of no stream', [hello('caller'), datagram(maxStreamId)], /not open/],
    ['an answer to no ping', [hello('caller'), frame({ type: 'pong', nonce: 1n })], /ping that was not sent/],
    ['two go-aways', [hello('caller'), goAway, goAway], /second go-away/],
    ['a stream after the go-away', [hello('caller'), goAway, open(1)], /after the go-away/],
    ['too many pings', [hello('caller'), ...Array.from({ length: 11 }, () => ping)], /more than 10 frames of control/],
    ['too many resets', [hello('caller'), open(1), ...Array.from({ length: 11 }, () => reset(1))], /more than 10/],
    ['credit in crumbs', [hello('caller'), open(1), ...Array.from({ length: 11 }, () => credit(1, 1))], /more than 10/],
  ])('%s', (_, frames, why) => {
    const callee = side('callee', { maxStreams: 2, controlPerSecond: 10 });
    const last = frames.at(-1)!;
    for (const one of frames.slice(0, -1)) callee.mux.receive(one);
    let broken: unknown;
    try {
      callee.mux.receive(last);
    } catch (error) {
      broken = error;
    }
    expect(broken).toBeInstanceOf(Breach);
    expect((broken as Breach).message).toMatch(why);
  });

  it('with a stream that the callee opens', () => {
    const { caller } = pair();
    expect(() => caller.mux.receive(open(1))).toThrow(Breach);
  });

  it('but not one that sends as many frames of control in two seconds', () => {
    const callee = side('callee', { controlPerSecond: 10 });
    callee.mux.receive(hello('caller'));
    for (let second = 0; second < 3; second += 1) {
      for (let at = 0; at < 10; at += 1) callee.mux.receive(ping);
      callee.mux.second();
    }
    expect(callee.sent).toHaveLength(31);
  });
});

/** What a run does next; numbers choose among what is there. */
const steps = fc.array(
  fc.record({
    what: fc.constantFrom('open', 'write', 'end', 'reset', 'read', 'carry', 'goAway', 'ping'),
    who: fc.constantFrom('caller' as const, 'callee' as const),
    which: fc.nat(40),
    size: fc.integer({ min: 1, max: 90_000 }),
  }),
  { maxLength: 80 },
);

describe('whatever two honest sides do', () => {
  it('no rule is broken, bytes come in order and once, and nothing stays behind', () => {
    fc.assert(
      fc.property(steps, (plan) => {
        const sides = pair({ maxStreams: 8, controlPerSecond: 1000 });
        const written = { caller: new Map<number, string>(), callee: new Map<number, string>() };
        const read = { caller: new Map<number, number>(), callee: new Map<number, number>() };
        let letter = 0;
        for (const { what, who, which, size } of plan) {
          const [own, other] = who === 'caller' ? [sides.caller, sides.callee] : [sides.callee, sides.caller];
          const id = which % 10;
          if (what === 'open' && who === 'caller' && own.mux.canOpen) own.mux.open('stream');
          if (what === 'write') {
            letter += 1;
            const text = String.fromCharCode(97 + (letter % 26)).repeat(size);
            const taken = own.mux.write(id, Buffer.from(text));
            written[who].set(id, (written[who].get(id) ?? '') + text.slice(0, taken));
          }
          if (what === 'end') own.mux.end(id);
          if (what === 'reset' && which < 20) own.mux.reset(id, 0, '');
          if (what === 'read') {
            const fresh = (own.got.get(id)?.length ?? 0) - (read[who].get(id) ?? 0);
            own.mux.consumed(id, fresh);
            read[who].set(id, own.got.get(id)?.length ?? 0);
          }
          if (what === 'carry') carry(own, other);
          if (what === 'goAway' && which === 0) own.mux.goAway();
        }
        settle(sides.caller, sides.callee);
        for (const [from, to] of [
          ['caller', 'callee'],
          ['callee', 'caller'],
        ] as const) {
          for (const [id, got] of sides[to].got) expect(written[from].get(id)?.startsWith(got)).toBe(true);
        }
        for (let id = 1; id < 12; id += 1)
          for (const one of ['caller', 'callee'] as const) sides[one].mux.reset(id, 0, '');
        settle(sides.caller, sides.callee);
        expect([sides.caller.mux.openStreams, sides.callee.mux.openStreams]).toEqual([0, 0]);
      }),
      { seed: 11, numRuns: 300 },
    );
  });
});
