import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHex } from '@cosmjs/encoding';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { createRegistry } from '@mu/client/chain/registry';
import { Sender } from '@mu/client/chain/sender';
import { Keystore } from '@mu/client/keys/keystore';
import { toBech32 } from '@mu/lib/bech32';
import { Network } from '../src/network.ts';
import { eventually } from '../src/process.ts';

jest.setTimeout(120_000 + Number(process.env['MU_KILLS'] ?? 0) * 20_000);

/** Nobody has its key: what arrives there stays. */
const receiver = toBech32('mu', new Uint8Array(20).fill(7));
/** By hand: MU_KILLS=200 npm run e2e -- --testPathPatterns chain-faults */
const rounds = Number(process.env['MU_KILLS'] ?? 3);

let network: Network;
let user: string;

beforeAll(async () => {
  network = new Network({
    folder: mkdtempSync(join(tmpdir(), 'mu-chain-')),
    chainId: `mu-chain-${randomBytes(3).toString('hex')}`,
    blockIntervalMs: 200,
  });
  await network.initChain();
  user = await network.initUser();
  await network.addAccount(user);
  await network.startChain();
  await network.untilHeight(1);
});

afterAll(async () => network?.stop());

async function senderOf(client: ChainClient): Promise<Sender> {
  const keys = new Keystore(network.path('user', 'keys'), 'mu');
  const password = readFileSync(network.path('user', 'password'), 'utf8').trim();
  return Sender.create({
    client,
    signer: await keys.unlock('user', password),
    registry: createRegistry(),
    gasPriceMicro: 0n,
    feeDenom: 'umu',
  });
}

const coin = (): { typeUrl: string; value: object } => ({
  typeUrl: '/cosmos.bank.v1beta1.MsgSend',
  value: { fromAddress: user, toAddress: receiver, amount: [{ denom: 'umu', amount: '1' }] },
});

/** Sends one coin after the other until the node is gone. @returns hashes of what it took */
async function sendUntilGone(sender: Sender, sent: string[]): Promise<void> {
  try {
    for (;;) sent.push((await sender.send([coin()])).hash);
  } catch {
    // The node was killed under it.
  }
}

/** Where each transaction stands, of those that are in a block. */
async function committed(client: ChainClient, hashes: readonly string[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const hash of hashes) {
    const tx = await client.tx(fromHex(hash));
    if (tx !== undefined) found.set(hash, `${tx.height} ${tx.code} ${tx.gasUsed}`);
  }
  return found;
}

test(`a chain that is killed ${rounds} times while transactions arrive loses no committed block and goes on`, async () => {
  const sent: string[] = [];
  /** what was committed at each kill; the last three rounds' are asked for after each, all of them at the end */
  const known: Map<string, string>[] = [];
  let hashes = new Map<number, string>();
  for (let round = 0; round < rounds; round += 1) {
    const client = await network.client();
    const before = await client.height();
    const first = sent.length;
    const sending = sendUntilGone(await senderOf(client), sent);
    await eventually('some blocks with transactions', async () =>
      (await client.height()) >= before + 4 ? true : undefined,
    );
    const atKill = await committed(client, sent.slice(first));
    const block = await client.comet.block((await client.height()) - 1);
    await network.program('chain').kill();
    await sending;
    client.disconnect();
    expect(atKill.size).toBeGreaterThan(0);
    known.push(atKill);
    hashes = new Map([...hashes, [block.block.header.height, Buffer.from(block.blockId.hash).toString('hex')]]);

    await network.startChain();
    const again = await network.client();
    expect(await again.height()).toBeGreaterThanOrEqual(block.block.header.height);
    await network.untilHeight((await again.height()) + 2);
    for (const round of known.slice(-3)) expect(await committed(again, [...round.keys()])).toEqual(round);
    for (const [height, hash] of hashes) {
      expect(Buffer.from((await again.comet.block(height)).blockId.hash).toString('hex')).toBe(hash);
    }
    again.disconnect();
  }
  const client = await network.client();
  // Coins have arrived for exactly the transactions that stand in blocks.
  const all = await committed(client, sent);
  for (const round of known) for (const [hash, result] of round) expect(all.get(hash)).toBe(result);
  expect(await client.balance(receiver, 'umu')).toBe(BigInt(all.size));
  const done = await (await senderOf(client)).sendAndWait([coin()]);
  expect(done.code).toBe(0);
  client.disconnect();
});

test('SIGTERM ends it within a block, and it starts where it was', async () => {
  const client = await network.client();
  const height = await client.height();
  client.disconnect();
  await network.program('chain').stop();
  await network.startChain();
  const again = await network.client();
  expect(await again.height()).toBeGreaterThanOrEqual(height);
  again.disconnect();
});
