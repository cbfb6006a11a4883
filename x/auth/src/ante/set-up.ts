/** The gas meter of the transaction (SetUpContextDecorator). */
import type { AnteStep } from '@mu/framework/ante';
import { errInvalidGasLimit } from '@mu/framework/errors';
import { GasMeter } from '@mu/framework/gas';

/** From here on gas counts: up to the limit that the fee names, without one in simulation and genesis. */
export const setUp: AnteStep = {
  name: 'set-up',
  run(ctx, tx) {
    const unmetered = ctx.mode === 'simulate' || ctx.mode === 'genesis';
    return ctx.with({ gas: unmetered ? new GasMeter() : new GasMeter(tx.authInfo.fee.gasLimit) });
  },
};

/** A transaction that no block has room for. Apart from the step above, so that its failure still names the gas wanted. */
export const blockGasLimit: AnteStep = {
  name: 'block-gas-limit',
  run(ctx, tx) {
    const wanted = tx.authInfo.fee.gasLimit;
    const most = ctx.blockGasLimit ?? 0n;
    if (most > 0n && wanted > most) {
      throw errInvalidGasLimit.wrap(`tx gas limit ${wanted} exceeds block max gas ${most}`);
    }
    return undefined;
  },
};
