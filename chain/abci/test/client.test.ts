import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CheckTxType,
  Request,
  RequestFinalizeBlock,
  RequestPrepareProposal,
  Response,
  ResponseCheckTx,
  ResponseFinalizeBlock,
} from 'cosmjs-types/tendermint/abci/types';
import type { Application } from '../src/application.ts';
import { AbciClient, type AbciClientOptions } from '../src/client.ts';
import { AbciConnectionError, AbciException } from '../src/client-connection.ts';
import { FrameReader } from '../src/frame.ts';
import { AbciServer } from '../src/server.ts';
import { Controlled, testApp } from './app.ts';
import { delimited } from './peer.ts';

const folder = mkdtempSync(join(tmpdir(), 'abci-'));
let sockets = 0;
const undo: (() => unknown)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});
afterAll(() => rmSync(folder, { recursive: true }));

async function connected(application: Application, options: AbciClientOptions = {}) {
  const server = new AbciServer(application, { listen: `unix://${join(folder, `${sockets++}.sock`)}` });
  const address = await server.listen();
  undo.push(() => server.close());
  const client = await AbciClient.connect(address, options);
  undo.push(() => client.close());
  return { server, client, address };
}

const tx = (text: string) => ({ tx: Buffer.from(text), type: CheckTxType.NEW });

/** A server that answers what the test says, and keeps replies until Flush as CometBFT's own does. */
async function scripted(
  answer: (request: Request) => Parameters<typeof Response.encode>[0] | Buffer,
  onConnection: (socket: Socket) => void = () => undefined,
) {
  const address = `unix://${join(folder, `${sockets++}.sock`)}`;
  const open: Socket[] = [];
  const server: Server = createServer((socket) => {
    open.push(socket);
    onConnection(socket);
    const frames = new FrameReader();
    const kept: Buffer[] = [];
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      frames.push(chunk);
      for (let frame = frames.next(); frame !== undefined; frame = frames.next()) {
        const request = Request.decode(frame);
        const reply = request.flush === undefined ? answer(request) : { flush: {} };
        kept.push(Buffer.isBuffer(reply) ? reply : delimited(Response.encode(reply).finish()));
        if (request.flush !== undefined) socket.write(Buffer.concat(kept.splice(0)));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(address.slice('unix://'.length), resolve));
  undo.push(() => {
    for (const socket of open) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return address;
}

describe('a client', () => {
  it('is the application it is connected to', async () => {
    const { client, server } = await connected(testApp());
    expect(server.connectionCount).toBe(4);
    expect((await client.echo('hello')).message).toBe('hello');
    const info = await client.info({ version: '0.38.26', blockVersion: 11n, p2pVersion: 8n, abciVersion: '2.0.0' });
    expect(info).toMatchObject({ version: '0.38.26', lastBlockHeight: 7n });
    expect((await client.commit()).retainHeight).toBe(3n);
    expect((await client.listSnapshots()).snapshots).toMatchObject([{ height: 5n, chunks: 2 }]);
    expect((await client.loadSnapshotChunk({ height: 1n, format: 1, chunk: 8 })).chunk).toEqual(Uint8Array.of(8));
    expect((await client.query({ path: '/a', data: Buffer.from('k'), height: 2n, prove: false })).log).toBe('/a');
  });

  it('hands every field of a block over and back', async () => {
    let seen: RequestFinalizeBlock | undefined;
    const response = ResponseFinalizeBlock.fromPartial({
      appHash: Buffer.alloc(32, 7),
      txResults: [
        { code: 5, gasUsed: -1n, events: [{ type: 'e', attributes: [{ key: 'k', value: 'ü', index: true }] }] },
      ],
      validatorUpdates: [{ pubKey: { ed25519: Buffer.alloc(32, 1) }, power: 10n }],
      consensusParamUpdates: { block: { maxBytes: 2n ** 40n, maxGas: -1n } },
    });
    const { client } = await connected(
      testApp({
        finalizeBlock: (request) => {
          seen = request;
          return response;
        },
      }),
    );
    const request: RequestFinalizeBlock = {
      txs: [Uint8Array.of(1), new Uint8Array()],
      decidedLastCommit: {
        round: 2,
        votes: [{ validator: { address: Buffer.alloc(20, 3), power: 4n }, blockIdFlag: 2 }],
      },
      misbehavior: [],
      hash: Buffer.alloc(32, 1),
      height: 2n ** 53n + 1n,
      time: { seconds: -1n, nanos: 5 },
      nextValidatorsHash: Buffer.alloc(32, 2),
      proposerAddress: Buffer.alloc(20, 9),
    };
    const answer = await client.finalizeBlock(request);
    expect(ResponseFinalizeBlock.encode(answer).finish()).toEqual(ResponseFinalizeBlock.encode(response).finish());
    expect(RequestFinalizeBlock.toJSON(seen!)).toEqual(RequestFinalizeBlock.toJSON(request));
  });

  it('has many checks under way and gives each its own answer', async () => {
    const checks = new Controlled<string>();
    const { client } = await connected(
      testApp({
        checkTx: async (request) =>
          ResponseCheckTx.fromPartial({ log: await checks.ask(Buffer.from(request.tx).toString()) }),
      }),
    );
    const answers = Array.from({ length: 100 }, (_, n) => client.checkTx(tx(`tx${n}`)));
    await checks.whenAsked(100);
    for (const { value, answer } of [...checks.asked].reverse()) answer(`answer to ${value}`);
    expect((await Promise.all(answers)).map(({ log }) => log)).toEqual(answers.map((_, n) => `answer to tx${n}`));
  });

  it('gets the exception of a failed call, and goes on where the connection does', async () => {
    const { client } = await connected(
      testApp({
        query: () => {
          throw new Error('no such thing');
        },
      }),
    );
    const query = client.query({ path: '', data: new Uint8Array(), height: 0n, prove: false });
    await expect(query).rejects.toThrow(new AbciException('no such thing'));
    expect((await client.echo('still here')).message).toBe('still here');
  });

  it('is given up when a call of consensus fails, and says so once', async () => {
    const failures: Error[] = [];
    const { client } = await connected(
      testApp({
        commit: () => {
          throw new Error('the disk is full');
        },
      }),
      { onFailure: (error) => failures.push(error) },
    );
    const next = [client.commit(), client.prepareProposal(RequestPrepareProposal.fromPartial({}))].map((call) =>
      call.catch((error: unknown) => error),
    );
    expect(await next[0]).toEqual(new AbciException('the disk is full'));
    expect(await next[1]).toBeInstanceOf(AbciConnectionError);
    await expect(client.checkTx(tx('a'))).rejects.toThrow(AbciConnectionError);
    expect(failures).toHaveLength(1);
    expect(failures[0]?.message).toMatch(/^the consensus connection to unix:.* is lost: the application closed it; /);
  });

  it('rejects all that is outstanding when a connection breaks, with the reason', async () => {
    const checks = new Controlled<string>();
    const { promise: broken, resolve: onFailure } = Promise.withResolvers<AbciConnectionError>();
    const { client, server } = await connected(testApp({ checkTx: async () => (await checks.ask('')) as never }), {
      onFailure,
    });
    const answers = [client.checkTx(tx('a')), client.checkTx(tx('b'))].map((call) =>
      call.catch((error: unknown) => error),
    );
    await checks.whenAsked(2);
    const closing = server.close();
    // The server waits for the checks; the other connections are ended at once.
    expect((await broken).message).toMatch(/ is lost: the application closed it; 0 of its requests had no answer$/);
    for (const answer of answers) expect(await answer).toBeInstanceOf(AbciConnectionError);
    for (const { answer } of checks.asked) answer('');
    await closing;
  });

  it('ends without a failure when it is closed', async () => {
    const failures: Error[] = [];
    const { client, server } = await connected(testApp(), { onFailure: (error) => failures.push(error) });
    client.close();
    await expect(client.commit()).rejects.toThrow('was closed by this side');
    await server.close();
    expect(failures).toEqual([]);
  });

  it('says when nobody listens', async () => {
    await expect(AbciClient.connect(`unix://${folder}/none.sock`, { connectTimeoutMs: 0 })).rejects.toThrow(
      /^no application answers at unix:.*ENOENT/,
    );
  });

  it('waits for an application that starts later', async () => {
    const address = `unix://${join(folder, `${sockets++}.sock`)}`;
    const connecting = AbciClient.connect(address);
    const server = new AbciServer(testApp(), { listen: address });
    await server.listen();
    undo.push(() => server.close());
    const client = await connecting;
    undo.push(() => client.close());
    expect((await client.echo('late')).message).toBe('late');
  });
});

describe('a server that', () => {
  it('keeps its replies until Flush is asked to', async () => {
    const address = await scripted(() => ({ checkTx: ResponseCheckTx.fromPartial({ code: 9 }) }));
    const client = await AbciClient.connect(address);
    undo.push(() => client.close());
    expect((await client.checkTx(tx('a'))).code).toBe(9);
    const both = await Promise.all([client.checkTx(tx('b')), client.checkTx(tx('c'))]);
    expect(both.map(({ code }) => code)).toEqual([9, 9]);
  });

  it.each([
    [
      'answers another question',
      { commit: { retainHeight: 0n } },
      'a reply of field 12 came where field 9 was expected',
    ],
    ['sends damage', Buffer.from([2, 0xff, 0xff]), 'not a message of ABCI'],
    ['sends too much', Buffer.from([0xff, 0xff, 0x7f]), 'a message of 2097151 bytes: at most 1000000 are taken'],
  ])('%s is given up', async (_, reply, reason) => {
    const client = await AbciClient.connect(await scripted(() => reply), { maxMessageBytes: 1_000_000 });
    undo.push(() => client.close());
    await expect(client.checkTx(tx('a'))).rejects.toThrow(reason);
    await expect(client.commit()).rejects.toThrow(AbciConnectionError);
  });

  it('speaks unasked is given up', async () => {
    const { promise, resolve } = Promise.withResolvers<AbciConnectionError>();
    const address = await scripted(
      () => ({}),
      (socket) => socket.write(delimited(Response.encode({ flush: {} }).finish())),
    );
    const client = await AbciClient.connect(address, { onFailure: resolve });
    undo.push(() => client.close());
    expect((await promise).message).toContain('a reply of field 3 came, and nothing was asked');
  });
});
