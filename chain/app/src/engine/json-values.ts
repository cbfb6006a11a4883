/** Reading of values from JSON files that people and other programs write: every error names the place. */

/** A JSON object. @throws Error when the value is something else */
export function asObject(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error(`${place} must be an object`);
  return value as Record<string, unknown>;
}

/** A text; `otherwise` where it is missing. */
export function asText(value: unknown, place: string, otherwise?: string): string {
  if (typeof value === 'string') return value;
  if ((value === undefined || value === null) && otherwise !== undefined) return otherwise;
  throw new Error(`${place} must be a text`);
}

/** A list; an empty one where it is missing or null, as Go writes it. */
export function asList(value: unknown, place: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new Error(`${place} must be a list`);
  return value;
}

/** A whole number, written as a number or, as 64-bit integers are in Go's amino JSON, as a text. */
export function asInteger(value: unknown, place: string, otherwise?: bigint): bigint {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return BigInt(value);
  if ((value === undefined || value === null) && otherwise !== undefined) return otherwise;
  throw new Error(`${place} must be a whole number`);
}
