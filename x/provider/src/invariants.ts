/** What must always hold of the registry. Each reads everything: for tests and simulations, never in production. */
import type { Context } from '@mu/framework/context';
import { GasMeter } from '@mu/framework/gas';
import type { Invariant } from '@mu/framework/module';
import { moduleAddress } from '@mu/lib/address';
import { parseAmount } from '@mu/lib/amounts';
import { toBech32 } from '@mu/lib/bech32';
import type { ProviderDeps } from './expected-keepers.ts';
import { moduleName } from './keys.ts';
import { providers, providersByRegion } from './state.ts';

export function providerInvariants(deps: ProviderDeps): Invariant[] {
  return [
    { name: 'PRV-1', check: (ctx) => depositsAreHeld(deps, unmetered(ctx)) },
    { name: 'PRV-2', check: (ctx) => regionsAgree(unmetered(ctx)) },
  ];
}

function unmetered(ctx: Context): Context {
  return ctx.with({ gas: new GasMeter() });
}

/** The module account holds at least the deposits; others may have sent it more. */
function depositsAreHeld(deps: ProviderDeps, ctx: Context): string | undefined {
  let locked = 0n;
  for (const [, { deposit }] of providers.iterate(ctx)) locked += parseAmount(deposit?.amount ?? '0');
  const held = deps.bank.balance(ctx, toBech32(ctx.chain.bech32Prefix, moduleAddress(moduleName)), ctx.chain.denom);
  return held < locked ? `deposits of ${locked} are locked, the account holds ${held}` : undefined;
}

function regionsAgree(ctx: Context): string | undefined {
  let stated = 0;
  for (const [key, { owner, regions }] of providers.iterate(ctx)) {
    stated += regions.length;
    const missing = regions.find((region) => !providersByRegion.has(ctx, [region, key]));
    if (missing !== undefined) return `${owner} serves ${missing} and the index does not say so`;
  }
  const indexed = [...providersByRegion.iterate(ctx)].length;
  return indexed === stated ? undefined : `${stated} regions are stated, ${indexed} are in the index`;
}
