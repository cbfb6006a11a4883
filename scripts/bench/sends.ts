/** Bank sends through RPC and the engine solo: signed before the clock starts, counted when they stand in blocks. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { encodeSecp256k1Pubkey } from '@cosmjs/amino';
import { encodePubkey, makeAuthInfoBytes } from '@cosmjs/proto-signing';
import { addAccount, type Genesis } from '@mu/app/node/genesis';
import type { Network } from '@mu/e2e/network';
import { eventually } from '@mu/e2e/process';
import { secp256k1Address } from '@mu/lib/address';
import { toBech32 } from '@mu/lib/bech32';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { SignDoc, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import secp256k1 from 'secp256k1';
import { drive, type Request } from './load.ts';

const gas = 100_000;

export interface Wallet {
  readonly key: Uint8Array;
  readonly publicKey: Uint8Array;
  readonly address: string;
}

/** Accounts that only this bench knows. */
export function benchWallets(count: number): Wallet[] {
  return Array.from({ length: count }, (_, index) => {
    const key = new Uint8Array(createHash('sha256').update(`bench ${index}`).digest());
    const publicKey = secp256k1.publicKeyCreate(key);
    return { key, publicKey, address: toBech32('mu', secp256k1Address(publicKey)) };
  });
}

/** The genesis with coins for each wallet; their account numbers are their order. */
export function funded(genesis: Genesis, wallets: readonly Wallet[]): Genesis {
  return wallets.reduce((before, { address }) => addAccount(before, address, '1000000000umu'), genesis);
}

/** Wallets that have coins in the genesis of the network. */
export function fundedWallets(network: Network, count: number): Wallet[] {
  const wallets = benchWallets(count);
  const file = network.path('chain', 'config', 'genesis.json');
  writeFileSync(file, JSON.stringify(funded(JSON.parse(readFileSync(file, 'utf8')) as Genesis, wallets)));
  return wallets;
}

/**
 * `rounds` sends of each wallet; all of a wallet's in the order of its sequence.
 * @param receiver of a wallet's nth send; the next wallet unless it is said
 */
export function signSends(
  chainId: string,
  wallets: readonly Wallet[],
  rounds: number,
  receiver = (wallet: number, _round: number): string => wallets[(wallet + 1) % wallets.length]?.address as string,
): Uint8Array[][] {
  return wallets.map(({ key, publicKey, address }, index) => {
    const pubkey = encodePubkey(encodeSecp256k1Pubkey(publicKey));
    return Array.from({ length: rounds }, (_, sequence) => {
      const bodyBytes = sendBody(address, receiver(index, sequence));
      const authInfoBytes = makeAuthInfoBytes([{ pubkey, sequence }], [], gas, undefined, undefined);
      const doc = SignDoc.encode({ bodyBytes, authInfoBytes, chainId, accountNumber: BigInt(index) }).finish();
      const { signature } = secp256k1.ecdsaSign(new Uint8Array(createHash('sha256').update(doc).digest()), key);
      return TxRaw.encode({ bodyBytes, authInfoBytes, signatures: [signature] }).finish();
    });
  });
}

function sendBody(fromAddress: string, toAddress: string): Uint8Array {
  const value = MsgSend.encode({ fromAddress, toAddress, amount: [{ denom: 'umu', amount: '1' }] }).finish();
  return TxBody.encode(TxBody.fromPartial({ messages: [{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value }] })).finish();
}

/** Sends all, and waits until all are in blocks. @returns committed sends per second, from the first byte to the last block */
export async function measureSends(
  network: Network,
  txs: readonly (readonly Uint8Array[])[],
  connections: number,
): Promise<number> {
  // A wallet's transactions stay in order: they are handed out round by round, and each round is answered before the next.
  const requests: Request[] = [];
  const rounds = txs[0]?.length ?? 0;
  for (let round = 0; round < rounds; round += 1) {
    for (const own of txs) {
      const tx = Buffer.from(own[round] as Uint8Array).toString('base64');
      requests.push({
        method: 'POST',
        path: '/',
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'broadcast_tx_sync', params: { tx } }),
      });
    }
  }
  const client = await network.client();
  const before = await client.height();
  let at = 0;
  const start = performance.now();
  await drive(
    network.rpc,
    connections,
    () => requests[at++],
    ({ text }) => {
      const { result, error } = JSON.parse(text) as { result?: { code: number; log: string }; error?: unknown };
      if (result?.code !== 0) throw new Error(`a send was refused: ${result?.log ?? JSON.stringify(error)}`);
    },
  );
  let counted = 0;
  let height = before;
  await eventually('all sends in blocks', async () => {
    const latest = await client.height();
    for (; height < latest; height += 1) counted += (await client.comet.block(height + 1)).block.txs.length;
    return counted >= requests.length ? true : undefined;
  });
  const seconds = (performance.now() - start) / 1000;
  client.disconnect();
  return requests.length / seconds;
}
