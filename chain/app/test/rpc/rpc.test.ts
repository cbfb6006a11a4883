/** The RPC over the wire: unmodified CosmJS, plain fetch and a bare websocket against a running engine. */

import { Comet38Client, HttpClient, WebsocketClient } from '@cosmjs/tendermint-rpc';
import { toBase64, toHex } from '@mu/lib/bytes';
import { headerHash } from '@mu/lib/comet-header';
import WebSocket from 'ws';
import { txHash } from '../../src/engine/block.ts';
import { type RpcOptions, type RunningRpc, startRpc } from '../../src/rpc/server.ts';
import { bytes, Home, type Node } from '../engine/harness.ts';

let home: Home;
let node: Node;
let rpc: RunningRpc;

async function listening(options: Partial<RpcOptions> = {}): Promise<void> {
  rpc = await startRpc({ engine: node.engine, listen: 'tcp://127.0.0.1:0', nodeId: 'ab'.repeat(20), ...options });
}

beforeEach(async () => {
  home = new Home();
  node = await home.started();
});
afterEach(async () => {
  await rpc.close();
  await home.remove();
});

/** Lets other events happen until the condition holds, or so many of them have that it never will. */
async function turnsUntil(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 100_000 && !holds(); turn++) await new Promise((resolve) => setImmediate(resolve));
}

async function post(body: unknown): Promise<Response> {
  return fetch(rpc.url, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) });
}

async function call(method: string, params: unknown = {}): Promise<Record<string, unknown>> {
  return (await (await post({ jsonrpc: '2.0', id: 7, method, params })).json()) as Record<string, unknown>;
}

async function get(path: string): Promise<{ status: number; json: Record<string, unknown>; cache: string | null }> {
  const response = await fetch(`${rpc.url}${path}`);
  const json = (await response.json()) as Record<string, unknown>;
  return { status: response.status, json, cache: response.headers.get('cache-control') };
}

describe('CosmJS over HTTP', () => {
  let client: Comet38Client;
  beforeEach(async () => {
    await listening();
    client = Comet38Client.create(new HttpClient(rpc.url));
  });

  test('status and health', async () => {
    await node.engine.advance(2);
    const { nodeInfo, syncInfo, validatorInfo } = await client.status();
    expect(nodeInfo.version).toBe('0.38.26');
    expect(nodeInfo.network).toBe('kv-1');
    expect(nodeInfo.other.get('tx_index')).toBe('on');
    expect(nodeInfo.other.get('rpc_address')).toBe(`tcp://127.0.0.1:${rpc.port}`);
    expect(syncInfo).toMatchObject({ latestBlockHeight: 2, earliestBlockHeight: 1, catchingUp: false });
    expect(validatorInfo.votingPower).toBe(10n);
    expect(await client.health()).toBeNull();
    expect(await client.numUnconfirmedTxs()).toEqual({ total: 0, totalBytes: 0 });
  });

  test('a transaction from broadcast to search', async () => {
    const tx = bytes('a=1');
    const sent = await client.broadcastTxSync({ tx });
    expect(sent).toMatchObject({ code: 0, hash: txHash(tx) });
    await expect(client.tx({ hash: txHash(tx) })).rejects.toThrow(`tx (${toHex(txHash(tx)).toUpperCase()}) not found`);
    await client.broadcastTxAsync({ tx: bytes('b=2') });
    await node.engine.advance(1);
    const found = await client.tx({ hash: txHash(tx), prove: true });
    expect(found).toMatchObject({ height: 1, index: 0, tx });
    expect(found.result).toMatchObject({ code: 0, data: bytes('1'), gasUsed: 1n });
    const { block } = await client.block(1);
    expect(found.proof!.rootHash).toEqual(block.header.dataHash);
    expect(block.lastCommit).toBeNull();
    const { txs, totalCount } = await client.txSearchAll({ query: 'tx.height=1' });
    expect(totalCount).toBe(2);
    expect(txs.map((each) => Buffer.from(each.tx).toString())).toEqual(['a=1', 'b=2']);
    const byHash = await client.txSearchAll({ query: `tx.hash='${toHex(txHash(tx)).toUpperCase()}'` });
    expect(byHash.txs[0]).toMatchObject({ height: 1 });
    const results = await client.blockResults(1);
    expect(results.results).toHaveLength(2);
    expect(results.finalizeBlockEvents[0]!.attributes).toContainEqual({ key: 'parity', value: 'odd' });
  });

  test('blocks, commits, validators and what links them', async () => {
    await node.engine.advance(3);
    const { block, blockId } = await client.block(2);
    expect(blockId.hash).toEqual(headerHash(node.engine.store.block(2n)!.header));
    const { header, commit, canonical } = await client.commit(2);
    expect(canonical).toBe(true);
    expect(header).toEqual(block.header);
    expect(commit.blockId).toEqual(blockId);
    expect((await client.commit()).canonical).toBe(false);
    const { blockMetas, lastHeight } = await client.blockchain(1, 2);
    expect(lastHeight).toBe(3);
    expect(blockMetas.map(({ header: { height } }) => height)).toEqual([2, 1]);
    const { validators } = await client.validators({ height: 2 });
    expect(validators[0]).toMatchObject({ votingPower: 10n, address: node.engine.validator.address });
    expect((await client.validatorsAll()).total).toBe(1);
    expect((await client.genesis()).chainId).toBe('kv-1');
    const found = await client.blockSearch({ query: "block.parity = 'odd'" });
    expect(found.blocks.map(({ block: { header: each } }) => each.height)).toEqual([1, 3]);
  });

  test('the application', async () => {
    await client.broadcastTxSync({ tx: bytes('k=v') });
    await node.engine.advance(1);
    const { value, height } = await client.abciQuery({ path: '/key', data: bytes('k') });
    expect([Buffer.from(value).toString(), height]).toEqual(['v', 1]);
    expect(await client.abciQuery({ path: '/none', data: bytes('k') })).toMatchObject({ code: 6, codespace: 'sdk' });
    expect(await client.abciInfo()).toMatchObject({ data: 'kv', lastBlockHeight: 1 });
  });

  test('broadcast_tx_commit waits for the block', async () => {
    const committing = client.broadcastTxCommit({ tx: bytes('c=3') });
    await turnsUntil(() => node.engine.mempool.size > 0);
    await node.engine.advance(1);
    expect(await committing).toMatchObject({ height: 1, checkTx: { code: 0 }, txResult: { code: 0 } });
    const refused = await client.broadcastTxCommit({ tx: bytes('no equals') });
    expect(refused).toMatchObject({ height: 0, checkTx: { code: 2, codespace: 'kv' } });
  });
});

describe('CosmJS over the websocket', () => {
  let socket: WebsocketClient;
  beforeEach(async () => {
    await listening();
    socket = new WebsocketClient(rpc.url.replace('http', 'ws'));
  });
  // CosmJS 0.39 connects again even after disconnect(), for ever: that would keep the process alive.
  afterEach(() => {
    const reconnecting = Reflect.get(socket, 'socket') as { socket: { reconnect: () => void } };
    reconnecting.socket.reconnect = () => undefined;
    socket.disconnect();
  });

  test('calls and subscriptions', async () => {
    await node.engine.advance(1);
    const client = Comet38Client.create(socket);
    expect((await client.status()).nodeInfo.network).toBe('kv-1');
    const seen: string[] = [];
    const { promise: enough, resolve } = Promise.withResolvers<void>();
    const listen = { error: () => undefined, complete: () => undefined };
    const note = (text: string): void => {
      seen.push(text);
      if (seen.length === 5) resolve();
    };
    const subscriptions = [
      client.subscribeNewBlock().subscribe({ ...listen, next: ({ header }) => note(`block ${header.height}`) }),
      client.subscribeNewBlockHeader().subscribe({ ...listen, next: ({ height }) => note(`header ${height}`) }),
      client.subscribeTx("set.key='a'").subscribe({
        ...listen,
        next: ({ height, tx }) => note(`tx ${height} ${Buffer.from(tx).toString()}`),
      }),
    ];
    // A call on the same connection is answered after the subscriptions.
    await client.broadcastTxSync({ tx: bytes('a=1') });
    await client.broadcastTxSync({ tx: bytes('b=1') });
    await node.engine.advance(2);
    await enough;
    expect(seen).toEqual(['block 2', 'header 2', 'tx 2 a=1', 'block 3', 'header 3']);
    for (const subscription of subscriptions) subscription.unsubscribe();
    await turnsUntil(() => node.engine.bus.clientCount === 0);
    expect(node.engine.bus.clientCount).toBe(0);
  });
});

describe('the websocket, byte by byte', () => {
  class Peer {
    readonly messages: Record<string, unknown>[] = [];
    readonly socket: WebSocket;
    #wake: () => void = () => undefined;
    constructor(url: string) {
      this.socket = new WebSocket(`${url.replace('http', 'ws')}/websocket`);
      this.socket.on('message', (data) => {
        this.messages.push(JSON.parse(data.toString()));
        this.#wake();
      });
    }
    async ask(id: unknown, method: string, params: unknown = {}): Promise<Record<string, unknown>> {
      if (this.socket.readyState !== WebSocket.OPEN) await new Promise((resolve) => this.socket.once('open', resolve));
      this.socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
      return this.next();
    }
    async next(): Promise<Record<string, unknown>> {
      while (this.messages.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      return this.messages.shift()!;
    }
  }

  test('an empty answer first, then events with the same id', async () => {
    await listening();
    const peer = new Peer(rpc.url);
    const query = "tm.event='Tx' AND set.value CONTAINS 'x'";
    expect(await peer.ask('mine', 'subscribe', { query })).toEqual({ jsonrpc: '2.0', id: 'mine', result: {} });
    await node.engine.checkTx(bytes('a=yxz'));
    await node.engine.advance(1);
    const event = (await peer.next()) as { id: string; result: Record<string, Record<string, unknown>> };
    expect(event.id).toBe('mine');
    expect(event.result['query']).toBe(query);
    expect(event.result['data']!['type']).toBe('tendermint/event/Tx');
    expect(event.result['events']).toEqual({
      'set.key': ['a', 'second'],
      'set.value': ['yxz', 'other'],
      'tm.event': ['Tx'],
      'tx.hash': [toHex(txHash(bytes('a=yxz'))).toUpperCase()],
      'tx.height': ['1'],
    });
    expect(await peer.ask(2, 'unsubscribe', [query])).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
    expect(await peer.ask(3, 'unsubscribe', { query })).toMatchObject({ error: { data: 'subscription not found' } });
    peer.socket.close();
  });

  test('limits and refusals', async () => {
    await listening({ subscriptions: { clients: 1, perClient: 2 } });
    const peer = new Peer(rpc.url);
    const other = new Peer(rpc.url);
    const internal = { code: -32603, message: 'Internal error' };
    await peer.ask(1, 'subscribe', { query: 'a.b=1' });
    expect(await peer.ask(2, 'subscribe', { query: 'a.b = 1' })).toEqual({
      jsonrpc: '2.0',
      id: 2,
      error: { ...internal, data: 'already subscribed' },
    });
    await peer.ask(3, 'subscribe', { query: 'a.b=2' });
    expect(await peer.ask(4, 'subscribe', { query: 'a.b=3' })).toMatchObject({
      error: { ...internal, data: 'max_subscriptions_per_client 2 reached' },
    });
    expect(await other.ask(5, 'subscribe', { query: 'a.b=3' })).toMatchObject({
      error: { ...internal, data: 'max_subscription_clients 1 reached' },
    });
    expect(await peer.ask(6, 'unsubscribe_all')).toMatchObject({ id: 6, result: {} });
    expect(await other.ask(7, 'subscribe', { query: 'a.b ==' })).toMatchObject({
      error: { data: expect.stringContaining('failed to parse query: offset 5: got = operator') },
    });
    expect(await other.ask(8, 'subscribe', { query: 'a'.repeat(513) })).toMatchObject({
      error: { data: 'maximum query length exceeded' },
    });
    expect(await other.ask(9, 'nothing')).toMatchObject({ error: { code: -32601 } });
    other.socket.send('{');
    expect(await other.next()).toMatchObject({ error: { code: -32700 } });
    peer.socket.close();
    other.socket.close();
  });

  test('a connection that ends takes its subscriptions with it', async () => {
    await listening();
    const peer = new Peer(rpc.url);
    await peer.ask(1, 'subscribe', { query: 'a.b=1' });
    expect(node.engine.bus.clientCount).toBe(1);
    peer.socket.close();
    await new Promise((resolve) => peer.socket.once('close', resolve));
    await turnsUntil(() => node.engine.bus.clientCount === 0);
    expect(node.engine.bus.clientCount).toBe(0);
  });
});

describe('JSON-RPC', () => {
  beforeEach(() => listening());

  test('parameters as object, array, numbers and texts', async () => {
    await node.engine.advance(2);
    for (const params of [{ height: '2' }, { height: 2 }, ['2']]) {
      const { result } = (await call('header', params)) as { result: { header: { height: string } } };
      expect(result.header.height).toBe('2');
    }
    expect(await call('header', ['1', '2'])).toMatchObject({
      error: { code: -32602, data: expect.stringContaining('expected 1 parameters ([height]), got 2') },
    });
    expect(await call('header', { height: 'two' })).toMatchObject({ error: { code: -32602 } });
    expect(await call('header', { height: 1.5 })).toMatchObject({ error: { code: -32602 } });
    expect(await call('tx', { hash: 'not base64!' })).toMatchObject({ error: { code: -32602 } });
  });

  test('errors with the codes and texts of CometBFT', async () => {
    await node.engine.advance(2);
    const errors: [string, unknown, string][] = [
      ['block', { height: '9' }, 'height 9 must be less than or equal to the current blockchain height 2'],
      ['block', { height: '0' }, 'height must be greater than 0, but got 0'],
      ['validators', { page: '2' }, 'page should be within [1, 1] range, given 2'],
      ['blockchain', { minHeight: '2', maxHeight: '1' }, "min height 2 can't be greater than max height 1"],
      ['tx_search', { query: '' }, 'offset 0: EOF'],
      ['tx_search', { query: 'a.b=1', order_by: 'up' }, 'expected order_by to be either `asc` or `desc` or empty'],
      ['tx', { hash: '' }, 'transaction hash cannot be empty'],
      ['genesis_chunked', { chunk: '1' }, 'there are 0 chunks, 1 is invalid'],
      ['broadcast_evidence', {}, 'no evidence was provided'],
      ['block_search', { query: `a.b='${'x'.repeat(600)}'` }, 'maximum query length exceeded'],
    ];
    for (const [method, params, data] of errors) {
      expect(await call(method, params)).toEqual({
        jsonrpc: '2.0',
        id: 7,
        error: { code: -32603, message: 'Internal error', data },
      });
    }
    expect(await call('broadcast_evidence', { evidence: {} })).toMatchObject({ error: { code: -32603 } });
    expect(await call('nothing')).toEqual({
      jsonrpc: '2.0',
      id: 7,
      error: { code: -32601, message: 'Method not found' },
    });
    expect(await call('constructor')).toMatchObject({ error: { code: -32601 } });
    expect(await call('subscribe', { query: 'a.b=1' })).toMatchObject({ error: { code: -32601 } });
  });

  test('what the mempool refuses', async () => {
    const tx = toBase64(bytes('a=1'));
    expect(await call('broadcast_tx_sync', { tx })).toMatchObject({ result: { code: 0 } });
    expect(await call('broadcast_tx_sync', { tx })).toMatchObject({
      error: { code: -32603, data: 'tx already exists in cache' },
    });
    const refused = await call('broadcast_tx_sync', { tx: toBase64(bytes('no')) });
    expect(refused).toMatchObject({ result: { code: 2, codespace: 'kv', log: 'no = in <tx>' } });
    expect(await call('unconfirmed_txs')).toMatchObject({ result: { n_txs: '1', total_bytes: '3', txs: [tx] } });
  });

  test('batches answer by id, notifications not at all', async () => {
    const one = { jsonrpc: '2.0', method: 'health', params: {} };
    const batch = await post([{ ...one, id: 'a' }, one, { ...one, id: 2.7 }]);
    expect(await batch.json()).toEqual([
      { jsonrpc: '2.0', id: 'a', result: {} },
      { jsonrpc: '2.0', id: 2, result: {} },
    ]);
    expect(await (await post(one)).text()).toBe('');
    expect(await (await post([{ ...one, id: 1 }])).json()).toEqual({ jsonrpc: '2.0', id: 1, result: {} });
    const many = await post(Array.from({ length: 11 }, (_, id) => ({ ...one, id })));
    expect(await many.json()).toMatchObject({
      error: { code: -32600, data: 'batch request exceeds maximum (10) allowed number of requests' },
    });
  });

  test('bad bodies', async () => {
    const broken = await post('{');
    expect(broken.status).toBe(500);
    expect(await broken.json()).toMatchObject({ error: { code: -32700, message: 'Parse error. Invalid JSON' } });
    expect(await (await post({ id: true, method: 'health' })).json()).toMatchObject({ error: { code: -32700 } });
    const large = await post(`"${'x'.repeat(1_000_001)}"`);
    expect(large.status).toBe(400);
    expect(await large.json()).toMatchObject({
      error: { code: -32600, data: 'error reading request body: http: request body too large' },
    });
  });

  test('every method answers', async () => {
    await node.engine.advance(2);
    for (const method of [
      'net_info',
      'consensus_state',
      'dump_consensus_state',
      'consensus_params',
      'genesis_chunked',
    ]) {
      expect(await call(method)).toMatchObject({ id: 7, result: expect.anything() });
    }
    const checked = await call('check_tx', { tx: toBase64(bytes('a=1')) });
    expect(checked).toMatchObject({ result: { code: 0, gas_wanted: '1' } });
    expect(node.engine.mempool.size).toBe(0);
    const { result } = (await call('consensus_state')) as { result: { round_state: Record<string, unknown> } };
    expect(result.round_state['height/round/step']).toBe('3/0/1');
    const hash = toBase64(node.engine.store.meta(1n)!.blockId.hash);
    expect(await call('block_by_hash', { hash })).toMatchObject({ result: { block: { header: { height: '1' } } } });
    expect(await call('block_by_hash', { hash: toBase64(new Uint8Array(32)) })).toMatchObject({
      result: { block: null },
    });
    const upper = toHex(node.engine.store.meta(2n)!.blockId.hash).toUpperCase();
    expect(await call('header_by_hash', { hash: upper })).toMatchObject({ result: { header: { height: '2' } } });
  });

  test('broadcast_tx_commit gives up in time', async () => {
    await rpc.close();
    await listening({ commitTimeoutMs: 1 });
    expect(await call('broadcast_tx_commit', { tx: toBase64(bytes('a=1')) })).toMatchObject({
      error: { data: 'timed out waiting for tx to be included in a block' },
    });
  });
});

describe('GET', () => {
  beforeEach(() => listening());

  test('numbers, quoted texts and hex', async () => {
    await node.engine.checkTx(bytes('a=1'));
    await node.engine.advance(2);
    for (const path of ['/header?height=1', '/header?height="1"']) {
      expect((await get(path)).json).toMatchObject({ id: -1, result: { header: { height: '1' } } });
    }
    const hash = `0x${toHex(txHash(bytes('a=1')))}`;
    expect((await get(`/tx?hash=${hash}&prove=true`)).json).toMatchObject({ result: { height: '1', proof: {} } });
    const search = `/tx_search?query="tx.height=1"&per_page=5&order_by="desc"`;
    expect((await get(search)).json).toMatchObject({ result: { total_count: '1' } });
    const sent = await get(`/broadcast_tx_sync?tx="b=2"`);
    expect(sent.json).toMatchObject({ result: { hash: toHex(txHash(bytes('b=2'))).toUpperCase() } });
    expect((await get('/abci_query?path="/key"&data=0x61')).json).toMatchObject({
      result: { response: { value: toBase64(bytes('1')) } },
    });
  });

  test('errors and unknown paths', async () => {
    expect(await get('/block?height=5')).toMatchObject({ status: 500, json: { id: -1, error: { code: -32603 } } });
    expect(await get('/block?height=x')).toMatchObject({ status: 500, json: { error: { code: -32602 } } });
    expect(await get('/block?height=0x1')).toMatchObject({ status: 500, json: { error: { code: -32602 } } });
    expect(await get('/subscribe?query="a.b=1"')).toMatchObject({ status: 404, json: { error: { code: -32601 } } });
    const unknown = await fetch(`${rpc.url}/nothing`);
    expect([unknown.status, await unknown.text()]).toEqual([404, '404 page not found\n']);
    const list = await (await fetch(rpc.url)).text();
    expect(list).toContain('/tx?hash=_&prove=_');
  });

  test('only what never changes may be cached', async () => {
    await node.engine.advance(2);
    expect((await get('/block?height=1')).cache).toBe('public, max-age=86400');
    expect((await get('/block')).cache).toBeNull();
    expect((await get('/status')).cache).toBeNull();
    expect((await get('/block?height=7')).cache).toBeNull();
  });
});

describe('CORS', () => {
  test('only for the origins that are named', async () => {
    await listening({ corsAllowedOrigins: ['https://a.example'] });
    const origin = async (from: string, method = 'GET'): Promise<string | null> => {
      const response = await fetch(`${rpc.url}/health`, { method, headers: { Origin: from } });
      return response.headers.get('access-control-allow-origin');
    };
    expect(await origin('https://a.example')).toBe('https://a.example');
    expect(await origin('https://a.example', 'OPTIONS')).toBe('https://a.example');
    expect(await origin('https://b.example')).toBeNull();
  });
});

test('an address that is none is refused', async () => {
  await listening();
  await expect(startRpc({ engine: node.engine, listen: 'unix:///tmp/x' })).rejects.toThrow('invalid listening address');
});
