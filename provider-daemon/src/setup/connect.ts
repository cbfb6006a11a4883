/** The chain as a provider's programs see it: a client, and senders for its two keys. */
import { join } from 'node:path';
import { ChainClient } from '@mu/client/chain/chain-client';
import { createRegistry } from '@mu/client/chain/registry';
import { Sender } from '@mu/client/chain/sender';
import { Keystore } from '@mu/client/keys/keystore';
import { hasRoot, openProvedViews, type ProvedViews } from '@mu/client/light/connect';
import type { Logger } from 'pino';
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

/**
 * The chain as far as it can be proved; with `trust.node` as the node tells it.
 * @throws Error when no root of trust is named, LightError when the node does not show the chain that it means
 */
export async function openViews(config: ProviderConfig, client: ChainClient, log: Logger): Promise<ProvedViews> {
  const { trust, chain, node } = config;
  if (trust.node) {
    log.warn({ rpc: chain.rpcUrl }, 'the chain is not verified: the node is believed (trust.node)');
    const seen = async () => ({ height: BigInt(await client.height()), timeMs: Date.now() });
    return { newest: client, settled: client, seen };
  }
  if (!hasRoot(trust)) {
    throw new Error(
      'nothing is known to check the node by: set trust.genesis_hash, or trust.height and trust.hash (`mucli trust` shows them), or believe the node with trust.node',
    );
  }
  const folder = join(node.dataFolder, 'light');
  return openProvedViews({ rpcUrl: chain.rpcUrl, client, trust, folder, maxAgeMs: trust.maxViewAgeS * 1000 });
}

/**
 * What a confirmation or a report may cost more in its block than a simulation at the block before says: in the same block a
 * bill may get a line, or an order its match.
 */
const turnGas = 30_000n;

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
    extraGas: turnGas,
  });
}
