/** What is wrong with a stack file, where, and what would be right. */

/** One mistake in a stack file. Line and column count from 1; the column counts UTF-16 units, as editors do. */
export interface StackProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong. */
  readonly message: string;
  /** What would be right, in words. */
  readonly allowed: string;
}

/** More problems than these help nobody: the first ones usually cause the rest. */
export const maxProblems = 50;

/** A stack file that cannot be used; `problems` stand in the order of the file. */
export class StackError extends Error {
  override readonly name = 'StackError';
  readonly problems: readonly StackProblem[];

  constructor(problems: readonly StackProblem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column).slice(0, maxProblems);
    super(sorted.map(formatProblem).join('\n'));
    this.problems = sorted;
  }
}

/** `stack.yaml:3:5: message; allowed: …`, the form that editors make a link of. */
export function formatProblem(problem: StackProblem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}; allowed: ${problem.allowed}`;
}

/** A value as it may stand in a message: short, on one line, without control characters. */
export function shown(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

// Keeps the two halves apart in zod's single message. No text of a stack file can contain it: NUL is refused in all.
const separator = '\u0000';

/** A zod message that carries both halves of a problem. */
export function say(message: string, allowed: string): string {
  return `${message.replaceAll(separator, '')}${separator}${allowed}`;
}

/** The halves of a message made by `say`. */
export function unsay(text: string): { message: string; allowed: string } {
  const at = text.indexOf(separator);
  if (at < 0) return { message: text, allowed: 'see docs, "The stack file"' };
  return { message: text.slice(0, at), allowed: text.slice(at + 1) };
}

/** A broken rule at a path of the file. */
export interface Breach {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly allowed: string;
  /** The place is the key, not the value. */
  readonly key?: boolean;
}
