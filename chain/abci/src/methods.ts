/**
 * The methods of ABCI 2.0, one row each: field numbers in `Request` and `Response` (types.proto of CometBFT 0.38), codecs,
 * and how they may run. A method of a later CometBFT (InsertTx, ReapTxs of 0.39) is one more row and one more method of
 * {@link Application}.
 */
import {
  RequestApplySnapshotChunk,
  RequestCheckTx,
  RequestCommit,
  RequestEcho,
  RequestExtendVote,
  RequestFinalizeBlock,
  RequestFlush,
  RequestInfo,
  RequestInitChain,
  RequestListSnapshots,
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
  ResponseFlush,
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
import type { Application, Reply } from './application.ts';
import { FrameError } from './frame.ts';

/** CometBFT's four connections, in the order in which it opens them. */
export const connections = ['query', 'snapshot', 'mempool', 'consensus'] as const;
export type Connection = (typeof connections)[number];

/** A protobuf message type of cosmjs-types. */
interface Codec<T> {
  encode(message: T): { finish(): Uint8Array };
  decode(bytes: Uint8Array): T;
}

/** How a method may run; what is left out is false. */
interface Traits {
  /** May be under way together with others of its kind on one connection; all others are alone on theirs. */
  readonly together?: boolean;
  /** Its failure leaves the application in an unknown state: nothing may follow. */
  readonly fatal?: boolean;
}

/** A method as a server needs it. */
export interface ServedMethod {
  readonly name: string;
  /** Field of `Request`. */
  readonly request: number;
  /** Field of `Response`. */
  readonly response: number;
  /** The connection on which CometBFT sends it. */
  readonly connection: Connection;
  readonly traits: Traits;
  /** The call that an encoded request asks for; it yields the encoded response. @throws FrameError */
  prepare(body: Uint8Array): (application: Application) => Reply<Uint8Array>;
}

/** A method as a client needs it. */
export interface Method<Request, Response> extends ServedMethod {
  readonly requestCodec: Codec<Request>;
  readonly responseCodec: Codec<Response>;
}

function method<Request, Response>(
  name: string,
  [request, requestCodec]: readonly [number, Codec<Request>],
  [response, responseCodec]: readonly [number, Codec<Response>],
  connection: Connection,
  call: (application: Application, request: Request) => Reply<Response>,
  traits: Traits = {},
): Method<Request, Response> {
  const encode = (message: Response): Uint8Array => responseCodec.encode(message).finish();
  const prepare = (body: Uint8Array) => {
    const message = decodeBody(name, requestCodec, body);
    return (application: Application): Reply<Uint8Array> => {
      const reply = call(application, message);
      return isPromise(reply) ? reply.then(encode) : encode(reply);
    };
  };
  return { name, request, response, connection, traits, requestCodec, responseCodec, prepare };
}

/** @throws FrameError */
export function decodeBody<T>(name: string, codec: Codec<T>, body: Uint8Array): T {
  try {
    return codec.decode(body);
  } catch (error) {
    throw new FrameError(`damaged ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/** Whether an answer is still to come. By its shape: promises of another realm count too. */
export function isPromise<T>(reply: Reply<T>): reply is Promise<T> {
  return typeof reply === 'object' && reply !== null && 'then' in reply;
}

const together = { together: true };
const fatal = { fatal: true };

export const methods = {
  echo: method('Echo', [1, RequestEcho], [2, ResponseEcho], 'query', (_, { message }) => ({ message }), together),
  flush: method('Flush', [2, RequestFlush], [3, ResponseFlush], 'mempool', () => ({}), together),
  info: method('Info', [3, RequestInfo], [4, ResponseInfo], 'query', (app, request) => app.info(request)),
  initChain: method(
    'InitChain',
    [5, RequestInitChain],
    [6, ResponseInitChain],
    'consensus',
    (app, request) => app.initChain(request),
    fatal,
  ),
  query: method(
    'Query',
    [6, RequestQuery],
    [7, ResponseQuery],
    'query',
    (app, request) => app.query(request),
    together,
  ),
  checkTx: method(
    'CheckTx',
    [8, RequestCheckTx],
    [9, ResponseCheckTx],
    'mempool',
    (app, request) => app.checkTx(request),
    together,
  ),
  commit: method('Commit', [11, RequestCommit], [12, ResponseCommit], 'consensus', (app) => app.commit(), fatal),
  listSnapshots: method('ListSnapshots', [12, RequestListSnapshots], [13, ResponseListSnapshots], 'snapshot', (app) =>
    app.listSnapshots(),
  ),
  offerSnapshot: method(
    'OfferSnapshot',
    [13, RequestOfferSnapshot],
    [14, ResponseOfferSnapshot],
    'snapshot',
    (app, request) => app.offerSnapshot(request),
  ),
  loadSnapshotChunk: method(
    'LoadSnapshotChunk',
    [14, RequestLoadSnapshotChunk],
    [15, ResponseLoadSnapshotChunk],
    'snapshot',
    (app, request) => app.loadSnapshotChunk(request),
  ),
  applySnapshotChunk: method(
    'ApplySnapshotChunk',
    [15, RequestApplySnapshotChunk],
    [16, ResponseApplySnapshotChunk],
    'snapshot',
    (app, request) => app.applySnapshotChunk(request),
  ),
  prepareProposal: method(
    'PrepareProposal',
    [16, RequestPrepareProposal],
    [17, ResponsePrepareProposal],
    'consensus',
    (app, request) => app.prepareProposal(request),
  ),
  processProposal: method(
    'ProcessProposal',
    [17, RequestProcessProposal],
    [18, ResponseProcessProposal],
    'consensus',
    (app, request) => app.processProposal(request),
  ),
  extendVote: method('ExtendVote', [18, RequestExtendVote], [19, ResponseExtendVote], 'consensus', (app, request) =>
    app.extendVote(request),
  ),
  verifyVoteExtension: method(
    'VerifyVoteExtension',
    [19, RequestVerifyVoteExtension],
    [20, ResponseVerifyVoteExtension],
    'consensus',
    (app, request) => app.verifyVoteExtension(request),
  ),
  finalizeBlock: method(
    'FinalizeBlock',
    [20, RequestFinalizeBlock],
    [21, ResponseFinalizeBlock],
    'consensus',
    (app, request) => app.finalizeBlock(request),
    fatal,
  ),
} as const;

/** Field of `Response` that says the application failed. */
export const exceptionField = 1;

const byRequest: ReadonlyMap<number, ServedMethod> = new Map(Object.values(methods).map((row) => [row.request, row]));

/** The method whose request has this field; undefined for one that this version of ABCI does not have. */
export function methodOfRequest(field: number): ServedMethod | undefined {
  return byRequest.get(field);
}
