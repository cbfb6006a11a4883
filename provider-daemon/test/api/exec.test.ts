import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ProviderConnectionError, ProviderRefusal } from '@mu/client/provider/errors';
import { exchange } from '@mu/client/provider/exchange';
import { decodeFrame, encodeFrame, maxFrameBytes } from '@mu/client/provider/exec-frames';
import { type ExecConnection, openExec } from '@mu/client/provider/provider-client';
import { execSessionLimits } from '../../src/api/exec-sessions.ts';
import { type ExecRequest, type ExecSession, WorkloadError } from '../../src/workloads/driver.ts';
import { createWorld, type World } from './fixture.ts';

/** A command of the test's own. */
class FakeSession implements ExecSession {
  readonly seen: string[] = [];
  readonly output: ExecSession['output'];
  readonly exitCode: Promise<number>;
  readonly closed = Promise.withResolvers<void>();
  readonly #exit = Promise.withResolvers<number>();
  readonly #chunks: { stream: 'stdout' | 'stderr'; chunk: Uint8Array }[] = [];
  #wake: () => void = () => undefined;
  #over = false;

  constructor() {
    this.exitCode = this.#exit.promise;
    this.output = this.#read();
  }

  say(stream: 'stdout' | 'stderr', text: string | Uint8Array): void {
    this.#chunks.push({ stream, chunk: Buffer.from(text) });
    this.#wake();
  }

  finish(code: number): void {
    this.#exit.resolve(code);
    this.#over = true;
    this.#wake();
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.seen.push(Buffer.from(chunk).toString());
    this.say('stdout', chunk);
  }

  end(): void {
    this.seen.push('end');
    this.finish(3);
  }

  async resize(columns: number, rows: number): Promise<void> {
    this.seen.push(`${columns}x${rows}`);
  }

  close(): void {
    this.closed.resolve();
    this.finish(137);
  }

  async *#read(): AsyncGenerator<{ stream: 'stdout' | 'stderr'; chunk: Uint8Array }> {
    for (;;) {
      const chunk = this.#chunks.shift();
      if (chunk !== undefined) yield chunk;
      else if (this.#over) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }
}

let world: World;
let sessions: FakeSession[];
let asked: (ExecRequest & { lease: bigint; service: string })[];

const begin = async (limits: { execIdleMs?: number } = {}): Promise<void> => {
  world = await createWorld(limits);
  sessions = [];
  asked = [];
  world.inside.exec = async (lease, service, request) => {
    asked.push({ lease, service, ...request });
    const session = new FakeSession();
    sessions.push(session);
    return session;
  };
};
beforeEach(() => begin());
afterEach(() => world.close());

const run = async (command: readonly string[] = ['sh'], tty = false): Promise<ExecConnection> =>
  openExec(world.at, {
    access: await world.access({ scopes: ['exec'] }),
    lease: 7n,
    service: 'web',
    instance: 2,
    command,
    tty,
  });

async function read(connection: ExecConnection): Promise<string[]> {
  const found: string[] = [];
  for await (const { stream, data } of connection.output) found.push(`${stream} ${Buffer.from(data).toString()}`);
  return found;
}

describe('a command in a container', () => {
  it('is run as it was asked, with its input, output, size and exit code', async () => {
    const connection = await run(['sh', '-c', 'echo "ü & =+"'], true);
    expect(asked).toEqual([
      { lease: 7n, service: 'web', instance: 2, command: ['sh', '-c', 'echo "ü & =+"'], tty: true },
    ]);
    connection.resize(120, 40);
    sessions[0]!.say('stderr', 'warned');
    await connection.write(Buffer.from('typed'));
    connection.end();
    expect(await read(connection)).toEqual(expect.arrayContaining(['stderr warned', 'stdout typed']));
    expect(await connection.exitCode).toBe(3);
    expect(sessions[0]!.seen).toEqual(['120x40', 'typed', 'end']);
  });

  it('gives output above a frame in pieces, whole', async () => {
    const connection = await run();
    const large = Buffer.alloc(3 * maxFrameBytes, 'x');
    sessions[0]!.say('stdout', large);
    sessions[0]!.finish(0);
    let length = 0;
    for await (const { data } of connection.output) length += data.length;
    expect([length, await connection.exitCode]).toEqual([large.length, 0]);
  });

  it('ends when its reader goes', async () => {
    const connection = await run();
    connection.close();
    await sessions[0]!.closed.promise;
    await expect(connection.exitCode).rejects.toBeInstanceOf(ProviderConnectionError);
  });

  it('ends when the server closes, and its reader is told', async () => {
    const connection = await run();
    await Promise.all([world.server.close(), read(connection)]);
    await expect(connection.exitCode).rejects.toThrow(/has ended/);
    await sessions[0]!.closed.promise;
  });

  it('ends when nothing came or went for long', async () => {
    await world.close();
    await begin({ execIdleMs: 50 });
    const connection = await run();
    await expect(connection.exitCode).rejects.toThrow(/nothing came or went/);
    await sessions[0]!.closed.promise;
  });

  it('ends when the access key is taken from the deployment', async () => {
    const { compressedPoint, generateTenantKey } = await import('@mu/client/tenant/p256');
    const key = generateTenantKey();
    world.chain.accessKeys = [{ publicKey: compressedPoint(key), scopes: ['exec'], expiresHeight: 0n }];
    const access = await world.keyAccess(key, { scopes: ['exec'] });
    const options = { access, lease: 7n, service: 'web', instance: 0, command: ['sh'], tty: false };
    const connection = await openExec(world.at, options);
    world.chain.accessKeys = [];
    await expect(connection.exitCode).rejects.toThrow(/the delegation/);
    await sessions[0]!.closed.promise;
  });

  it('is refused beyond the number of a lease, and again possible when one has ended', async () => {
    const open: ExecConnection[] = [];
    for (let i = 0; i < execSessionLimits.perLease; i++) open.push(await run());
    await expect(run()).rejects.toMatchObject({ status: 429, code: 'busy' });
    sessions[0]!.finish(0);
    await read(open[0]!);
    for (let isOpen = false; !isOpen; )
      isOpen = await run().then(
        () => true,
        () => false,
      );
    for (const session of sessions) session.finish(0);
  });

  it.each([
    ['409 cannot_exec', new WorkloadError('invalid', 'f is a function')],
    ['429 busy', new WorkloadError('busy', '8 commands run already')],
    ['503 unavailable', new WorkloadError('failed', 'the engine is away')],
    ['503 unavailable', new Error('a secret of the host')],
  ])('is refused with %s where the driver says so', async (code, error) => {
    world.inside.exec = () => Promise.reject(error);
    const refused = await run().catch((reason: unknown) => reason as ProviderRefusal);
    expect(refused).toBeInstanceOf(ProviderRefusal);
    const { status, code: said, message } = refused as ProviderRefusal;
    expect([`${status} ${said}`, message.includes('secret')]).toEqual([code, false]);
  });

  it('is refused for a lease that is over, without an upgrade, too long, or at another path', async () => {
    world.chain.live = false;
    await expect(run()).rejects.toMatchObject({ code: 'cannot_exec' });
    world.chain.live = true;
    const access = await world.access({ scopes: ['exec'] });
    const path = '/v1/leases/7/exec?service=web&command=sh';
    await expect(exchange(world.at, { method: 'GET', path, access })).rejects.toMatchObject({
      code: 'upgrade_required',
    });
    const empty = exchange(world.at, { method: 'GET', path: '/v1/leases/7/exec?service=web', access });
    await expect(empty).rejects.toMatchObject({ code: 'bad_request' });
    await expect(run(['x'.repeat(3_000)])).rejects.toThrow(/too long/);
    expect(sessions).toEqual([]);
  });
});

describe('frames', () => {
  it('are read as they were written, and what is none is nothing', () => {
    for (const frame of [
      { channel: 'stdin', data: Buffer.from('a') },
      { channel: 'stdout', data: Buffer.from('') },
      { channel: 'resize', columns: 65_535, rows: 1 },
      { channel: 'exit', code: -1 },
      { channel: 'trouble', text: 'ü' },
    ] as const) {
      expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
    }
    for (const bytes of [[], [9], [3, 1], [4, 0, 0]]) expect(decodeFrame(Uint8Array.from(bytes))).toBeUndefined();
  });
});
