/** A connection to a node: queries of every module, blocks, transactions. Loads CosmJS when it is made. */
import { Comet38Client, connectComet, HttpClient } from '@cosmjs/tendermint-rpc';
import { QueryDefinition as billing } from '@mu/proto/billing';
import { QueryDefinition as deployment } from '@mu/proto/deployment';
import { QueryDefinition as market } from '@mu/proto/market';
import { QueryDefinition as provider } from '@mu/proto/provider';
import { BaseAccount } from 'cosmjs-types/cosmos/auth/v1beta1/auth';
import { QueryAccountRequest, QueryAccountResponse } from 'cosmjs-types/cosmos/auth/v1beta1/query';
import {
  QueryBalanceRequest,
  QueryBalanceResponse,
  QuerySupplyOfRequest,
  QuerySupplyOfResponse,
} from 'cosmjs-types/cosmos/bank/v1beta1/query';
import { SimulateRequest, SimulateResponse } from 'cosmjs-types/cosmos/tx/v1beta1/service';
import { ChainError } from './errors.ts';
import { type AbciQuerier, type QueryService, queryService, rawQuery } from './query-service.ts';

/** What the chain says of an account that signs. */
export interface AccountFacts {
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

/** A transaction that is in a block. */
export interface CommittedTx {
  /** upper-case hex */
  readonly hash: string;
  readonly height: number;
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly gasUsed: bigint;
  /** encoded TxMsgData */
  readonly data: Uint8Array;
  readonly events: readonly {
    readonly type: string;
    readonly attributes: readonly { readonly key: string; readonly value: string }[];
  }[];
}

/** What answers for the state of a chain. */
export interface ChainView {
  readonly querier: AbciQuerier;
  height(): Promise<number>;
}

/** As the node itself tells it. */
function viewOf(comet: Comet38Client): ChainView {
  return { querier: comet, height: async () => (await comet.status()).syncInfo.latestBlockHeight };
}

/** Of one request: below the blocks within which a lease has to be confirmed again. */
const requestMs = 20_000;

export class ChainClient {
  readonly comet: Comet38Client;
  readonly chainId: string;
  readonly provider: QueryService<typeof provider.methods>;
  readonly deployment: QueryService<typeof deployment.methods>;
  readonly market: QueryService<typeof market.methods>;
  readonly billing: QueryService<typeof billing.methods>;

  readonly #view: ChainView;

  private constructor(comet: Comet38Client, chainId: string, view: ChainView = viewOf(comet)) {
    this.comet = comet;
    this.chainId = chainId;
    this.#view = view;
    const { querier } = view;
    this.provider = queryService(querier, provider);
    this.deployment = queryService(querier, deployment);
    this.market = queryService(querier, market);
    this.billing = queryService(querier, billing);
  }

  /**
   * Connects to a node's RPC address, `http://host:port` (each call a request) or `ws://host:port` (one connection, and
   * events).
   * @param timeoutMs the longest that a request takes: a connection that went silent must not hold up whoever confirms leases
   * @throws Error when nothing answers there or it is no CometBFT 0.38 RPC
   */
  static async connect(rpcUrl: string, timeoutMs = requestMs): Promise<ChainClient> {
    const comet = /^https?:/.test(rpcUrl)
      ? await Comet38Client.create(new HttpClient(rpcUrl, timeoutMs))
      : ((await connectComet(rpcUrl)) as Comet38Client);
    const { nodeInfo } = await comet.status();
    return new ChainClient(comet, nodeInfo.network);
  }

  /** The same connection, with the chain as another view shows it. */
  seenThrough(view: ChainView): ChainClient {
    return new ChainClient(this.comet, this.chainId, view);
  }

  disconnect(): void {
    this.comet.disconnect();
  }

  height(): Promise<number> {
    return this.#view.height();
  }

  /** In the denomination's base unit; 0 for an address without any. */
  async balance(address: string, denom: string): Promise<bigint> {
    const data = QueryBalanceRequest.encode({ address, denom }).finish();
    const answer = QueryBalanceResponse.decode(await this.query('/cosmos.bank.v1beta1.Query/Balance', data));
    return BigInt(answer.balance?.amount ?? '0');
  }

  async supply(denom: string): Promise<bigint> {
    const data = QuerySupplyOfRequest.encode({ denom }).finish();
    return BigInt(
      QuerySupplyOfResponse.decode(await this.query('/cosmos.bank.v1beta1.Query/SupplyOf', data)).amount?.amount ?? '0',
    );
  }

  /** @returns undefined for an address that the chain has never seen */
  async account(address: string): Promise<AccountFacts | undefined> {
    try {
      const data = QueryAccountRequest.encode({ address }).finish();
      const answer = QueryAccountResponse.decode(await this.query('/cosmos.auth.v1beta1.Query/Account', data));
      if (answer.account === undefined) return undefined;
      const { accountNumber, sequence } = BaseAccount.decode(answer.account.value);
      return { accountNumber, sequence };
    } catch (error) {
      if (error instanceof ChainError && error.notFound) return undefined;
      throw error;
    }
  }

  /** Gas that a transaction would use. @throws ChainError with the chain's reason when it would fail */
  async simulate(txBytes: Uint8Array): Promise<bigint> {
    const data = SimulateRequest.encode(SimulateRequest.fromPartial({ txBytes })).finish();
    const answer = SimulateResponse.decode(await this.query('/cosmos.tx.v1beta1.Service/Simulate', data));
    return answer.gasInfo?.gasUsed ?? 0n;
  }

  /** An encoded query by its gRPC path. @throws ChainError */
  query(path: string, data: Uint8Array): Promise<Uint8Array> {
    return rawQuery(this.#view.querier, path, data);
  }

  /** A transaction by its hash; undefined while it is in no block. */
  async tx(hash: Uint8Array): Promise<CommittedTx | undefined> {
    try {
      const found = await this.comet.tx({ hash });
      return {
        hash: Buffer.from(hash).toString('hex').toUpperCase(),
        height: found.height,
        code: found.result.code,
        codespace: found.result.codespace ?? '',
        log: found.result.log ?? '',
        gasUsed: found.result.gasUsed,
        data: found.result.data ?? new Uint8Array(),
        events: found.result.events,
      };
    } catch (error) {
      // The RPC has no code of its own for this: CometBFT's text is its interface here.
      if (error instanceof Error && error.message.includes('not found')) return undefined;
      throw error;
    }
  }
}
