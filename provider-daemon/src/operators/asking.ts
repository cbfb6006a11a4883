/** How the running daemon asks for the facts of its operator. */

import { join } from 'node:path';
import type { ChainClient } from '@mu/client/chain/chain-client';
import { unlessMissing } from '@mu/client/chain/errors';
import { allItems } from '@mu/client/chain/pages';
import type { ProvedViews } from '@mu/client/light/connect';
import { messageOf } from '@mu/lib/error-message';
import Docker from 'dockerode';
import type { ProviderConfig } from '../config/schema.ts';
import { PlaneClient } from '../data-plane/plane-client.ts';
import { planeFiles, planeSettings } from '../data-plane/settings.ts';
import { wireVersion } from '../data-plane/wire.ts';
import type { WorkloadLog } from '../workloads/driver.ts';
import { BidTally } from './bid-tally.ts';
import type { Asking, Balances, EngineState, NodeFacts, PlaneFacts, Registry, ViewFacts } from './facts.ts';
import { processStartMs } from './processes.ts';

const secondMs = 1_000;
/** Between two looks: what an alarm hangs on often, what changes by the hour seldom. */
const every = { often: 5 * secondMs, seldom: 60 * secondMs } as const;

/** An engine that does not answer a ping for so long is away. */
const engineMs = 5_000;

export interface AskingOptions {
  readonly config: ProviderConfig;
  readonly client: ChainClient;
  readonly views: ProvedViews;
  readonly provider: string;
  readonly nodeId: string;
  readonly operator: string;
  /** for lines of workloads that come over the look at the data plane */
  readonly onLog: WorkloadLog;
}

export function askingOf(options: AskingOptions): Asking {
  const { config, client, views, provider, nodeId, operator, onLog } = options;
  const { denom } = config.chain;
  const bids = new BidTally(client, provider);
  const offersContainers = config.offer.services.includes('mu-workload');
  return {
    node: { everyMs: every.often, ask: () => askNode(client) },
    view: { everyMs: every.often, ask: viewAsker(client, views) },
    balances: {
      everyMs: every.seldom,
      ask: async (): Promise<Balances> => {
        const [own, operators] = await Promise.all(
          [provider, operator].map((address) => client.balance(address, denom)),
        );
        return { owner: own ?? 0n, operator: operators ?? 0n };
      },
    },
    registry: { everyMs: every.seldom, ask: () => askRegistry(client, provider, nodeId) },
    bids: {
      everyMs: every.often,
      ask: async () => {
        await bids.look();
        return bids.outcomes();
      },
    },
    plane: { everyMs: every.often, ask: () => askPlane(config, onLog) },
    ...(offersContainers ? { engine: { everyMs: every.often, ask: () => askEngine(config.containers.socket) } } : {}),
  };
}

async function askNode({ comet }: ChainClient): Promise<NodeFacts> {
  const { latestBlockHeight, latestBlockTime, catchingUp } = (await comet.status()).syncInfo;
  return { height: latestBlockHeight, blockTimeMs: latestBlockTime.getTime(), catchingUp };
}

/** Block times are asked of the node: figures decide nothing, and the header of a proved height has no other. */
function viewAsker(client: ChainClient, views: ProvedViews): () => Promise<ViewFacts> {
  let last: ViewFacts | undefined;
  return async () => {
    const height = await views.settled.height();
    if (last?.height === height) return last;
    const { header } = await client.comet.commit(height);
    last = { height, blockTimeMs: header.time.getTime() };
    return last;
  };
}

/** @throws ChainError */
export async function askRegistry(client: ChainClient, owner: string, nodeId: string): Promise<Registry> {
  const provider = (await unlessMissing(client.provider.provider({ owner })))?.provider;
  const nodes =
    provider === undefined
      ? []
      : await allItems(
          (pagination) => client.provider.nodes({ owner, pagination }),
          (page) => page.nodes,
        );
  const { params } = await client.market.params({});
  return {
    provider,
    node: nodes.find((one) => one.nodeId === nodeId),
    blocksPerYear: params?.blocksPerYear ?? 0n,
  };
}

/** A greeting over a link of its own; lines that come over it are passed on. */
async function askPlane(config: ProviderConfig, onLog: WorkloadLog): Promise<PlaneFacts> {
  let link: PlaneClient;
  try {
    link = await PlaneClient.connect(join(planeSettings(config).folder, planeFiles.socket), onLog);
  } catch {
    return { up: false };
  }
  try {
    const { pid, version } = await link.hello();
    const startedMs = await processStartMs(pid);
    const isKnown = version === wireVersion;
    return {
      ...{ up: true, pid, version },
      ...(startedMs === undefined ? {} : { startedMs }),
      ...(isKnown ? { figures: await link.figures() } : {}),
    };
  } finally {
    link.close();
  }
}

async function askEngine(socketPath: string): Promise<EngineState> {
  try {
    await new Docker({ socketPath, timeout: engineMs }).ping();
    return { up: true, reason: '' };
  } catch (error) {
    return { up: false, reason: messageOf(error) };
  }
}
