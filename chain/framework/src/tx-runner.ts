/**
 * Runs one transaction as the SDK's BaseApp does (baseapp/baseapp.go runTx, runMsgs): ante checks on a branch, then all
 * messages on another one, written only if every message succeeds; the same gas, the same events in the same order.
 */

import { toBech32 } from '@mu/lib/bech32';
import { WireWriter } from '@mu/lib/wire-writer';
import type { Any } from 'cosmjs-types/google/protobuf/any';
import type { AnteStep } from './ante.ts';
import type { Context } from './context.ts';
import { AbciError, errInvalidRequest, errOutOfGas, type Failure, toFailure } from './errors.ts';
import { type Event, EventLog, withAttribute } from './events.ts';
import { GasMeter, maxUint64 } from './gas.ts';
import { refuseReservedSigners, type Tx, type TxMessage } from './tx.ts';

/** What became of a transaction. */
export interface TxResult {
  readonly failure: Failure | undefined;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  /** encoded TxMsgData; empty on failure */
  readonly data: Uint8Array;
  /** on failure those of the ante checks: their writes stay */
  readonly events: readonly Event[];
}

const noBytes = new Uint8Array();

export interface TxRunner {
  readonly ante: readonly AnteStep[];
  /** the address that only the block itself may speak for */
  readonly reservedSigner: Uint8Array | undefined;
}

/**
 * @param ctx of the block, its check or a simulation; it is written to
 * @param blockGas of the block that is executed
 */
export function runTx(runner: TxRunner, ctx: Context, tx: Tx, blockGas?: GasMeter): TxResult {
  if (blockGas?.isExhausted()) {
    return refused(errOutOfGas.wrap('no block gas left to run tx'));
  }
  // A log of its own, which nobody reads: events of the checks and of the messages are put together below.
  const txCtx = ctx.with({ gas: new GasMeter(), txBytes: tx.raw, txHash: tx.hash, events: new EventLog() });
  const run: Run = { txCtx, metered: false, anteEvents: [] };
  let result: TxResult;
  try {
    if (tx.messages.length === 0) throw errInvalidRequest.wrap('must contain at least one message');
    refuseReservedSigners(tx, runner.reservedSigner);
    runAnte(runner.ante, run, tx);
    const { data, events } = runMessages(run, tx);
    // The block's gas counts before the writes: what does not fit the block leaves no trace but its fee.
    if (blockGas !== undefined) consumeBlockGas(run, blockGas);
    const happened = ctx.mode === 'finalize' || ctx.mode === 'simulate';
    result = outcome(run, undefined, data, happened ? [...run.anteEvents, ...events] : []);
    run.writeMessages?.();
    return result;
  } catch (thrown) {
    result = outcome(run, toFailure(thrown), noBytes, run.anteEvents);
  }
  try {
    if (run.writeMessages === undefined) blockGas?.consume(run.txCtx.gas.consumedToLimit(), 'block gas meter');
  } catch {
    // A failed transaction may also exhaust the block; it has failed already and the next one is refused.
  }
  return result;
}

/** @throws AbciError out of gas (11) whose text names the transaction's own gas, as the SDK's does */
function consumeBlockGas(run: Run, blockGas: GasMeter): void {
  try {
    blockGas.consume(run.txCtx.gas.consumedToLimit(), 'block gas meter');
  } catch {
    const { consumed } = run.txCtx.gas;
    const wanted = gasWanted(run);
    throw errOutOfGas.wrap(`out of gas in location: block gas meter; gasWanted: ${wanted}, gasUsed: ${consumed}`);
  }
}

/** The steps of a run that a failure needs to know of. */
interface Run {
  txCtx: Context;
  /** whether the meter is the transaction's own, which the first check sets */
  metered: boolean;
  anteEvents: readonly Event[];
  writeMessages?: () => void;
}

function refused(error: AbciError): TxResult {
  return { failure: toFailure(error), gasWanted: 0n, gasUsed: 0n, data: noBytes, events: [] };
}

function outcome(run: Run, failure: Failure | undefined, data: Uint8Array, events: readonly Event[]): TxResult {
  return { failure, gasWanted: gasWanted(run), gasUsed: run.txCtx.gas.consumed, data, events };
}

/** The limit of the meter; the greatest there is where it has none, as in a simulation. */
function gasWanted({ metered, txCtx }: Run): bigint {
  return metered ? (txCtx.gas.limit ?? maxUint64) : 0n;
}

function runAnte(steps: readonly AnteStep[], run: Run, tx: Tx): void {
  const { ctx, write } = run.txCtx.branch();
  let current = ctx;
  for (const step of steps) {
    const next = step.run(current, tx);
    if (next === undefined) continue;
    current = next;
    // From here on the transaction's own meter counts, also when a later check fails.
    run.txCtx = run.txCtx.with({ gas: next.gas });
    run.metered = true;
  }
  write();
  run.anteEvents = ctx.events.events;
}

function runMessages(run: Run, tx: Tx): { data: Uint8Array; events: readonly Event[] } {
  const { mode } = run.txCtx;
  // A check ends where the messages begin (SDK: handlers run only in FinalizeBlock and simulation).
  if (mode !== 'finalize' && mode !== 'simulate') return { data: noBytes, events: [] };
  const { ctx, write } = run.txCtx.branch();
  const responses: Any[] = [];
  const events: Event[] = [];
  tx.messages.forEach((message, index) => {
    try {
      const done = runMessage(ctx, message, index);
      responses.push(done.response);
      events.push(...done.events);
    } catch (thrown) {
      if (thrown instanceof AbciError && thrown.kind !== errOutOfGas) {
        throw thrown.at(`failed to execute message; message index: ${index}`);
      }
      throw thrown;
    }
  });
  run.writeMessages = write;
  return { data: encodeMsgData(responses), events };
}

const writer = new WireWriter();

/** TxMsgData with these as its `msg_responses`: what a transaction answers. */
export function encodeMsgData(responses: readonly Any[]): Uint8Array {
  writer.start();
  for (const { typeUrl, value } of responses) {
    const response = writer.begin(2);
    writer.text(1, typeUrl).bytes(2, value).end(response);
  }
  return writer.finish();
}

/** Carries out one message with an event log of its own. */
export function runMessage(ctx: Context, message: TxMessage, index: number): { response: Any; events: Event[] } {
  const own = ctx.with({ events: new EventLog() });
  const response = message.type.handler(own, message.value);
  return {
    response: {
      typeUrl: message.type.responseTypeUrl,
      value: message.type.responseCodec.encode(response).finish(),
    },
    events: messageEvents(ctx, message, own.events.events, index),
  };
}

/** The events of a message behind its `message` event, each with the message's index (baseapp createEvents). */
export function messageEvents(ctx: Context, message: TxMessage, events: readonly Event[], index: number): Event[] {
  const attributes: [string, string][] = [['action', message.type.typeUrl]];
  const [sender] = message.signers;
  if (sender !== undefined) attributes.push(['sender', toBech32(ctx.chain.bech32Prefix, sender)]);
  const module = message.type.typeUrl.split('.')[1];
  const namesModule = events.some((event) => event.attributes.some(([key]) => key === 'module'));
  if (!namesModule && module !== undefined) attributes.push(['module', module]);
  return [{ type: 'message', attributes }, ...events].map((event) =>
    withAttribute(event, 'msg_index', index.toString()),
  );
}
