/** Unmodified CosmJS against the real application: instant blocks, the RPC on a free port, state on the disk. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DirectSecp256k1HdWallet, type EncodeObject } from '@cosmjs/proto-signing';
import {
  assertIsDeliverTxFailure,
  assertIsDeliverTxSuccess,
  BroadcastTxError,
  coins,
  GasPrice,
  SigningStargateClient,
  StargateClient,
} from '@cosmjs/stargate';
import { Comet38Client, WebsocketClient } from '@cosmjs/tendermint-rpc';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { parseGenesis } from '../../src/engine/genesis.ts';
import { publicKeyToAmino } from '../../src/engine/keys.ts';
import { loadOrCreateValidator } from '../../src/engine/private-validator.ts';
import { SoloEngine } from '../../src/engine/solo-engine.ts';
import { createMuApp, defaultAppState, muStoreNames } from '../../src/mu-app.ts';
import { addAccount, type GenesisValidator, newGenesis } from '../../src/node/genesis.ts';
import { type RunningRpc, startRpc } from '../../src/rpc/server.ts';
import { LmdbCommitStore } from '../../src/store/lmdb-store.ts';

const chainId = 'mu-cosmjs-1';
const denom = 'umu';
const gasPrice = GasPrice.fromString('0.01umu');
// Blocks come at once; CosmJS looks for a transaction by polling.
const options = { gasPrice, broadcastPollIntervalMs: 10, broadcastTimeoutMs: 10_000 };

let folder: string;
let store: LmdbCommitStore;
let engine: SoloEngine;
let rpc: RunningRpc;
let wallet: DirectSecp256k1HdWallet;
let rich: string;
let poor: string;
let unknown: string;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mu-cosmjs-'));
  const [first, second] = await Promise.all([
    DirectSecp256k1HdWallet.generate(12, { prefix: 'mu' }),
    DirectSecp256k1HdWallet.generate(12, { prefix: 'mu' }),
  ]);
  wallet = first;
  rich = await addressOf(first);
  unknown = await addressOf(second);
  poor = await addressOf(await DirectSecp256k1HdWallet.generate(12, { prefix: 'mu' }));
  store = new LmdbCommitStore(join(folder, 'state'), muStoreNames);
  engine = startable();
  await engine.start();
  rpc = await startRpc({ engine, listen: 'tcp://127.0.0.1:0' });
  await firstBlock();
});

afterEach(async () => {
  await rpc.close();
  await engine.stop();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

async function addressOf(signer: DirectSecp256k1HdWallet): Promise<string> {
  const [account] = await signer.getAccounts();
  if (account === undefined) throw new Error('a wallet has an account');
  return account.address;
}

function startable(): SoloEngine {
  const validator = loadOrCreateValidator({ key: join(folder, 'key.json'), state: join(folder, 'sign.json') });
  const validators = [
    {
      address: Buffer.from(validator.address).toString('hex').toUpperCase(),
      pub_key: publicKeyToAmino({ ed25519: validator.publicKey }) as GenesisValidator['pub_key'],
      power: '10',
      name: 'solo',
    },
  ];
  const appState = defaultAppState({ bech32Prefix: 'mu', denom });
  const empty = newGenesis({ chainId, time: new Date().toISOString(), validators, appState });
  const genesis = addAccount(addAccount(empty, rich, `1000000${denom},7shells`), poor, `5${denom}`);
  return new SoloEngine({
    app: createMuApp({ store, minGasPrices: `0.01${denom}`, checkInvariants: true }),
    genesis: parseGenesis(genesis),
    dataPath: join(folder, 'engine'),
    validator,
    blocks: { mode: 'instant' },
  });
}

/** CosmJS cannot read the status of a chain without blocks: its time is not one of JavaScript's. */
async function firstBlock(): Promise<void> {
  while (engine.state.lastBlockHeight === 0n) await new Promise((resolve) => setImmediate(resolve));
}

const send = (amount: string, to = poor): EncodeObject => ({
  typeUrl: '/cosmos.bank.v1beta1.MsgSend',
  value: { fromAddress: rich, toAddress: to, amount: coins(amount, denom) },
});

describe('StargateClient', () => {
  test('reads chain, height, accounts and balances', async () => {
    const client = await StargateClient.connect(rpc.url);
    expect(await client.getChainId()).toBe(chainId);
    expect(await client.getHeight()).toBe(Number(engine.state.lastBlockHeight));
    expect(await client.getAccount(rich)).toMatchObject({ address: rich, pubkey: null, sequence: 0 });
    expect(await client.getSequence(rich)).toMatchObject({ sequence: 0 });
    expect(await client.getBalance(rich, denom)).toEqual({ denom, amount: '1000000' });
    expect(await client.getBalance(unknown, denom)).toEqual({ denom, amount: '0' });
    expect([...(await client.getAllBalances(rich))]).toEqual([
      { denom: 'shells', amount: '7' },
      { denom, amount: '1000000' },
    ]);
    expect(await client.getAllBalances(unknown)).toEqual([]);
    const { header } = await client.getBlock(1);
    expect(header).toMatchObject({ chainId, height: 1 });
    client.disconnect();
  });

  test('says that an account does not exist', async () => {
    const client = await StargateClient.connect(rpc.url);
    expect(await client.getAccount(unknown)).toBeNull();
    await expect(client.getSequence(unknown)).rejects.toThrow(
      `Account '${unknown}' does not exist on chain. Send some tokens there before trying to query sequence.`,
    );
    expect(await client.getTx('AB'.repeat(32))).toBeNull();
    client.disconnect();
  });
});

describe('SigningStargateClient over HTTP', () => {
  let client: SigningStargateClient;
  beforeEach(async () => {
    client = await SigningStargateClient.connectWithSigner(rpc.url, wallet, options);
  });
  afterEach(() => client.disconnect());

  test('sends tokens at fees that it simulates, and finds them again', async () => {
    const sent = await client.sendTokens(rich, poor, coins(1234, denom), 'auto', 'rent');
    assertIsDeliverTxSuccess(sent);
    expect(await client.getBalance(poor, denom)).toEqual({ denom, amount: '1239' });
    // CosmJS asks for 1.4 times of what the simulation used.
    expect(sent.gasUsed).toBeGreaterThan(50_000n);
    expect(sent.gasWanted).toBeGreaterThan(sent.gasUsed);
    const paid = (sent.gasWanted + 99n) / 100n;
    expect(await client.getBalance(rich, denom)).toEqual({ denom, amount: `${1_000_000n - 1234n - paid}` });
    expect(await client.getSequence(rich)).toMatchObject({ sequence: 1 });
    const found = await client.getTx(sent.transactionHash);
    expect(found).toMatchObject({ height: sent.height, code: 0, hash: sent.transactionHash, rawLog: '' });
    expect(found?.msgResponses.map(({ typeUrl }) => typeUrl)).toEqual(['/cosmos.bank.v1beta1.MsgSendResponse']);
    for (const query of [
      [{ key: 'transfer.recipient', value: poor }],
      [{ key: 'message.sender', value: rich }],
      [{ key: 'message.action', value: '/cosmos.bank.v1beta1.MsgSend' }],
      `tx.height=${sent.height}`,
    ]) {
      expect((await client.searchTx(query)).map(({ hash }) => hash)).toEqual([sent.transactionHash]);
    }
    expect(await client.searchTx([{ key: 'transfer.recipient', value: unknown }])).toEqual([]);
  });

  test('simulates without leaving a trace', async () => {
    const gas = await client.simulate(rich, [send('5')], '');
    expect(gas).toBeGreaterThan(50_000);
    expect(await client.getSequence(rich)).toMatchObject({ sequence: 0 });
    expect(await client.getBalance(poor, denom)).toEqual({ denom, amount: '5' });
    await expect(client.simulate(rich, [send('2000000')], '')).rejects.toThrow(
      /spendable balance 1000000umu is smaller than 2000000umu: insufficient funds/,
    );
  });

  test('learns of insufficient funds: of a transfer from its block, of a fee at once', async () => {
    const fee = { amount: coins(2_000, denom), gas: '200000' };
    const failed = await client.sendTokens(rich, poor, coins(999_000, denom), fee);
    assertIsDeliverTxFailure(failed);
    expect(failed).toMatchObject({ code: 5 });
    expect(failed.rawLog).toBe(
      'failed to execute message; message index: 0: spendable balance 998000umu is smaller than 999000umu: insufficient funds',
    );
    expect(await client.getBalance(rich, denom)).toEqual({ denom, amount: '998000' });
    // What is refused at once goes by broadcastTxSync: broadcastTx would leave its timer running.
    const sync = (amount: number): Promise<string> =>
      client.signAndBroadcastSync(rich, [send('1')], { amount: coins(amount, denom), gas: '200000' });
    await expect(sync(5_000_000)).rejects.toThrow(
      /failed with code 5 \(codespace: sdk\). Log: .*spendable balance 998000umu is smaller than 5000000umu: insufficient funds/,
    );
    await expect(sync(1)).rejects.toThrow(
      /code 13 \(codespace: sdk\). Log: insufficient fees; got: 1umu required: 2000umu: insufficient fee/,
    );
  });

  test('is told the sequence that it should have signed, and that a signature is another chain’s', async () => {
    const fee = { amount: coins(2_000, denom), gas: '200000' };
    const { accountNumber } = await client.getSequence(rich);
    const broadcast = async (sequence: number, chain = chainId): Promise<unknown> => {
      const signed = await client.sign(rich, [send('1')], fee, '', { accountNumber, sequence, chainId: chain });
      return client.broadcastTxSync(TxRaw.encode(signed).finish()).catch((error: unknown) => error);
    };
    const early = await broadcast(3);
    expect(early).toBeInstanceOf(BroadcastTxError);
    expect(early).toMatchObject({
      code: 32,
      codespace: 'sdk',
      log: 'account sequence mismatch, expected 0, got 3: incorrect account sequence',
    });
    expect(await broadcast(0, 'other-1')).toMatchObject({
      code: 4,
      log: `signature verification failed; please verify account number (${accountNumber}) and chain-id (${chainId}): (unable to verify single signer signature): unauthorized`,
    });
    const hash = await broadcast(0);
    expect(hash).toMatch(/^[0-9A-F]{64}$/);
    while ((await client.getTx(hash as string)) === null) await engine.advance();
    // The very same bytes again: the mempool knows them; others of the same sequence are late.
    expect(String(await broadcast(0))).toContain('tx already exists in cache');
    const late = await client.sign(rich, [send('2')], fee, '', { accountNumber, sequence: 0, chainId });
    await expect(client.broadcastTxSync(TxRaw.encode(late).finish())).rejects.toThrow(
      'account sequence mismatch, expected 1, got 0: incorrect account sequence',
    );
  });

  test('has several transactions of one account in flight', async () => {
    const fee = { amount: coins(2_000, denom), gas: '200000' };
    const { accountNumber } = await client.getSequence(rich);
    const signed = [0, 1, 2, 3].map((sequence) =>
      client.sign(rich, [send(`${sequence + 1}`)], fee, '', { accountNumber, sequence, chainId }),
    );
    const hashes: string[] = [];
    for (const tx of await Promise.all(signed)) hashes.push(await client.broadcastTxSync(TxRaw.encode(tx).finish()));
    while ((await client.getSequence(rich)).sequence < 4) await engine.advance();
    expect(await client.getBalance(poor, denom)).toEqual({ denom, amount: '15' });
    for (const hash of hashes) expect(await client.getTx(hash)).toMatchObject({ code: 0 });
  });
});

describe('SigningStargateClient over the websocket', () => {
  let socket: WebsocketClient;
  beforeEach(() => {
    socket = new WebsocketClient(rpc.url.replace('http', 'ws'));
  });
  // CosmJS 0.39 connects again even after disconnect(), for ever: that would keep the process alive.
  afterEach(() => {
    const reconnecting = Reflect.get(socket, 'socket') as { socket: { reconnect: () => void } };
    reconnecting.socket.reconnect = () => undefined;
    socket.disconnect();
  });

  test('sends, and hears of the block with the transaction', async () => {
    const comet = Comet38Client.create(socket);
    const client = await SigningStargateClient.createWithSigner(comet, wallet, options);
    expect(await client.getChainId()).toBe(chainId);
    const { promise: heard, resolve } = Promise.withResolvers<number>();
    const subscription = comet
      .subscribeTx(`transfer.recipient='${poor}'`)
      .subscribe({ next: ({ height }) => resolve(height), error: () => resolve(-1), complete: () => resolve(-2) });
    const sent = await client.sendTokens(rich, poor, coins(10, denom), 'auto');
    assertIsDeliverTxSuccess(sent);
    expect(await heard).toBe(sent.height);
    subscription.unsubscribe();
    expect(await client.getBalance(poor, denom)).toEqual({ denom, amount: '15' });
    await expect(client.getSequence(unknown)).rejects.toThrow('does not exist on chain');
  });
});

test('a node that starts again goes on with the accounts of before', async () => {
  const client = await SigningStargateClient.connectWithSigner(rpc.url, wallet, options);
  const { height } = await client.sendTokens(rich, poor, coins(10, denom), 'auto');
  client.disconnect();
  await rpc.close();
  await engine.stop();
  await store.close();
  store = new LmdbCommitStore(join(folder, 'state'), muStoreNames);
  engine = startable();
  await engine.start();
  rpc = await startRpc({ engine, listen: 'tcp://127.0.0.1:0' });
  const again = await SigningStargateClient.connectWithSigner(rpc.url, wallet, options);
  expect(await again.getHeight()).toBe(height);
  expect(await again.getSequence(rich)).toMatchObject({ sequence: 1 });
  assertIsDeliverTxSuccess(await again.sendTokens(rich, poor, coins(10, denom), 'auto'));
  expect(await again.getBalance(poor, denom)).toEqual({ denom, amount: '25' });
  again.disconnect();
});
