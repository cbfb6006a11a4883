/** UDP relays with real sockets on 127.0.0.1; the clock of the sessions is the test's. */
import { createSocket, Socket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import type { Relay } from '../../src/network/relay.ts';
import { listenUdp, type UdpRelayLimits } from '../../src/network/udp-relay.ts';
import { eventually } from './support/eventually.ts';

const undo: Array<() => unknown> = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function bound(onMessage?: (socket: Socket, bytes: Buffer, port: number) => void) {
  const socket = createSocket('udp4');
  let open = true;
  const close = (): void => {
    if (open) socket.close();
    open = false;
  };
  undo.push(close);
  if (onMessage) socket.on('message', (bytes, from) => onMessage(socket, bytes, from.port));
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', () => resolve()));
  return { socket, address: '127.0.0.1', port: socket.address().port, close };
}

/** Answers with its name and the question, and remembers from which ports it was asked. */
async function named(name: string) {
  const sources: number[] = [];
  const made = await bound((socket, bytes, port) => {
    sources.push(port);
    socket.send(`${name}:${bytes}`, port, '127.0.0.1');
  });
  return { ...made, sources };
}

interface Clock {
  ms: number;
}

async function relayTo(instances: readonly { address: string; port: number }[], limits: Partial<UdpRelayLimits> = {}) {
  const clock: Clock = { ms: 0 };
  const relay = await listenUdp({
    listen: { address: '127.0.0.1', port: 0 },
    route: new InstanceRoute(instances),
    limits,
    now: () => clock.ms,
  });
  undo.push(() => relay.close(0));
  return { relay, clock };
}

async function ask(socket: Socket, relay: Relay, question: string): Promise<string> {
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(5000) });
  socket.send(question, relay.port, '127.0.0.1');
  return String((await answer)[0]);
}

describe('a session', () => {
  it('is a source’s: all of its datagrams go to one instance, from one port', async () => {
    const [a, b] = [await named('a'), await named('b')];
    const { relay } = await relayTo([a, b]);
    const [first, second] = [(await bound()).socket, (await bound()).socket];
    expect(await ask(first, relay, '1')).toBe('a:1');
    expect(await ask(second, relay, '2')).toBe('b:2');
    expect(await ask(first, relay, '3')).toBe('a:3');
    expect(new Set(a.sources).size).toBe(1);
    expect(relay.counters()).toEqual({
      open: 2,
      accepted: 2,
      refused: 0,
      failed: 0,
      receivedBytes: 3n,
      sentBytes: 9n,
    });
  });

  it('ends when nothing has passed for a while, and not before', async () => {
    const { relay, clock } = await relayTo([await named('a')], { idleMs: 40 });
    const { socket } = await bound();
    await ask(socket, relay, '1');
    clock.ms = 39;
    await ask(socket, relay, '2');
    clock.ms = 78;
    await ask(socket, relay, '3');
    expect(relay.counters()).toMatchObject({ open: 1, accepted: 1 });
    clock.ms = 118;
    await eventually('it ends', () => relay.counters().open === 0);
    await ask(socket, relay, '4');
    expect(relay.counters()).toMatchObject({ open: 1, accepted: 2 });
  });

  it('takes the place of the quietest where there are too many', async () => {
    const { relay } = await relayTo([await named('a')], { maxSessions: 2 });
    const [first, second, third] = [(await bound()).socket, (await bound()).socket, (await bound()).socket];
    await ask(first, relay, '1');
    await ask(second, relay, '2');
    await ask(first, relay, '3');
    await ask(third, relay, '4');
    expect(relay.counters()).toMatchObject({ open: 2, accepted: 3 });
    await ask(first, relay, '5');
    expect(relay.counters()).toMatchObject({ open: 2, accepted: 3 });
    await ask(second, relay, '6');
    expect(relay.counters()).toMatchObject({ open: 2, accepted: 4 });
  });

  it('moves to the next instance where its own is gone', async () => {
    const [a, b] = [await named('a'), await named('b')];
    const { relay } = await relayTo([a, b]);
    const { socket } = await bound();
    expect(await ask(socket, relay, '1')).toBe('a:1');
    a.close();
    socket.send('lost', relay.port, '127.0.0.1');
    await eventually('the session ends', () => relay.counters().open === 0);
    expect(await ask(socket, relay, '2')).toBe('b:2');
  });

  it('is not opened where no instance is ready', async () => {
    const { relay } = await relayTo([]);
    const { socket } = await bound();
    socket.send('x', relay.port, '127.0.0.1');
    await eventually('it is counted', () => relay.counters().failed === 1);
    expect(relay.counters()).toMatchObject({ open: 0, accepted: 0 });
  });
});

it('drops what comes from port 0, to which nothing can be sent: anybody can write such a packet', async () => {
  const instance = await named('a');
  const bind = jest.spyOn(Socket.prototype, 'bind');
  undo.push(() => bind.mockRestore());
  const { relay } = await relayTo([instance]);
  const own = bind.mock.contexts[0] as Socket;
  own.emit('message', Buffer.from('x'), { address: '127.0.0.1', port: 0, family: 'IPv4', size: 1 });
  expect(await ask((await bound()).socket, relay, '1')).toBe('a:1');
  expect(relay.counters()).toMatchObject({ accepted: 1, refused: 1, receivedBytes: 1n, sentBytes: 3n });
});

it('leaves no socket behind where its address is taken', async () => {
  const { port } = await bound();
  const route = new InstanceRoute([]);
  const taken = async () => {
    await expect(listenUdp({ listen: { address: '127.0.0.1', port }, route })).rejects.toThrow('EADDRINUSE');
  };
  await taken();
  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  for (let round = 0; round < 20; round += 1) await taken();
  await eventually('all are closed', () => open() < before + 10);
});

describe('close', () => {
  it('keeps what is open for a while, and drops new sources', async () => {
    const { relay, clock } = await relayTo([await named('a')], { idleMs: 40 });
    const [old, fresh] = [(await bound()).socket, (await bound()).socket];
    await ask(old, relay, '1');
    const closing = relay.close(60_000);
    expect(await ask(old, relay, '2')).toBe('a:2');
    fresh.send('x', relay.port, '127.0.0.1');
    await eventually('it is refused', () => relay.counters().refused === 1);
    clock.ms = 1000;
    await closing;
    expect(relay.counters().open).toBe(0);
  });
});
