/** What all services of the daemon stand on: its config, its identity, its disk and the chain. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { ProvedViews } from '@mu/client/light/connect';
import type { PriceList } from '@mu/proto/provider';
import type { Logger } from 'pino';
import type { ProviderConfig } from './config/schema.ts';
import type { Identity, Surroundings } from './identity/identity.ts';
import { type Journal, openJournal } from './journal/journal.ts';
import { openIdentity } from './operators/renewal.ts';
import { connectChain, openViews } from './setup/connect.ts';
import { identityFolder } from './setup/places.ts';

export interface Foundation {
  readonly config: ProviderConfig;
  readonly identity: Identity;
  readonly around: Surroundings;
  readonly journal: Journal;
  /** the node, to send to and for lists that decide nothing */
  readonly client: ChainClient;
  /** what is proved: by this workloads begin and end, and something is given out */
  readonly views: ProvedViews;
  /** that bids refer to; undefined where the provider has published none */
  readonly priceList: PriceList | undefined;
  readonly log: Logger;
}

const around: Surroundings = { now: Date.now, random: (length) => new Uint8Array(randomBytes(length)) };

/** First the disk, then the chain. @throws Error with what is wrong with keys, journal or chain */
export async function layFoundation(config: ProviderConfig, log: Logger): Promise<Foundation> {
  const identity = await openIdentity(identityFolder(config), around, log);
  const journal = openJournal(join(config.node.dataFolder, 'journal'), identity.name);
  const client = await connectChain(config);
  const views = await openViews(config, client, log);
  const priceList = await registeredPrices(client, identity.name.provider);
  return { config, identity, around, journal, client, views, priceList, log };
}

/** The price list that bids refer to. @throws Error when the provider is not on the chain */
async function registeredPrices(client: ChainClient, owner: string): Promise<PriceList | undefined> {
  try {
    const { provider } = await client.provider.provider({ owner });
    if (provider === undefined || provider.priceListVersion === 0n) return undefined;
    return (await client.provider.priceList({ owner, version: provider.priceListVersion })).priceList;
  } catch (error) {
    if (!(error instanceof ChainError) || !error.notFound) throw error;
    throw new Error(`the provider ${owner} is not on the chain yet: run \`mu-provider register\` first`);
  }
}
