/**
 * The transaction that a block must begin with (design §5): messages that the state itself calls for, carried as one
 * ordinary `TxRaw` without signatures so that every client decodes it. Its bytes are a pure function of the state
 * committed at H−1 and of H: each node computes them, none believes the proposer.
 */
import { equalBytes } from '@mu/lib/bytes';
import { AuthInfo, Fee, TxBody, TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import type { Context } from './context.ts';
import type { Failure } from './errors.ts';

/** The most bytes that the transaction takes of a block (design §5). */
export const maxSystemTxBytes = 65_536;

/** Envelope bytes beside the messages: body and auth info headers, timeout height. */
const envelopeBytes = 64;
/** Field tag and length before each message in the body. */
const perMessageBytes = 6;

/** Who says what a block must begin with. One module does. */
export interface SystemTxSource {
  /** the module account that the messages name as signer; it is refused as signer anywhere else */
  readonly signer: Uint8Array;
  /** What is due in the block of `height`, in order; `ctx` is on the state committed before it. Must be pure. */
  due(ctx: Context, height: bigint): readonly Any[];
  /**
   * Settles a message that failed, so that it is not due again, and says what its response is: it carries the code.
   * Runs on a branch of its own.
   */
  settleFailure(ctx: Context, message: Any, failure: Failure): Any;
}

/** The bytes of the transaction for these messages; undefined when there is none. Messages that do not fit wait. */
export function encodeSystemTx(messages: readonly Any[], height: bigint): Uint8Array | undefined {
  const fitting: Any[] = [];
  let size = envelopeBytes;
  for (const message of messages) {
    size += perMessageBytes + message.typeUrl.length + message.value.length + perMessageBytes;
    if (size > maxSystemTxBytes) break;
    fitting.push(message);
  }
  if (fitting.length === 0) return undefined;
  const body = TxBody.fromPartial({ messages: fitting, timeoutHeight: height });
  const authInfo = AuthInfo.fromPartial({ fee: Fee.fromPartial({}) });
  return TxRaw.encode({
    bodyBytes: TxBody.encode(body).finish(),
    authInfoBytes: AuthInfo.encode(authInfo).finish(),
    signatures: [],
  }).finish();
}

/** Whether `raw` is what the block had to begin with. */
export function isExpected(expected: Uint8Array | undefined, raw: Uint8Array): boolean {
  return expected !== undefined && equalBytes(expected, raw);
}
