/** A node behind CometBFT, with a client in CometBFT's place: what it says of itself, takes, survives and leaves behind. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { AbciClient } from '@mu/abci/client';
import { RequestFinalizeBlock, RequestInfo, RequestInitChain } from 'cosmjs-types/tendermint/abci/types';
import { addressesFile, readAddresses } from '../../src/node/addresses.ts';
import { loadConfig } from '../../src/node/config.ts';
import { readGenesis } from '../../src/node/genesis.ts';
import { type Home, homeAt } from '../../src/node/home.ts';
import { initHome } from '../../src/node/init.ts';
import { type RunningNode, startNode } from '../../src/node/start.ts';

// Each node loads the whole program anew on threads of its own.
jest.setTimeout(60_000);

let home: Home;
let nodes: RunningNode[];
let clients: AbciClient[];
beforeEach(() => {
  home = homeAt(mkdtempSync(join(tmpdir(), 'mu-abci-')));
  nodes = [];
  clients = [];
  const time = '2026-01-01T00:00:00Z';
  initHome(home, { chainId: 'mu-1', moniker: 'node', prefix: 'mu', denom: 'umu', time, settings: {} });
});
afterEach(async () => {
  for (const client of clients) client.close();
  for (const node of nodes) await node.stop();
  rmSync(home.root, { recursive: true });
});

async function start(settings: Readonly<Record<string, string>> = {}): Promise<RunningNode> {
  const overrides = {
    'engine.kind': 'cometbft',
    'abci.laddr': 'unix://data/abci.sock',
    'node.log_level': 'silent',
    ...settings,
  };
  const node = await startNode(home, loadConfig(home.config, {}, overrides));
  nodes.push(node);
  return node;
}

async function engineOf(node: RunningNode): Promise<AbciClient> {
  const client = await AbciClient.connect(node.addresses.abci as string);
  clients.push(client);
  return client;
}

async function begin(engine: AbciClient): Promise<void> {
  const appStateBytes = Buffer.from(JSON.stringify(readGenesis(home.genesis).app_state));
  await engine.initChain(RequestInitChain.fromPartial({ chainId: 'mu-1', initialHeight: 1n, appStateBytes }));
}

async function makeBlock(engine: AbciClient, height: bigint): Promise<Uint8Array> {
  const time = { seconds: 1_767_225_600n + height, nanos: 0 };
  const { appHash } = await engine.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, time }));
  await engine.commit();
  return appHash;
}

test('makes blocks for whoever drives it, and stands where it stood after a stop', async () => {
  const node = await start();
  expect(node.addresses).toEqual({ abci: `unix://${join(home.root, 'data', 'abci.sock')}` });
  expect(JSON.parse(readFileSync(addressesFile(home), 'utf8'))).toMatchObject({ ...node.addresses, pid: process.pid });
  const engine = await engineOf(node);
  await begin(engine);
  const hashes = [await makeBlock(engine, 1n), await makeBlock(engine, 2n)];
  await node.stop();
  expect(existsSync(addressesFile(home))).toBe(false);

  const again = await engineOf(await start());
  expect(await again.info(RequestInfo.fromPartial({}))).toMatchObject({
    lastBlockHeight: 2n,
    lastBlockAppHash: hashes[1],
  });
});

test('takes damage for what it is: the connection ends, the node does not', async () => {
  const node = await start();
  const engine = await engineOf(node);
  await begin(engine);
  // A CheckTx, a Query, a FinalizeBlock and a Commit whose bodies end too early.
  for (const bytes of [
    [4, 0x42, 2, 0x0a, 0x7f],
    [4, 0x32, 2, 0x0a, 0x7f],
    [5, 0xa2, 0x01, 2, 0x0a, 0x7f],
    [4, 0x5a, 2, 0x0a, 0x7f],
  ]) {
    const socket = connect((node.addresses.abci as string).slice('unix://'.length));
    socket.write(Uint8Array.from(bytes));
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    await new Promise((resolve) => socket.once('close', resolve));
    expect(Buffer.concat(received)).toHaveLength(0);
  }
  await makeBlock(engine, 1n);
});

test('a failed block ends it, and nothing is executed after it', async () => {
  const node = await start();
  const engine = await engineOf(node);
  await begin(engine);
  await makeBlock(engine, 1n);
  await expect(engine.finalizeBlock(RequestFinalizeBlock.fromPartial({ height: 5n }))).rejects.toThrow('height');
  await expect(node.failed).rejects.toThrow('height');
  const another = await engineOf(node);
  await expect(makeBlock(another, 2n)).rejects.toThrow('the application has failed and must be started again');
});

test('its RPC is found in the config of a CometBFT that shares its folder', async () => {
  await start();
  expect(() => readAddresses(home)).toThrow('name its RPC with --node');
  writeFileSync(home.cometConfig, '[rpc]\nladdr = "tcp://0.0.0.0:26657"\n');
  expect(readAddresses(home)).toEqual({ rpc: 'http://127.0.0.1:26657', pid: process.pid });
});

test('a second one on the same socket, and a setting of the other engine, are refused', async () => {
  await expect(start({ 'engine.proxy_app': 'tcp://127.0.0.1:1' })).rejects.toThrow('engine.proxy_app is what');
  const node = await start();
  await expect(start()).rejects.toThrow('another mud');
  await (await engineOf(node)).echo('it lives');
  const other = homeAt(mkdtempSync(join(tmpdir(), 'mu-abci-')));
  try {
    initHome(other, {
      chainId: 'mu-1',
      moniker: 'other',
      prefix: 'mu',
      denom: 'umu',
      time: '2026-01-01T00:00:00Z',
      settings: { 'engine.kind': 'cometbft', 'abci.laddr': node.addresses.abci as string, 'node.log_level': 'silent' },
    });
    await expect(startNode(other, loadConfig(other.config, {}))).rejects.toThrow('a process listens on');
  } finally {
    rmSync(other.root, { recursive: true });
  }
});
