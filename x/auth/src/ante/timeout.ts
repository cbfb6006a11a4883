/** Transactions that came too late (TxTimeoutHeightDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import { fromTimestamp } from '@mu/framework/block-record';
import { errTxTimeout, errTxTimeoutHeight } from '@mu/framework/errors';

export const timeout: AnteStep = {
  name: 'timeout',
  run(ctx, tx) {
    const { timeoutHeight, timeoutTimestamp } = tx.body;
    if (timeoutHeight > 0n && ctx.height > timeoutHeight) {
      throw errTxTimeoutHeight.wrap(`block height: ${ctx.height}, timeout height: ${timeoutHeight}`);
    }
    if (timeoutTimestamp === undefined || timeoutTimestamp.seconds === 0n) return undefined;
    const until = fromTimestamp(timeoutTimestamp);
    if (until < ctx.block.timeNs) {
      throw errTxTimeout.wrap(`block time: ${utcText(ctx.block.timeNs)}, timeout timestamp: ${utcText(until)}`);
    }
    return undefined;
  },
};

const secondsPerDay = 86_400n;

/** Nanoseconds since 1970 as Go prints a time: `2026-01-01 00:00:00.5 +0000 UTC`. */
export function utcText(timeNs: bigint): string {
  const seconds = floorDiv(timeNs, 1_000_000_000n);
  const nanos = timeNs - seconds * 1_000_000_000n;
  const days = floorDiv(seconds, secondsPerDay);
  const ofDay = seconds - days * secondsPerDay;
  const two = (value: bigint): string => value.toString().padStart(2, '0');
  const clock = `${two(ofDay / 3600n)}:${two((ofDay / 60n) % 60n)}:${two(ofDay % 60n)}`;
  const fraction = nanos === 0n ? '' : `.${nanos.toString().padStart(9, '0').replace(/0+$/, '')}`;
  return `${civilDate(days)} ${clock}${fraction} +0000 UTC`;
}

/** The date of a day counted from 1970-01-01, by eras of 400 years that begin on a 1 March. */
function civilDate(days: bigint): string {
  const shifted = days + 719_468n;
  const era = floorDiv(shifted, 146_097n);
  const dayOfEra = shifted - era * 146_097n;
  const yearOfEra = (dayOfEra - dayOfEra / 1_460n + dayOfEra / 36_524n - dayOfEra / 146_096n) / 365n;
  const dayOfYear = dayOfEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n);
  const march = (5n * dayOfYear + 2n) / 153n;
  const day = dayOfYear - (153n * march + 2n) / 5n + 1n;
  const month = march < 10n ? march + 3n : march - 9n;
  const year = yearOfEra + era * 400n + (month <= 2n ? 1n : 0n);
  return [year.toString().padStart(4, '0'), month.toString().padStart(2, '0'), day.toString().padStart(2, '0')].join(
    '-',
  );
}

function floorDiv(a: bigint, b: bigint): bigint {
  return a >= 0n ? a / b : -((b - 1n - a) / b);
}
