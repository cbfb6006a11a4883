/** ABCI Query: gRPC paths first, then `app/…`, `store/<name>/key` and `p2p/filter/…` (baseapp/abci.go Query). */
import { utf8 } from '@mu/lib/bytes';
import { SimulateRequest, SimulateResponse } from 'cosmjs-types/cosmos/tx/v1beta1/service';
import { type RequestQuery, ResponseQuery } from 'cosmjs-types/tendermint/abci/types';
import type { Context } from './context.ts';
import {
  AbciError,
  type ErrorKind,
  errInvalidRequest,
  errKeyNotFound,
  errNotFound,
  errUnauthorized,
  errUnknownRequest,
  type Failure,
  toFailure,
} from './errors.ts';
import { toAbciEvents } from './events.ts';
import type { QueryRouter } from './query-router.ts';
import type { CommitStore } from './store/commit-store.ts';
import type { TxResult } from './tx-runner.ts';

export interface QuerySources {
  readonly store: CommitStore;
  readonly queries: QueryRouter;
  readonly version: string;
  /** @param height 0 for the latest */
  readonly context: (height: bigint) => Context;
  readonly simulate: (raw: Uint8Array) => TxResult;
}

const simulatePath = '/cosmos.tx.v1beta1.Service/Simulate';

/** Never throws: what goes wrong is the answer's code. */
export function answerQuery(sources: QuerySources, request: RequestQuery): ResponseQuery {
  const height = sources.store.last.height;
  try {
    if (request.path === simulatePath) return ok(height, simulated(sources, request.data));
    if (sources.queries.get(request.path) !== undefined) {
      const at = request.height === 0n ? height : request.height;
      return ok(at, sources.queries.answer(sources.context(request.height), request.path, request.data));
    }
    return answerPath(sources, request);
  } catch (thrown) {
    const { codespace, code, log } = toGrpcFailure(thrown);
    const info = thrown instanceof SimulationFailure ? thrown.info : '';
    return ResponseQuery.fromPartial({ codespace, code, log, info, height });
  }
}

function answerPath(sources: QuerySources, request: RequestQuery): ResponseQuery {
  const { height } = sources.store.last;
  const [root, second, third] = request.path.split('/').filter((part) => part !== '');
  if (root === 'app' && second === 'version') return ok(height, utf8(sources.version));
  if (root === 'app' && second === 'simulate') return ok(height, simulateResponse(sources.simulate(request.data)));
  if (root === 'store' && second !== undefined && third === 'key') {
    const found = sources.store.read(second, request.data, request.height, request.prove);
    return ResponseQuery.fromPartial({
      key: request.data,
      value: found.value ?? new Uint8Array(),
      height: found.height,
      ...(found.proof === undefined ? {} : { proofOps: found.proof }),
    });
  }
  // Every peer is welcome: CometBFT's own lists decide.
  if (root === 'p2p' && second === 'filter') return ok(height, new Uint8Array());
  throw errUnknownRequest.wrap(`unknown query path: ${request.path}`);
}

function ok(height: bigint, value: Uint8Array): ResponseQuery {
  return ResponseQuery.fromPartial({ height, value });
}

function simulated(sources: QuerySources, data: Uint8Array): Uint8Array {
  const request = SimulateRequest.decode(data);
  if (request.txBytes.length === 0) throw errInvalidRequest.wrap('empty txBytes is not allowed');
  return simulateResponse(sources.simulate(request.txBytes));
}

function simulateResponse(result: TxResult): Uint8Array {
  const { failure } = result;
  if (failure !== undefined) {
    // The text of a failed simulation ends with the gas that it had used, as in the SDK (x/auth/tx/service.go).
    throw new SimulationFailure(failure, result.gasUsed);
  }
  const events = toAbciEvents(result.events);
  return SimulateResponse.encode(
    SimulateResponse.fromPartial({
      gasInfo: { gasWanted: result.gasWanted, gasUsed: result.gasUsed },
      result: { data: result.data, log: '', events },
    }),
  ).finish();
}

/**
 * A simulation that failed. The SDK answers code 6 with the reason in the text only; the pair that the transaction itself
 * would get stands beside it in `info`, which is no consensus and which other clients do not look at.
 */
class SimulationFailure extends AbciError {
  readonly info: string;

  constructor({ codespace, code, log }: Failure, gasUsed: bigint) {
    super(
      errUnknownRequest,
      `rpc error: code = Unknown desc = ${log} with gas used: '${gasUsed}': ${errUnknownRequest.description}`,
    );
    this.info = JSON.stringify({ codespace, code });
  }
}

/** gRPC status names by the error that stands for them, and the code they have over ABCI (cosmos.md). */
const grpcStatus: readonly (readonly [ErrorKind, string, number])[] = [
  [errNotFound, 'NotFound', 22],
  [errKeyNotFound, 'NotFound', 22],
  [errInvalidRequest, 'InvalidArgument', 18],
  [errUnauthorized, 'Unauthenticated', 4],
];

/** Clients match on `rpc error: code = NotFound desc = …: key not found`. */
function toGrpcFailure(thrown: unknown): { codespace: string; code: number; log: string } {
  if (thrown instanceof AbciError) {
    const known = grpcStatus.find(([kind]) => kind === thrown.kind);
    if (known !== undefined) {
      const [, name, code] = known;
      const tail = code === 22 ? 'key not found' : code === 18 ? 'invalid request' : 'unauthorized';
      const text = stripTail(thrown.message, thrown.kind.description);
      return { codespace: 'sdk', code, log: `rpc error: code = ${name} desc = ${text}: ${tail}` };
    }
  }
  return toFailure(thrown);
}

function stripTail(message: string, description: string): string {
  const tail = `: ${description}`;
  return message.endsWith(tail) ? message.slice(0, -tail.length) : message;
}
