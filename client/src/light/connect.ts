/** A light client for a node from what a config says, and that node's proved state. */
import { join } from 'node:path';
import { Comet38Client, HttpClient } from '@cosmjs/tendermint-rpc';
import { concatBytes, fromBase64, fromUtf8 } from '@mu/lib/bytes';
import type { ChainClient } from '../chain/chain-client.ts';
import { LightError } from './errors.ts';
import { FileTrustedStore } from './file-store.ts';
import { nanosOf } from './light-block.ts';
import { LightClient } from './light-client.ts';
import { RpcSource } from './rpc-source.ts';
import { parseTrustedHash, type TrustRoot } from './trust-root.ts';
import { VerifiedQuerier } from './verified-querier.ts';
import { VerifiedState } from './verified-state.ts';
import { VerifiedStore } from './verified-store.ts';

/** What a config says about trust; one of the two roots is named. */
export interface TrustSettings {
  /** genesisHash of the chain's genesis in hex; empty: not named */
  readonly genesisHash: string;
  /** height of a trusted block; 0: not named */
  readonly height: bigint;
  /** its hash in hex */
  readonly hash: string;
  readonly periodHours: number;
  /** RPC addresses of further nodes */
  readonly witnesses: readonly string[];
}

export interface LightConnection {
  /** RPC address of the node that `client` speaks to */
  readonly rpcUrl: string;
  readonly client: ChainClient;
  readonly trust: TrustSettings;
  /** of verified blocks, for all chains */
  readonly folder: string;
  /** the oldest view that is taken */
  readonly maxAgeMs?: number;
  /** for each answer of a node */
  readonly timeoutMs?: number;
}

const hourNs = 3_600_000_000_000n;
/** What a genesis may have for a light client to fetch it: 64 MiB in the 16 MiB pieces of the RPC. */
const maxGenesisChunks = 4;
const nowNs = (): bigint => BigInt(Date.now()) * 1_000_000n;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** A root of trust is named. */
export function hasRoot({ genesisHash, height }: TrustSettings): boolean {
  return genesisHash !== '' || height > 0n;
}

/**
 * The light client of a node.
 * @throws LightError when no root is named, or the node does not show the chain that the root means
 */
export async function openLightClient(connection: LightConnection): Promise<LightClient> {
  const { client, rpcUrl, trust, folder, timeoutMs } = connection;
  const { chainId } = client;
  const inTime = timeoutMs === undefined ? {} : { timeoutMs };
  const root = rootOf(trust, rpcUrl);
  const witnesses = await Promise.all(
    trust.witnesses.map(async (url) => {
      const comet = await Comet38Client.create(new HttpClient(url, timeoutMs));
      return new RpcSource({ comet, chainId, name: url, ...inTime });
    }),
  );
  return LightClient.create({
    chainId,
    root,
    primary: new RpcSource({ comet: client.comet, chainId, name: rpcUrl, ...inTime }),
    witnesses,
    // Behind a prefix no chain id is a path of its own.
    store: new FileTrustedStore(join(folder, `chain-${encodeURIComponent(chainId)}`), chainId),
    nowNs,
    pause,
    trustingPeriodNs: BigInt(trust.periodHours) * hourNs,
  });
}

/** A client whose height and single records are proved, in two kinds (VerifiedStoreOptions.freshness). */
export interface ProvedViews {
  /** what the newest block did; an answer waits for the next one */
  readonly newest: ChainClient;
  /** as of the newest proved block, at once; its height says so */
  readonly settled: ChainClient;
  /** What `settled` shows now. @throws LightError where nothing new enough is proved */
  seen(): Promise<SeenBlock>;
}

/** How far the chain is seen. */
export interface SeenBlock {
  /** The last block whose state is proved. */
  readonly height: bigint;
  /** Of the block that proves it, in milliseconds since 1970. */
  readonly timeMs: number;
}

/** Views that can also be held at one block. */
export interface PinnableViews extends ProvedViews {
  /** records that agree with one another: all as of the newest proved block */
  pinned(): Promise<PinnedState>;
}

/** The state after one block. */
export interface PinnedState {
  readonly height: bigint;
  readonly state: VerifiedState;
}

/** Opens both views over one light client. @throws LightError */
export async function openProvedViews(connection: LightConnection): Promise<PinnableViews> {
  const light = await openLightClient(connection);
  const { client, maxAgeMs } = connection;
  const maxAge = maxAgeMs === undefined ? {} : { maxAgeNs: BigInt(maxAgeMs) * 1_000_000n };
  const options = { light, comet: client.comet, nowNs, pause, ...maxAge };
  const pinned = async (): Promise<PinnedState> => {
    const newest = await new VerifiedStore({ ...options, freshness: 'settled' }).latest();
    const height = newest.header.height - 1n;
    return { height, state: new VerifiedState(new VerifiedStore({ ...options, freshness: 'settled', height })) };
  };
  const view = (freshness: 'newest' | 'settled'): ChainClient => {
    const store = new VerifiedStore({ ...options, freshness });
    const behind = freshness === 'settled' ? 1 : 0;
    return client.seenThrough({
      querier: new VerifiedQuerier(new VerifiedState(store), client.comet),
      height: async () => Number((await store.latest()).header.height) - behind,
    });
  };
  const settled = new VerifiedStore({ ...options, freshness: 'settled' });
  const seen = async (): Promise<SeenBlock> => {
    const { header } = await settled.latest();
    return { height: header.height - 1n, timeMs: Number(nanosOf(header.time) / 1_000_000n) };
  };
  return { newest: view('newest'), settled: view('settled'), pinned, seen };
}

function rootOf({ genesisHash, height, hash }: TrustSettings, rpcUrl: string): TrustRoot {
  // A block is newer than the genesis: where both are named it is the better root.
  if (height > 0n) return { kind: 'block', height, hash: parseTrustedHash(hash) };
  if (genesisHash !== '') {
    return { kind: 'genesis_hash', hash: parseTrustedHash(genesisHash), document: () => fetchGenesis(rpcUrl) };
  }
  throw new LightError('no root of trust is named: neither the hash of the genesis nor a height with its hash', {
    kind: 'config',
  });
}

/** The genesis document as a node serves it. @throws LightError */
export async function fetchGenesis(rpcUrl: string): Promise<unknown> {
  // Both kinds of connection end at the same server; the document comes over plain requests.
  const http = new HttpClient(rpcUrl.replace(/^ws/, 'http').replace(/\/websocket$/, ''));
  const refuse = (kind: 'malformed' | 'unavailable', text: string, cause?: unknown): LightError =>
    new LightError(`${rpcUrl}: ${text}`, { kind, fault: 'genesis', source: rpcUrl, cause });
  const parts: Uint8Array[] = [];
  for (let chunk = 0, total = 1; chunk < total; chunk++) {
    let result: { readonly total?: unknown; readonly data?: unknown };
    try {
      const params = { chunk: chunk.toString() };
      ({ result } = await http.execute({ jsonrpc: '2.0', id: chunk, method: 'genesis_chunked', params }));
    } catch (error) {
      throw refuse('unavailable', `it gives no genesis: ${error instanceof Error ? error.message : error}`, error);
    }
    total = Number(result.total);
    if (!(total >= 1 && total <= maxGenesisChunks) || typeof result.data !== 'string') {
      throw refuse('malformed', 'its genesis is too large for a light client: name a trusted height and hash instead');
    }
    parts.push(fromBase64(result.data));
  }
  try {
    return JSON.parse(fromUtf8(concatBytes(...parts)));
  } catch (error) {
    throw refuse('malformed', 'its genesis is no JSON', error);
  }
}
