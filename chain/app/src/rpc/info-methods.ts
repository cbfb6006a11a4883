/** Methods about the node and its blocks. */
import { toBase64, utf8 } from '@mu/lib/bytes';
import { blockProtocol } from '@mu/lib/comet-header';
import { cometVersion, p2pProtocol } from '../engine/block.ts';
import { genesisJson } from '../engine/genesis.ts';
import { Query } from '../engine/query/query.ts';
import type { SoloEngine } from '../engine/solo-engine.ts';
import { blockMetaJson, blockResultJson, commitResultJson, headerResultJson } from './block-shapes.ts';
import { goJson } from './go-json.ts';
import {
  heightOrLatest,
  isDescending,
  latestHeight,
  maxQueryLength,
  method,
  pageOf,
  type RpcMethod,
} from './method.ts';
import { statusJson } from './node-shapes.ts';
import { blockResultsJson } from './result-shapes.ts';

const maxHeaders = 20n;
const genesisChunkBytes = 16 * 1024 * 1024;
/** The embedded engine has no peers; clients want the field all the same. */
const noPeerAddress = 'tcp://127.0.0.1:0';

const always = (): boolean => true;
const withHeight = ({ height }: { readonly height: bigint | undefined }): boolean => height !== undefined;

export const infoMethods: Readonly<Record<string, RpcMethod>> = {
  health: method({}, () => ({})),

  status: method({}, (context) => {
    const { engine, nodeId, moniker } = context;
    const { state, store, validator } = engine;
    const { address, publicKey } = validator;
    return statusJson({
      nodeId,
      moniker,
      listenAddress: noPeerAddress,
      rpcAddress: context.rpcAddress(),
      chainId: state.chainId,
      version: cometVersion,
      protocol: { p2p: p2pProtocol, block: blockProtocol, app: state.appVersion },
      latest: store.meta(latestHeight(engine)),
      earliest: store.meta(store.base),
      validator: { address, publicKey, power: state.validators.find(address)?.votingPower ?? 0n },
    });
  }),

  net_info: method({}, () => ({ listening: false, listeners: [], n_peers: '0', peers: [] })),

  genesis: method(
    {},
    ({ engine }) => {
      if (genesisChunks(engine).length > 1) {
        throw new Error('genesis response is large, please use the genesis_chunked API instead');
      }
      return { genesis: genesisJson(engine.genesis) };
    },
    always,
  ),

  genesis_chunked: method(
    { chunk: 'int' },
    ({ engine }, { chunk }) => {
      const chunks = genesisChunks(engine);
      const number = Number(chunk ?? 0n);
      const data = chunks[number];
      if (data === undefined) throw new Error(`there are ${chunks.length - 1} chunks, ${number} is invalid`);
      return { chunk: number.toString(), total: chunks.length.toString(), data };
    },
    always,
  ),

  blockchain: method({ minHeight: 'int', maxHeight: 'int' }, ({ engine }, { minHeight, maxHeight }) => {
    const { low, high } = headerRange(engine, minHeight ?? 0n, maxHeight ?? 0n);
    const metas: object[] = [];
    for (let height = high; height >= low; height--) {
      const meta = engine.store.meta(height);
      if (meta !== undefined) metas.push(blockMetaJson(meta));
    }
    return { last_height: latestHeight(engine).toString(), block_metas: metas };
  }),

  header: method(
    { height: 'int' },
    ({ engine }, { height }) => headerResultJson(engine.store.meta(heightOrLatest(engine, height))?.header),
    withHeight,
  ),

  header_by_hash: method(
    { hash: 'hex' },
    ({ engine }, { hash }) => {
      const height = engine.store.heightOf(hash ?? new Uint8Array());
      return headerResultJson(height === undefined ? undefined : engine.store.meta(height)?.header);
    },
    always,
  ),

  block: method(
    { height: 'int' },
    ({ engine }, { height }) => blockAt(engine, heightOrLatest(engine, height)),
    withHeight,
  ),

  block_by_hash: method(
    { hash: 'bytes' },
    ({ engine }, { hash }) => blockAt(engine, engine.store.heightOf(hash ?? new Uint8Array()) ?? 0n),
    always,
  ),

  block_results: method(
    { height: 'int' },
    ({ engine }, { height }) => {
      const at = heightOrLatest(engine, height);
      const response = engine.store.response(at);
      if (response === undefined) throw new Error(`could not find results for height #${at}`);
      return blockResultsJson(at, response);
    },
    withHeight,
  ),

  commit: method(
    { height: 'int' },
    ({ engine }, { height }) => {
      const at = heightOrLatest(engine, height);
      const meta = engine.store.meta(at);
      const commit = engine.store.commit(at);
      if (meta === undefined || commit === undefined) return null;
      return commitResultJson(meta.header, commit, at < latestHeight(engine));
    },
    withHeight,
  ),

  block_search: method(
    { query: 'string', page: 'int', per_page: 'int', order_by: 'string' },
    ({ engine }, { query, page, per_page, order_by }) => {
      if ((query ?? '').length > maxQueryLength) throw new Error('maximum query length exceeded');
      const stored = { low: engine.store.base, high: latestHeight(engine) };
      const found = engine.store.txs.searchBlocks(Query.parse(query ?? ''), stored);
      const heights = isDescending(order_by, true) ? found.reverse() : found;
      const blocks = pageOf(heights, page, per_page).map((height) => blockAt(engine, height));
      return { blocks, total_count: heights.length.toString() };
    },
  ),
};

function blockAt({ store }: SoloEngine, height: bigint): object {
  return blockResultJson(store.meta(height)?.blockId, store.block(height));
}

/** As CometBFT limits them: at most 20, from what is stored. */
function headerRange(engine: SoloEngine, min: bigint, max: bigint): { low: bigint; high: bigint } {
  if (min < 0n || max < 0n) throw new Error('heights must be non-negative');
  const latest = latestHeight(engine);
  const high = max === 0n || max > latest ? latest : max;
  let low = min === 0n ? 1n : min;
  if (low < engine.store.base) low = engine.store.base;
  if (low < high - maxHeaders + 1n) low = high - maxHeaders + 1n;
  if (low > high) throw new Error(`min height ${low} can't be greater than max height ${high}`);
  return { low, high };
}

const chunksOf = new WeakMap<SoloEngine, string[]>();

/** Genesis in base64, in pieces; made once per engine. */
function genesisChunks(engine: SoloEngine): string[] {
  const known = chunksOf.get(engine);
  if (known !== undefined) return known;
  const bytes = utf8(goJson(genesisJson(engine.genesis)));
  const chunks: string[] = [];
  for (let at = 0; at < bytes.length; at += genesisChunkBytes) {
    chunks.push(toBase64(bytes.subarray(at, at + genesisChunkBytes)));
  }
  chunksOf.set(engine, chunks);
  return chunks;
}
