import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type Duplex, duplexPair } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { closeCodes, encodeFrame, encodeHead, frameTypes } from '../../src/overlay/frames.ts';
import { eventually } from '../network/support/eventually.ts';
import { ManualTimers } from './support/manual-timers.ts';
import { instance, sessionOver, sessions, undo, undoAll } from './support/sessions.ts';

afterEach(undoAll);

const never = new AbortController().signal;
const echo = () => instance((socket) => socket.pipe(socket));
const failure = (stream: Duplex): Promise<NodeJS.ErrnoException> =>
  new Promise((resolve) => stream.once('error', resolve));

describe('half-close', () => {
  it('of the caller: what was sent before its end is answered after it', async () => {
    const port = await instance((socket) => void text(socket).then((asked) => socket.end(asked.toUpperCase())));
    const { caller } = await sessions(port);
    const stream = await caller.session.open(never);
    stream.end('question');
    expect(await text(stream)).toBe('QUESTION');
  });

  it('of the instance: the caller goes on sending after its end', async () => {
    let received: Promise<string> | undefined;
    const port = await instance((socket) => {
      socket.end('first and last');
      received = text(socket);
    });
    const { caller, callee } = await sessions(port);
    const stream = await caller.session.open(never);
    expect(await text(stream)).toBe('first and last');
    expect(stream.destroyed).toBe(false);
    stream.end('still here');
    await eventually('the connection', () => received !== undefined);
    expect(await received).toBe('still here');
    await eventually('its end at both sides', () =>
      [caller, callee].every(({ session }) => session.counters().open === 0),
    );
  });
});

describe('bytes', () => {
  it('of 20 MB come whole and in order, both ways at once', async () => {
    const { caller } = await sessions(await echo());
    const stream = await caller.session.open(never);
    const sent = Buffer.alloc(20_000_000);
    for (let at = 0; at < sent.length; at += 4) sent.writeUInt32LE(at, at);
    const got = buffer(stream);
    stream.end(sent);
    expect((await got).equals(sent)).toBe(true);
    const { sentBytes, receivedBytes } = caller.session.counters();
    expect([sentBytes, receivedBytes]).toEqual([20_000_000n, 20_000_000n]);
  });

  it('of many small writes come whole', async () => {
    const { caller } = await sessions(await echo());
    const stream = await caller.session.open(never);
    const got = text(stream);
    for (let at = 0; at < 5000; at += 1) stream.write(`${at},`);
    stream.end();
    expect(await got).toBe(Array.from({ length: 5000 }, (_, at) => `${at},`).join(''));
  });
});

describe('a reader that is slow', () => {
  it('holds back its own stream, in bounded memory, and no other', async () => {
    const { caller, callee } = await sessions(await echo());
    const slow = await caller.session.open(never);
    // Nobody reads what comes back: the instance stops reading, then the caller cannot write.
    const chunk = Buffer.alloc(65_536, 's');
    let accepted = 0;
    slow.on('error', () => {});
    const fill = (): void => {
      while (accepted < 200_000_000) {
        accepted += chunk.length;
        if (!slow.write(chunk)) return;
      }
    };
    slow.on('drain', fill);
    fill();
    const quick = await caller.session.open(never);
    quick.end('not held back');
    expect(await text(quick)).toBe('not held back');
    const quiet = async (): Promise<boolean> => {
      const before = accepted;
      for (let at = 0; at < 50; at += 1) await turn();
      return before === accepted;
    };
    await eventually('the writer waits', quiet);
    // Windows of both directions, and what the kernel and the streams hold between.
    expect(accepted).toBeLessThan(60_000_000);
    expect(slow.readableLength + slow.writableLength).toBeLessThan(1_000_000);
    expect(callee.session.isUp).toBe(true);
    let read = 0;
    slow.on('data', (piece: Buffer) => {
      read += piece.length;
    });
    slow.off('drain', fill);
    slow.end();
    await once(slow, 'end');
    expect(read).toBe(accepted);
  });
});

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('resets', () => {
  it('of the caller reach the instance', async () => {
    let code: string | undefined;
    const port = await instance((socket) => {
      socket.on('error', (error: NodeJS.ErrnoException) => {
        code = error.code;
      });
      socket.write('hello');
    });
    const { caller, callee } = await sessions(port);
    const stream = await caller.session.open(never);
    await once(stream, 'data');
    stream.destroy();
    await eventually('the reset', () => code === 'ECONNRESET');
    await eventually('its end', () => callee.session.counters().open === 0);
    expect([caller.session.isUp, callee.session.isUp]).toEqual([true, true]);
  });

  it('of the instance reach the caller, and are no end of the data', async () => {
    const port = await instance((socket) => {
      socket.write('half');
      socket.once('data', () => socket.resetAndDestroy());
    });
    const { caller } = await sessions(port);
    const stream = await caller.session.open(never);
    await once(stream, 'data');
    const broken = failure(stream);
    let ended = false;
    stream.on('end', () => {
      ended = true;
    });
    stream.write('now');
    expect((await broken).code).toBe('ECONNRESET');
    expect(ended).toBe(false);
  });

  it('say that nobody takes the connection', async () => {
    const { caller, callee } = await sessions(undefined);
    const stream = await caller.session.open(never);
    expect((await failure(stream)).message).toBe('no instance takes the connection');
    expect(callee.session.counters().failed).toBe(1);
  });
});

describe('many streams', () => {
  it('one after another, each of a few bytes', async () => {
    const { caller, callee } = await sessions(await echo());
    for (let at = 0; at < 300; at += 1) {
      const stream = await caller.session.open(never);
      stream.end(String(at));
      expect(await text(stream)).toBe(String(at));
    }
    await eventually('their end', () => callee.session.counters().open === 0);
    expect(callee.session.counters().opened).toBe(300);
  });

  it('at once; one more than the callee takes is refused, and the session stands', async () => {
    const { caller, callee } = await sessions(await echo(), { maxStreams: 200 });
    const all = await Promise.all(Array.from({ length: 200 }, () => caller.session.open(never)));
    await expect(caller.session.open(never)).rejects.toThrow(/as many streams as the peer takes/);
    const answers = all.map((stream, at) => {
      stream.end(String(at));
      return text(stream);
    });
    expect(await Promise.all(answers)).toEqual(all.map((_, at) => String(at)));
    await eventually('their end', () => callee.session.counters().open === 0);
    const again = await caller.session.open(never);
    again.end('again');
    expect(await text(again)).toBe('again');
  });
});

describe('datagrams', () => {
  it('go to one instance and come back to their source', async () => {
    const server = createSocket('udp4', (bytes, from) => server.send(`re: ${bytes}`, from.port, from.address));
    await new Promise<void>((resolve) => server.bind(0, '127.0.0.1', resolve));
    undo.push(() => server.close());
    const { caller, callee } = await sessions(server.address().port);
    const got: string[] = [];
    const flow = caller.session.openDatagrams({ message: (bytes) => got.push(bytes.toString()), closed: () => {} });
    await eventually('an answer', async () => {
      flow!.send(Buffer.from('ping'));
      await turn();
      return got.length > 0;
    });
    expect(got[0]).toBe('re: ping');
    flow!.close();
    await eventually('its end', () => callee.session.counters().open === 0);
  });

  it('are dropped, and counted, where the far side is slow or they are too large', async () => {
    const timers = new ManualTimers();
    // Nobody reads at the other end.
    const [near, far] = duplexPair();
    const { session } = sessionOver(near, 'caller', { timers, limits: { datagramBytes: 20_000 } });
    far.write(encodeFrame({ type: 'hello', hello: { role: 'callee', window: 65_536, maxStreams: 1 } }));
    await eventually('the hello', () => session.isUp);
    const flow = session.openDatagrams({ message: () => {}, closed: () => {} })!;
    flow.send(Buffer.alloc(65_508));
    expect(session.counters().droppedDatagrams).toBe(1);
    for (let at = 0; at < 1000; at += 1) flow.send(Buffer.alloc(1000));
    await turn();
    expect(session.counters().droppedDatagrams).toBeGreaterThan(900);
    expect(near.writableLength).toBeLessThan(25_000);
    expect(session.openDatagrams({ message: () => {}, closed: () => {} })).toBeUndefined();
  });

  it('that nobody takes are told so', async () => {
    const { caller } = await sessions(undefined);
    let closed = false;
    caller.session.openDatagrams({
      message: () => {},
      closed: () => {
        closed = true;
      },
    });
    await eventually('the end', () => closed);
  });
});

describe('the session', () => {
  it('drains: what is open goes on, nothing new is taken, then it is over', async () => {
    const { caller, callee } = await sessions(await echo());
    const stream = await caller.session.open(never);
    stream.write('before');
    await once(stream, 'data');
    callee.session.drain();
    await eventually('the go-away', () => caller.goingAway === 1);
    expect(caller.session.isTaking).toBe(false);
    await expect(caller.session.open(never)).rejects.toThrow(/the tunnel ends/);
    const rest = text(stream);
    stream.end(' and after');
    expect(await rest).toBe(' and after');
    await eventually('its end', () => caller.ends.length === 1 && callee.ends.length === 1);
    expect(caller.ends[0]).toMatchObject({ code: closeCodes.done, text: 'drained' });
  });

  it('that is cut takes its streams with it, and the peer is told why', async () => {
    const { caller, callee } = await sessions(await echo());
    const stream = await caller.session.open(never);
    const broken = failure(stream);
    callee.session.cut(closeCodes.lease_ended, 'the lease 5 has ended');
    expect((await broken).message).toMatch(/the lease 5 has ended/);
    expect(caller.ends).toEqual([{ code: closeCodes.lease_ended, text: 'the lease 5 has ended', byPeer: true }]);
    await expect(caller.session.open(never)).rejects.toThrow(/the tunnel is down: the lease 5 has ended/);
  });

  it('asks a peer that is silent, and cuts one that does not answer', async () => {
    const { caller, callee, timers } = await sessions(await echo());
    timers.advance(20_000);
    await turn();
    await turn();
    // Both have asked and were answered.
    timers.advance(20_000);
    await turn();
    expect([caller.session.isUp, callee.session.isUp]).toEqual([true, true]);
    // Now nothing comes through.
    callee.socket.removeAllListeners('data');
    await turn();
    timers.advance(2000);
    for (let second = 0; second < 45; second += 1) timers.advance(1000);
    expect(caller.ends[0]?.code).toBe(closeCodes.silent);
    expect(caller.ends[0]?.text).toMatch(/nothing came for 4\d000 ms/);
  });

  it('takes a clock that is set for no silence, and no clock for a sign of life', async () => {
    const { caller, callee, timers } = await sessions(await echo());
    timers.set(3_600_000);
    timers.advance(2000);
    expect([caller.ends, callee.ends]).toEqual([[], []]);
    callee.socket.removeAllListeners('data');
    timers.set(-7_200_000);
    for (let second = 0; second < 45; second += 1) timers.advance(1000);
    expect(caller.ends[0]?.text).toMatch(/nothing came for 4\d000 ms/);
  });

  it('waits for a hello for fifteen seconds, also for one that comes byte by byte', async () => {
    const timers = new ManualTimers();
    const [near, far] = duplexPair();
    const { ends } = sessionOver(near, 'caller', { timers });
    const hello = encodeFrame({ type: 'hello', hello: { role: 'callee', window: 65_536, maxStreams: 1 } });
    for (let second = 0; second < 14; second += 1) {
      far.write(hello.subarray(second, second + 1));
      await turn();
      timers.advance(1000);
    }
    expect(ends).toEqual([]);
    timers.advance(1000);
    expect(ends).toEqual([{ code: closeCodes.silent, text: 'no hello within 15000 ms', byPeer: false }]);
  });

  it('cuts a peer that breaks the protocol, and says which rule', async () => {
    const { caller, callee } = await sessions(await echo());
    caller.socket.write(Buffer.concat([encodeHead(frameTypes.data, 1, 9), Buffer.alloc(1)]));
    await eventually('the cut', () => callee.ends.length === 1 && caller.ends.length === 1);
    expect(callee.ends[0]).toEqual({
      ...{ code: closeCodes.breach, byPeer: false },
      text: 'the peer broke the protocol: data of stream 9, which is not open',
    });
    expect(caller.ends[0]).toMatchObject({ code: closeCodes.breach, byPeer: true });
  });

  it('cuts a peer that asks and does not read the answers', async () => {
    const timers = new ManualTimers();
    const [near, far] = duplexPair();
    const limits = { stalledBytes: 10_000, controlPerSecond: 100_000 };
    const { ends } = sessionOver(near, 'callee', { timers, limits });
    far.write(encodeFrame({ type: 'hello', hello: { role: 'caller', window: 65_536, maxStreams: 0 } }));
    const pings = Buffer.concat(Array.from({ length: 3000 }, () => encodeFrame({ type: 'ping', nonce: 1n })));
    far.write(pings);
    await eventually('the cut', () => ends.length === 1);
    expect(ends[0]?.code).toBe(closeCodes.stalled);
  });

  it('ends with its connection', async () => {
    const { caller, callee } = await sessions(await echo());
    const stream = await caller.session.open(never);
    const broken = failure(stream);
    callee.socket.destroy();
    expect((await broken).code).toBe('ECONNRESET');
    await eventually('both ends', () => caller.ends.length === 1 && callee.ends.length === 1);
  });

  it('takes nothing that comes behind the last frame', async () => {
    const { caller, callee } = await sessions(await echo());
    const last = encodeFrame({ type: 'close', code: closeCodes.done, text: 'bye' });
    caller.socket.write(Buffer.concat([last, encodeFrame({ type: 'open', stream: 1, kind: 'stream' })]));
    await eventually('the end', () => callee.ends.length === 1);
    expect(callee.ends[0]).toEqual({ code: closeCodes.done, text: 'bye', byPeer: true });
    await turn();
    const { open, opened } = callee.session.counters();
    expect([open, opened]).toEqual([0, 0]);
  });

  it('opens nothing for a caller who has gone', async () => {
    const { caller } = await sessions(await echo());
    await expect(caller.session.open(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
    expect(caller.session.counters().open).toBe(0);
  });
});
