/** What the node and the application say of themselves in CometBFT's JSON: status, info, answers of queries. */
import type { Timestamp } from 'cosmjs-types/google/protobuf/timestamp';
import type { ResponseInfo, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import type { BlockMeta } from 'cosmjs-types/tendermint/types/types';
import { publicKeyToAmino } from '../engine/keys.ts';
import { formatTime } from '../engine/time.ts';
import { base64OrNull, hex, omitEmpty } from './go-json.ts';

/** `abci_info`. */
export function infoJson(info: ResponseInfo): object {
  const response = omitEmpty({
    data: info.data,
    version: info.version,
    app_version: info.appVersion.toString(),
    last_block_height: info.lastBlockHeight.toString(),
    last_block_app_hash: base64OrNull(info.lastBlockAppHash),
  });
  return { response };
}

/** `abci_query`. */
export function queryJson(response: ResponseQuery): object {
  const { proofOps } = response;
  return {
    response: {
      code: response.code,
      log: response.log,
      info: response.info,
      index: response.index.toString(),
      key: base64OrNull(response.key),
      value: base64OrNull(response.value),
      proofOps:
        proofOps === undefined
          ? null
          : {
              ops: proofOps.ops.map(({ type, key, data }) => ({
                type,
                key: base64OrNull(key),
                data: base64OrNull(data),
              })),
            },
      height: response.height.toString(),
      codespace: response.codespace,
    },
  };
}

/** What `status` says besides the node's name. */
export interface StatusParts {
  nodeId: string;
  listenAddress: string;
  rpcAddress: string;
  chainId: string;
  version: string;
  moniker: string;
  protocol: { p2p: bigint; block: bigint; app: bigint };
  latest: BlockMeta | undefined;
  earliest: BlockMeta | undefined;
  validator: { address: Uint8Array; publicKey: Uint8Array; power: bigint };
}

const epoch: Timestamp = { seconds: 0n, nanos: 0 };
const nothing = new Uint8Array();

/** `status`. */
export function statusJson(parts: StatusParts): object {
  const { latest, earliest, validator, protocol } = parts;
  return {
    node_info: {
      protocol_version: {
        p2p: protocol.p2p.toString(),
        block: protocol.block.toString(),
        app: protocol.app.toString(),
      },
      id: parts.nodeId,
      listen_addr: parts.listenAddress,
      network: parts.chainId,
      version: parts.version,
      // The embedded engine speaks to no peers.
      channels: '',
      moniker: parts.moniker,
      other: { tx_index: 'on', rpc_address: parts.rpcAddress },
    },
    sync_info: {
      latest_block_hash: hex(latest?.blockId.hash ?? nothing),
      latest_app_hash: hex(latest?.header.appHash ?? nothing),
      latest_block_height: (latest?.header.height ?? 0n).toString(),
      latest_block_time: formatTime(latest?.header.time ?? epoch),
      earliest_block_hash: hex(earliest?.blockId.hash ?? nothing),
      earliest_app_hash: hex(earliest?.header.appHash ?? nothing),
      earliest_block_height: (earliest?.header.height ?? 0n).toString(),
      earliest_block_time: formatTime(earliest?.header.time ?? epoch),
      catching_up: false,
    },
    validator_info: {
      address: hex(validator.address),
      pub_key: publicKeyToAmino({ ed25519: validator.publicKey }),
      voting_power: validator.power.toString(),
    },
  };
}
