/** A node that takes connections and says nothing any more. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ChainClient } from '../../src/chain/chain-client.ts';

/** As long as a busy machine needs for an answer. */
const limitMs = 3_000;

let server: Server;
let isSilent: boolean;
let url: string;

const time = '2026-01-02T03:04:05Z';
const hash = 'AA'.repeat(32);
const status = {
  node_info: {
    ...{ id: 'aa'.repeat(20), listen_addr: 'tcp://127.0.0.1:1', network: 'mu-1', version: '0.38.0', channels: '40' },
    ...{ moniker: 'node', other: { tx_index: 'on' }, protocol_version: { p2p: '8', block: '11', app: '1' } },
  },
  sync_info: {
    ...{ latest_block_hash: hash, latest_app_hash: hash, latest_block_height: '7', latest_block_time: time },
    ...{ earliest_block_hash: hash, earliest_app_hash: hash, earliest_block_height: '1', earliest_block_time: time },
    catching_up: false,
  },
  validator_info: {
    address: 'AA'.repeat(20),
    pub_key: { type: 'tendermint/PubKeyEd25519', value: Buffer.alloc(32, 1).toString('base64') },
    voting_power: '1',
  },
};

beforeEach(async () => {
  isSilent = false;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      if (isSilent) return;
      const { id } = JSON.parse(body) as { id: number };
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ jsonrpc: '2.0', id, result: status }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

test('a request to it ends after a while, and the next one is a new one', async () => {
  const client = await ChainClient.connect(url, limitMs);
  expect(client.chainId).toBe('mu-1');
  isSilent = true;
  await expect(client.comet.status()).rejects.toThrow(/timeout/i);
  isSilent = false;
  expect((await client.comet.status()).syncInfo.latestBlockHeight).toBe(7);
});
