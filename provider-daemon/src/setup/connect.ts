/** The chain as a provider's programs see it: a client, and senders for its two keys. */
import { ChainClient } from '@mu/client/chain/chain-client';
import { createRegistry } from '@mu/client/chain/registry';
import { Sender } from '@mu/client/chain/sender';
import { Keystore } from '@mu/client/keys/keystore';
import { readPassword } from '../config/config.ts';
import type { ProviderConfig } from '../config/schema.ts';

/** @throws Error when nothing answers, or the node is of another chain */
export async function connectChain(config: ProviderConfig): Promise<ChainClient> {
  let client: ChainClient;
  try {
    client = await ChainClient.connect(config.chain.rpcUrl);
  } catch (error) {
    throw new Error(
      `no node answers at ${config.chain.rpcUrl} (${error instanceof Error ? error.message : ''}): check chain.rpc_url`,
    );
  }
  if (client.chainId === config.chain.id) return client;
  client.disconnect();
  throw new Error(
    `the node at ${config.chain.rpcUrl} is of chain ${client.chainId}, not ${config.chain.id}: check chain.rpc_url and chain.id`,
  );
}

/** A sender that signs with one of the provider's keys. @param which `owner` or `operator` */
export async function senderOf(
  config: ProviderConfig,
  client: ChainClient,
  which: 'owner' | 'operator',
): Promise<Sender> {
  const keys = new Keystore(config.keys.folder, config.chain.prefix);
  return Sender.create({
    client,
    signer: await keys.unlock(config.keys[which], readPassword(config)),
    registry: createRegistry(),
    gasPriceMicro: config.chain.gasPrice.mulInt(1_000_000n).ceilInt(),
    feeDenom: config.chain.denom,
  });
}
