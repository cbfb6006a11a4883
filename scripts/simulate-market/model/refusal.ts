/** A message that the rules refuse, as its result will say. */
export class Refusal extends Error {
  readonly codespace: string;
  readonly code: number;

  constructor(codespace: string, code: number) {
    super(`${codespace} ${code}`);
    this.codespace = codespace;
    this.code = code;
  }
}

/** One guard of a ladder. @throws Refusal unless it holds */
export function need(holds: boolean, codespace: string, code: number): asserts holds {
  if (!holds) throw new Refusal(codespace, code);
}

/** The same for what must be there. */
export function found<T>(value: T | undefined, codespace: string, code: number): T {
  if (value === undefined) throw new Refusal(codespace, code);
  return value;
}
