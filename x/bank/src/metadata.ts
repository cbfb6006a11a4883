/** What a denomination's description must be (x/bank/types/metadata.go). */
import { validateDenom } from '@mu/lib/amounts';
import type { DenomUnit, Metadata } from 'cosmjs-types/cosmos/bank/v1beta1/bank';

/** @throws Error with the SDK's text */
export function validateMetadata(metadata: Metadata): void {
  const { name, symbol, base, display, denomUnits } = metadata;
  if (name.trim() === '') throw new Error('name field cannot be blank');
  if (symbol.trim() === '') throw new Error('symbol field cannot be blank');
  validateDenom(base);
  validateDenom(display);
  const seen = new Set<string>();
  denomUnits.forEach((unit, at) => {
    validateUnit(unit, denomUnits[at - 1], base);
    if (seen.has(unit.denom)) throw new Error(`duplicate denomination unit ${unit.denom}`);
    seen.add(unit.denom);
  });
  if (!seen.has(display)) {
    throw new Error(`metadata must contain a denomination unit with display denom '${display}'`);
  }
}

function validateUnit(unit: DenomUnit, before: DenomUnit | undefined, base: string): void {
  if (before === undefined) {
    if (unit.denom !== base) {
      throw new Error(`metadata's first denomination unit must be the one with base denom '${base}'`);
    }
    if (unit.exponent !== 0) throw new Error(`the exponent for base denomination unit ${base} must be 0`);
  } else if (before.exponent >= unit.exponent) {
    throw new Error('denom units should be sorted asc by exponent');
  }
  validateDenom(unit.denom);
  unit.aliases.forEach((alias, at) => {
    if (unit.aliases.indexOf(alias) !== at) throw new Error(`duplicate denomination unit alias ${alias}`);
    if (alias.trim() === '') throw new Error(`alias for denom unit ${unit.denom} cannot be blank`);
  });
}
