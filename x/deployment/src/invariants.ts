/** What must always hold of deployments. Each reads everything: for tests and simulations, never in production. */
import type { Context } from '@mu/framework/context';
import { GasMeter } from '@mu/framework/gas';
import type { Invariant } from '@mu/framework/module';
import { toHex } from '@mu/lib/bytes';
import { activeCount, byState, deployments, isActive, lastDseq } from './state.ts';

export const deploymentInvariants: readonly Invariant[] = [
  { name: 'DEP-1', check: (ctx) => countsAgree(unmetered(ctx)) },
  { name: 'DEP-2', check: (ctx) => statesAgree(unmetered(ctx)) },
  { name: 'DEP-3', check: (ctx) => dseqsAreUsedOnce(unmetered(ctx)) },
];

function unmetered(ctx: Context): Context {
  return ctx.with({ gas: new GasMeter() });
}

/** The count of each owner is that of its active deployments. */
function countsAgree(ctx: Context): string | undefined {
  const counted = new Map<string, bigint>();
  for (const [[owner], deployment] of deployments.iterate(ctx)) {
    const name = toHex(owner);
    if (isActive(deployment)) counted.set(name, (counted.get(name) ?? 0n) + 1n);
  }
  let owners = 0;
  for (const [owner, count] of activeCount.iterate(ctx)) {
    owners += 1;
    const real = counted.get(toHex(owner)) ?? 0n;
    if (real !== count) return `${toHex(owner)} has ${real} active deployments, the count says ${count}`;
  }
  return owners === counted.size ? undefined : `${counted.size} owners have active deployments, ${owners} are counted`;
}

/** Each deployment stands in the index of its state, and the index names no other. */
function statesAgree(ctx: Context): string | undefined {
  let known = 0;
  for (const [[owner, dseq], { state }] of deployments.iterate(ctx)) {
    known += 1;
    if (!byState.has(ctx, [state, owner, dseq])) return `${toHex(owner)}/${dseq} is missing in the index of its state`;
  }
  const indexed = [...byState.iterate(ctx)].length;
  return indexed === known ? undefined : `${known} deployments, ${indexed} in the index`;
}

function dseqsAreUsedOnce(ctx: Context): string | undefined {
  for (const [[owner, dseq]] of deployments.iterate(ctx)) {
    const last = lastDseq.get(ctx, owner) ?? 0n;
    if (dseq > last) return `${toHex(owner)}/${dseq} is above the last dseq ${last}`;
  }
  return undefined;
}
