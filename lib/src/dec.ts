/**
 * Fractions: 18 decimals, held as an integer of atomics (10⁻¹⁸), as the SDK's LegacyDec. Immutable. At most 10³⁶
 * in absolute value (design §5), checked at construction, so no operation can leave the range unseen.
 */

/** Why a Dec was refused; callers match on this, never on the text. */
export type DecErrorReason = 'syntax' | 'overflow' | 'division-by-zero';

/** A text that is no Dec, a value beyond the bound, or a division by zero. */
export class DecError extends Error {
  override readonly name = 'DecError';
  readonly reason: DecErrorReason;

  constructor(reason: DecErrorReason, message: string) {
    super(message);
    this.reason = reason;
  }
}

const decimals = 18;
const unit = 10n ** 18n;
const maxAtomics = 10n ** 36n * unit;
// 37 digits before the point: 10^36 itself has 37.
const decimalPattern = /^(-?)(0|[1-9][0-9]{0,36})(?:\.([0-9]{1,18}))?$/;
const atomicsPattern = /^(?:0|-?[1-9][0-9]{0,54})$/;

/** A fixed-point number with 18 decimals. */
export class Dec {
  /** The value in units of 10⁻¹⁸. */
  readonly atomics: bigint;

  static readonly zero: Dec = new Dec(0n);
  static readonly one: Dec = new Dec(unit);
  /** The bound: no Dec is greater, none below its negative. */
  static readonly max: Dec = new Dec(maxAtomics);

  private constructor(atomics: bigint) {
    if (atomics > maxAtomics || atomics < -maxAtomics) {
      throw new DecError('overflow', 'decimal is beyond the bound of 10^36');
    }
    this.atomics = atomics;
  }

  /** From a decimal text: `1.25`, `-3`. No plus, exponent, space, bare point or leading zero. @throws DecError */
  static fromString(text: string): Dec {
    const match = decimalPattern.exec(text);
    if (!match) {
      throw new DecError('syntax', `${JSON.stringify(text.slice(0, 100))} is not a decimal with at most 18 decimals`);
    }
    const fraction = (match[3] ?? '').padEnd(decimals, '0');
    const magnitude = BigInt(match[2]!) * unit + BigInt(fraction);
    return new Dec(match[1] === '-' ? -magnitude : magnitude);
  }

  /** From atomics, the form on the wire: the integer or its text without plus, space or leading zero. @throws DecError */
  static fromAtomics(atomics: string | bigint): Dec {
    if (typeof atomics === 'bigint') return new Dec(atomics);
    if (!atomicsPattern.test(atomics)) {
      throw new DecError('syntax', `${JSON.stringify(atomics.slice(0, 100))} is not a whole number of atomics`);
    }
    return new Dec(BigInt(atomics));
  }

  /** From a whole number. @throws DecError beyond the bound */
  static fromInt(value: bigint): Dec {
    return new Dec(value * unit);
  }

  /** The SDK's text: always 18 decimals, `1.250000000000000000`. */
  toString(): string {
    const magnitude = this.atomics < 0n ? -this.atomics : this.atomics;
    const fraction = (magnitude % unit).toString().padStart(decimals, '0');
    return `${this.atomics < 0n ? '-' : ''}${magnitude / unit}.${fraction}`;
  }

  /** The shortest text: `1.25`, `3`. */
  toPlain(): string {
    return this.toString().replace(/\.?0+$/, '');
  }

  /** JSON is the SDK's text. */
  toJSON(): string {
    return this.toString();
  }

  /** The text of the atomics, the form on the wire. */
  atomicsString(): string {
    return this.atomics.toString();
  }

  /** @throws DecError beyond the bound */
  add(other: Dec): Dec {
    return new Dec(this.atomics + other.atomics);
  }

  /** @throws DecError beyond the bound */
  sub(other: Dec): Dec {
    return new Dec(this.atomics - other.atomics);
  }

  neg(): Dec {
    return new Dec(-this.atomics);
  }

  /** Product, rounded half to even (LegacyDec.Mul). @throws DecError beyond the bound */
  mul(other: Dec): Dec {
    return new Dec(roundHalfEven(this.atomics * other.atomics));
  }

  /** Product, cut towards zero (LegacyDec.MulTruncate). @throws DecError beyond the bound */
  mulTruncate(other: Dec): Dec {
    return new Dec((this.atomics * other.atomics) / unit);
  }

  /** Product with a whole number; exact. @throws DecError beyond the bound */
  mulInt(factor: bigint): Dec {
    return new Dec(this.atomics * factor);
  }

  /** Quotient, cut towards zero (LegacyDec.QuoTruncate). @throws DecError on zero or beyond the bound */
  quoTruncate(divisor: Dec): Dec {
    if (divisor.atomics === 0n) throw new DecError('division-by-zero', 'decimal divided by zero');
    return new Dec((this.atomics * unit) / divisor.atomics);
  }

  /** Quotient by a whole number, cut towards zero (LegacyDec.QuoInt). @throws DecError on zero */
  quoInt(divisor: bigint): Dec {
    if (divisor === 0n) throw new DecError('division-by-zero', 'decimal divided by zero');
    return new Dec(this.atomics / divisor);
  }

  /** The whole part, cut towards zero. */
  truncateInt(): bigint {
    return this.atomics / unit;
  }

  /** The least whole number that is not below. */
  ceilInt(): bigint {
    const whole = this.atomics / unit;
    return this.atomics > whole * unit ? whole + 1n : whole;
  }

  /** −1, 0 or 1. */
  cmp(other: Dec): -1 | 0 | 1 {
    if (this.atomics === other.atomics) return 0;
    return this.atomics < other.atomics ? -1 : 1;
  }

  equals(other: Dec): boolean {
    return this.atomics === other.atomics;
  }

  lt(other: Dec): boolean {
    return this.atomics < other.atomics;
  }

  gt(other: Dec): boolean {
    return this.atomics > other.atomics;
  }

  isZero(): boolean {
    return this.atomics === 0n;
  }

  isNegative(): boolean {
    return this.atomics < 0n;
  }

  isPositive(): boolean {
    return this.atomics > 0n;
  }
}

/** A product of atomics back to atomics, half to even on the magnitude (the SDK's chopPrecisionAndRound). */
function roundHalfEven(product: bigint): bigint {
  if (product < 0n) return -roundHalfEven(-product);
  const quotient = product / unit;
  const twice = (product % unit) * 2n;
  if (twice < unit) return quotient;
  if (twice > unit) return quotient + 1n;
  return quotient % 2n === 0n ? quotient : quotient + 1n;
}
