/** The few questions that the network's tools ask a node, each bounded: a node may be dead, paused or catching up. */

interface Answer {
  readonly result?: unknown;
  readonly error?: { readonly message: string; readonly data?: string };
}

/** One call of CometBFT's JSON-RPC. @throws Error when nothing answers in time, or with the node's own reason */
export async function callRpc<T>(rpc: string, method: string, params: object = {}, limitMs = 5000): Promise<T> {
  const response = await fetch(rpc, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: AbortSignal.timeout(limitMs),
  });
  const { result, error } = (await response.json()) as Answer;
  if (error !== undefined) throw new Error(`${method} of ${rpc}: ${error.message} ${error.data ?? ''}`.trimEnd());
  return result as T;
}

export interface SyncInfo {
  readonly latest_block_height: string;
  readonly latest_app_hash: string;
  readonly earliest_block_height: string;
  readonly catching_up: boolean;
}

/** Undefined where nothing answers. */
export async function syncInfo(rpc: string, limitMs = 2000): Promise<SyncInfo | undefined> {
  try {
    return (await callRpc<{ sync_info: SyncInfo }>(rpc, 'status', {}, limitMs)).sync_info;
  } catch {
    return undefined;
  }
}

/** The height of the latest block; 0 where nothing answers. */
export const heightOf = async (rpc: string): Promise<number> => Number((await syncInfo(rpc))?.latest_block_height ?? 0);

/** What a block says that two nodes must agree on. */
export interface BlockMeta {
  readonly height: number;
  readonly hash: string;
  /** of the state before this block */
  readonly appHash: string;
  readonly lastResultsHash: string;
  readonly dataHash: string;
  readonly timeMs: number;
  readonly txCount: number;
}

interface RawMeta {
  readonly block_id: { readonly hash: string };
  readonly num_txs: string;
  readonly header: {
    readonly height: string;
    readonly time: string;
    readonly app_hash: string;
    readonly last_results_hash: string;
    readonly data_hash: string;
  };
}

/** CometBFT gives no more in one answer. */
const pageSize = 20;

/** Every block of a node from one height to another, in their order. @throws Error when one is missing */
export async function blockMetas(rpc: string, from: number, to: number): Promise<BlockMeta[]> {
  const found: BlockMeta[] = [];
  for (let first = from; first <= to; first += pageSize) {
    const last = Math.min(to, first + pageSize - 1);
    const params = { minHeight: String(first), maxHeight: String(last) };
    const { block_metas } = await callRpc<{ block_metas: RawMeta[] }>(rpc, 'blockchain', params);
    const page = block_metas.map(metaOf).sort((a, b) => a.height - b.height);
    if (page.length !== last - first + 1) throw new Error(`${rpc} has not all blocks from ${first} to ${last}`);
    found.push(...page);
  }
  return found;
}

function metaOf({ block_id, header, num_txs }: RawMeta): BlockMeta {
  return {
    height: Number(header.height),
    hash: block_id.hash,
    appHash: header.app_hash,
    lastResultsHash: header.last_results_hash,
    dataHash: header.data_hash,
    timeMs: Date.parse(header.time),
    txCount: Number(num_txs),
  };
}

/** The transactions of a block, as they stand in it. */
export async function blockTxs(rpc: string, height: number): Promise<Buffer[]> {
  const { block } = await callRpc<{ block: { data: { txs: string[] | null } } }>(rpc, 'block', {
    height: String(height),
  });
  return (block.data.txs ?? []).map((tx) => Buffer.from(tx, 'base64'));
}

/** A query of the application. @throws Error with its log when it refuses */
export async function abciQuery(rpc: string, path: string, data: Uint8Array, height = 0): Promise<Uint8Array> {
  const params = { path, data: Buffer.from(data).toString('hex'), height: String(height), prove: false };
  const { response } = await callRpc<{ response: { code?: number; log?: string; value?: string | null } }>(
    rpc,
    'abci_query',
    params,
  );
  if ((response.code ?? 0) !== 0) throw new Error(`${path} of ${rpc}: ${response.log ?? `code ${response.code}`}`);
  return Buffer.from(response.value ?? '', 'base64');
}
