/** Decimal texts of any length, compared exactly. */

const leading = /^\d+(\.\d+)?/;

/** The number a text begins with; undefined when it begins with something else. */
export function leadingNumber(text: string): string | undefined {
  return leading.exec(text)?.[0];
}

/** Below zero when the decimal text a is less than b, above when it is greater. Both without a sign. */
export function compareNumbers(a: string, b: string): number {
  const [wholeA = '', fractionA = ''] = a.split('.');
  const [wholeB = '', fractionB = ''] = b.split('.');
  const digits = Math.max(fractionA.length, fractionB.length);
  const left = BigInt(wholeA + fractionA.padEnd(digits, '0'));
  const right = BigInt(wholeB + fractionB.padEnd(digits, '0'));
  if (left === right) return 0;
  return left < right ? -1 : 1;
}
