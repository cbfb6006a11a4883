/** An application behind a socket, driven as if it were in this process: the other end of an {@link AbciServer}. */
import type {
  RequestApplySnapshotChunk,
  RequestCheckTx,
  RequestExtendVote,
  RequestFinalizeBlock,
  RequestInfo,
  RequestInitChain,
  RequestLoadSnapshotChunk,
  RequestOfferSnapshot,
  RequestPrepareProposal,
  RequestProcessProposal,
  RequestQuery,
  RequestVerifyVoteExtension,
  ResponseApplySnapshotChunk,
  ResponseCheckTx,
  ResponseCommit,
  ResponseEcho,
  ResponseExtendVote,
  ResponseFinalizeBlock,
  ResponseInfo,
  ResponseInitChain,
  ResponseListSnapshots,
  ResponseLoadSnapshotChunk,
  ResponseOfferSnapshot,
  ResponsePrepareProposal,
  ResponseProcessProposal,
  ResponseQuery,
  ResponseVerifyVoteExtension,
} from 'cosmjs-types/tendermint/abci/types';
import type { Application } from './application.ts';
import { type AbciConnectionError, ClientConnection } from './client-connection.ts';
import { defaultMaxMessageBytes } from './frame.ts';
import { type Connection, connections, type Method, methods } from './methods.ts';

export interface AbciClientOptions {
  maxMessageBytes?: number;
  /** How long to wait for an application that does not listen yet. */
  connectTimeoutMs?: number;
  /** A connection broke by itself: the client is of no use any more. Called once. */
  onFailure?: (error: AbciConnectionError) => void;
}

const retryMs = 100;

/**
 * Four connections, as CometBFT opens them. Calls are sent at once and answered in their order on each connection. When
 * one connection breaks all are given up, since the application behind them is one.
 */
export class AbciClient implements Application {
  readonly #connections: Readonly<Record<Connection, ClientConnection>>;

  private constructor(opened: Readonly<Record<Connection, ClientConnection>>) {
    this.#connections = opened;
  }

  /** @param address as CometBFT's `proxy_app`. @throws Error when nothing listens there in time */
  static async connect(address: string, options: AbciClientOptions = {}): Promise<AbciClient> {
    const deadline = performance.now() + (options.connectTimeoutMs ?? 30_000);
    const opened: Partial<Record<Connection, ClientConnection>> = {};
    let failure: AbciConnectionError | undefined;
    const giveUp = (): void => {
      for (const connection of Object.values(opened)) connection.close();
    };
    const onBroken = (error: AbciConnectionError): void => {
      if (failure !== undefined) return;
      failure = error;
      giveUp();
      options.onFailure?.(error);
    };
    const maxMessageBytes = options.maxMessageBytes ?? defaultMaxMessageBytes;
    try {
      for (const name of connections) {
        opened[name] = await openBefore(deadline, { name, address, maxMessageBytes, onBroken });
      }
    } catch (error) {
      giveUp();
      throw error;
    }
    return new AbciClient(opened as Record<Connection, ClientConnection>);
  }

  /** Ends the connections; what is outstanding is rejected. */
  close(): void {
    for (const connection of Object.values(this.#connections)) connection.close();
  }

  #call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return this.#connections[method.connection].call(method, request);
  }

  /** The application's server repeats the text; for tests of a connection. */
  echo(message: string): Promise<ResponseEcho> {
    return this.#call(methods.echo, { message });
  }
  info(request: RequestInfo): Promise<ResponseInfo> {
    return this.#call(methods.info, request);
  }
  query(request: RequestQuery): Promise<ResponseQuery> {
    return this.#call(methods.query, request);
  }
  checkTx(request: RequestCheckTx): Promise<ResponseCheckTx> {
    return this.#call(methods.checkTx, request);
  }
  initChain(request: RequestInitChain): Promise<ResponseInitChain> {
    return this.#call(methods.initChain, request);
  }
  prepareProposal(request: RequestPrepareProposal): Promise<ResponsePrepareProposal> {
    return this.#call(methods.prepareProposal, request);
  }
  processProposal(request: RequestProcessProposal): Promise<ResponseProcessProposal> {
    return this.#call(methods.processProposal, request);
  }
  extendVote(request: RequestExtendVote): Promise<ResponseExtendVote> {
    return this.#call(methods.extendVote, request);
  }
  verifyVoteExtension(request: RequestVerifyVoteExtension): Promise<ResponseVerifyVoteExtension> {
    return this.#call(methods.verifyVoteExtension, request);
  }
  finalizeBlock(request: RequestFinalizeBlock): Promise<ResponseFinalizeBlock> {
    return this.#call(methods.finalizeBlock, request);
  }
  commit(): Promise<ResponseCommit> {
    return this.#call(methods.commit, {});
  }
  listSnapshots(): Promise<ResponseListSnapshots> {
    return this.#call(methods.listSnapshots, {});
  }
  offerSnapshot(request: RequestOfferSnapshot): Promise<ResponseOfferSnapshot> {
    return this.#call(methods.offerSnapshot, request);
  }
  loadSnapshotChunk(request: RequestLoadSnapshotChunk): Promise<ResponseLoadSnapshotChunk> {
    return this.#call(methods.loadSnapshotChunk, request);
  }
  applySnapshotChunk(request: RequestApplySnapshotChunk): Promise<ResponseApplySnapshotChunk> {
    return this.#call(methods.applySnapshotChunk, request);
  }
}

/** The application may be starting: tries until the deadline. */
async function openBefore(
  deadline: number,
  options: Parameters<typeof ClientConnection.open>[0],
): Promise<ClientConnection> {
  for (;;) {
    try {
      return await ClientConnection.open(options);
    } catch (error) {
      if (performance.now() >= deadline) {
        throw new Error(
          `no application answers at ${options.address}: ${error instanceof Error ? error.message : error}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, retryMs));
    }
  }
}
