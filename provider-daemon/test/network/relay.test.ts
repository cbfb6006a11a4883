/** Relays with real sockets on 127.0.0.1. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from '@jest/globals';
import { InstanceRoute } from '../../src/network/instance-route.ts';
import { listenTcp, type Relay, type TcpRelayLimits } from '../../src/network/relay.ts';
import { eventually } from './support/eventually.ts';

const undo: Array<() => unknown> = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

interface Instance {
  readonly address: string;
  readonly port: number;
  readonly sockets: Set<Socket>;
  /** The process has gone: nobody listens, what was open is reset. */
  die(): void;
}

async function instance(serve: (socket: Socket) => void): Promise<Instance> {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as { port: number };
  const die = (): void => {
    server.close();
    for (const socket of sockets) socket.resetAndDestroy();
  };
  undo.push(die);
  return { address: '127.0.0.1', port, sockets, die };
}

async function relayTo(instances: readonly Instance[], limits?: Partial<TcpRelayLimits>): Promise<Relay> {
  const route = new InstanceRoute(instances, 500);
  const relay = await listenTcp({ listen: { address: '127.0.0.1', port: 0 }, route, ...(limits ? { limits } : {}) });
  undo.push(() => relay.close(0));
  return relay;
}

const dial = (relay: Relay): Socket =>
  connect({ host: relay.address, port: relay.port, allowHalfOpen: true }).on('error', () => {});
/** Says who it is, and ends. */
const named = (name: string) => instance((socket) => socket.end(name));
const echo = () => instance((socket) => socket.pipe(socket));

describe('half-close', () => {
  it('of the client: what was sent before its FIN is answered after it', async () => {
    // Answers when all of the request has come, as many programs do.
    const server = await instance((socket) => void text(socket).then((request) => socket.end(request.toUpperCase())));
    const client = dial(await relayTo([server]));
    client.end('question');
    expect(await text(client)).toBe('QUESTION');
  });

  it('of the instance: the client goes on sending after its FIN', async () => {
    let received: Promise<string> | undefined;
    const server = await instance((socket) => {
      socket.end('first and last');
      received = text(socket);
    });
    const client = dial(await relayTo([server]));
    expect(await text(client)).toBe('first and last');
    client.end('still here');
    await eventually('the connection', () => received !== undefined);
    expect(await received).toBe('still here');
  });
});

describe('instances', () => {
  it('take connections in turns', async () => {
    const relay = await relayTo([await named('a'), await named('b'), await named('c')]);
    const answers: string[] = [];
    for (let at = 0; at < 6; at += 1) answers.push(await text(dial(relay)));
    expect(answers).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  it('that are gone are passed over; where none is left the client is reset', async () => {
    const [a, b] = [await named('a'), await named('b')];
    const relay = await relayTo([a, b]);
    a.die();
    expect([await text(dial(relay)), await text(dial(relay))]).toEqual(['b', 'b']);
    b.die();
    await expect(text(dial(relay))).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(relay.counters()).toMatchObject({ accepted: 3, failed: 1 });
  });

  it('that die in the middle reset the client: nothing looks like the end of the data', async () => {
    const server = await echo();
    const client = dial(await relayTo([server]));
    client.write('half');
    await once(client, 'data');
    server.die();
    const [cause] = await once(client, 'error');
    expect(cause).toMatchObject({ code: 'ECONNRESET' });
  });

  it('learn of a client that is reset', async () => {
    const server = await echo();
    const relay = await relayTo([server]);
    const client = dial(relay);
    client.write('half');
    await once(client, 'data');
    const [far] = server.sockets;
    const broken = once(far!, 'error', { signal: AbortSignal.timeout(5000) });
    client.resetAndDestroy();
    expect((await broken)[0]).toMatchObject({ code: 'ECONNRESET' });
    await eventually('nothing is open', () => relay.counters().open === 0);
  });

  it('can be exchanged while others are served', async () => {
    const [a, b] = [await echo(), await named('b')];
    const route = new InstanceRoute([a]);
    const relay = await listenTcp({ listen: { address: '127.0.0.1', port: 0 }, route });
    undo.push(() => relay.close(0));
    const client = dial(relay);
    client.write('x');
    await once(client, 'data');
    route.update([b]);
    expect(await text(dial(relay))).toBe('b');
    client.end('y');
    expect(await text(client)).toBe('y');
  });
});

describe('load', () => {
  it('of 1,000 short connections is carried whole, and nothing stays', async () => {
    const relay = await relayTo([await echo(), await echo()]);
    const one = async (at: number): Promise<string> => {
      const client = dial(relay);
      client.end(`message ${at}`);
      return text(client);
    };
    const answers: string[] = [];
    for (let at = 0; at < 1000; at += 50) {
      answers.push(...(await Promise.all(Array.from({ length: 50 }, (_, step) => one(at + step)))));
    }
    expect(answers).toEqual(Array.from({ length: 1000 }, (_, at) => `message ${at}`));
    await eventually('nothing is open', () => relay.counters().open === 0);
    const bytes = BigInt(answers.join('').length);
    expect(relay.counters()).toEqual({
      open: 0,
      accepted: 1000,
      refused: 0,
      failed: 0,
      receivedBytes: bytes,
      sentBytes: bytes,
    });
  });

  it('of a client that does not read holds the instance back, and comes whole in the end', async () => {
    const total = 64 << 20;
    let written = 0;
    const server = await instance((socket) => {
      const chunk = Buffer.alloc(64 << 10, 'x');
      const more = (): void => {
        while (written < total) {
          written += chunk.length;
          if (!socket.write(chunk)) {
            socket.once('drain', more);
            return;
          }
        }
        socket.end();
      };
      more();
    });
    const relay = await relayTo([server]);
    const client = dial(relay).pause();
    await once(client, 'connect');
    // Until the buffers on the way are full: nothing more is taken.
    let before = -1n;
    let still = 0;
    await eventually('the flow stops', () => {
      const { sentBytes } = relay.counters();
      still = sentBytes > 0n && sentBytes === before ? still + 1 : 0;
      before = sentBytes;
      return still > 2000;
    });
    expect(written).toBeLessThan(total);
    let received = 0;
    for await (const chunk of client as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(total);
    client.end();
    await eventually('nothing is open', () => relay.counters().open === 0);
    expect(relay.counters().sentBytes).toBe(BigInt(total));
  });
});

describe('limits', () => {
  it('of connections: one more is reset, and there is room again when one has gone', async () => {
    const relay = await relayTo([await echo()], { maxConnections: 1 });
    const first = dial(relay);
    first.write('x');
    await once(first, 'data');
    await expect(text(dial(relay))).rejects.toMatchObject({ code: 'ECONNRESET' });
    expect(relay.counters()).toMatchObject({ open: 1, refused: 1 });
    first.end();
    await text(first);
    await eventually('room', () => relay.counters().open === 0);
    const second = dial(relay);
    second.end('again');
    expect(await text(second)).toBe('again');
  });

  it('of silence: an idle connection is reset on both sides', async () => {
    const server = await echo();
    const relay = await relayTo([server], { idleMs: 100 });
    const client = dial(relay);
    client.write('x');
    await once(client, 'data');
    await once(client, 'error', { signal: AbortSignal.timeout(5000) });
    await eventually('the instance is free', () => server.sockets.size === 0 && relay.counters().open === 0);
  });
});

describe('close', () => {
  it('lets what is open finish, and takes nobody more', async () => {
    const relay = await relayTo([await echo()]);
    const client = dial(relay);
    client.write('x');
    await once(client, 'data');
    const closing = relay.close(60_000);
    await expect(text(dial(relay))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    client.end('last words');
    expect(await text(client)).toBe('last words');
    await closing;
    expect(relay.counters().open).toBe(0);
  });

  it('cuts what does not finish in time', async () => {
    const relay = await relayTo([await echo()]);
    const client = dial(relay);
    client.write('x');
    await once(client, 'data');
    const broken = once(client, 'error');
    await relay.close(50);
    expect((await broken)[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(relay.counters().open).toBe(0);
  });
});
