/** Rational numbers: the model reckons exactly and rounds only where a rule says so. */

/** 1 umu in atomics of 10⁻¹⁸. */
export const unit = 10n ** 18n;

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

/** A number ≥ 0 as numerator and denominator without a common divisor. */
export class Fraction {
  static readonly zero = new Fraction(0n, 1n);
  readonly n: bigint;
  readonly d: bigint;

  private constructor(n: bigint, d: bigint) {
    this.n = n;
    this.d = d;
  }

  static of(n: bigint, d = 1n): Fraction {
    if (n < 0n || d <= 0n) throw new RangeError(`${n}/${d} is no amount`);
    const common = gcd(n, d);
    return new Fraction(n / common, d / common);
  }

  /** A decimal as it stands on the wire, in atomics; nothing is 0. */
  static ofAtomics(text: string): Fraction {
    return Fraction.of(BigInt(text === '' ? '0' : text), unit);
  }

  plus(other: Fraction): Fraction {
    return Fraction.of(this.n * other.d + other.n * this.d, this.d * other.d);
  }

  minus(other: Fraction): Fraction {
    return Fraction.of(this.n * other.d - other.n * this.d, this.d * other.d);
  }

  times(other: Fraction | bigint): Fraction {
    return typeof other === 'bigint'
      ? Fraction.of(this.n * other, this.d)
      : Fraction.of(this.n * other.n, this.d * other.d);
  }

  /** @param by above 0 */
  over(by: bigint): Fraction {
    return Fraction.of(this.n, this.d * by);
  }

  floor(): bigint {
    return this.n / this.d;
  }

  ceil(): bigint {
    return (this.n + this.d - 1n) / this.d;
  }

  /** Cut to 18 decimals. */
  cut(): Fraction {
    return Fraction.of(this.times(unit).floor(), unit);
  }

  /** Rounded up to 18 decimals. */
  raised(): Fraction {
    return Fraction.of(this.times(unit).ceil(), unit);
  }

  isAbove(other: Fraction): boolean {
    return this.n * other.d > other.n * this.d;
  }

  equals(other: Fraction): boolean {
    return this.n === other.n && this.d === other.d;
  }

  /** The text on the wire. @throws RangeError where 18 decimals do not hold it */
  atomics(): string {
    const atomics = this.times(unit);
    if (atomics.d !== 1n) throw new RangeError(`${this.n}/${this.d} has more than 18 decimals`);
    return `${atomics.n}`;
  }
}

export const sumOf = (list: readonly Fraction[]): Fraction => list.reduce((sum, one) => sum.plus(one), Fraction.zero);

export const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
