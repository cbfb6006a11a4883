/** A stack file from its text: every mistake with its place, or the whole stack. */
import { readFile, stat } from 'node:fs/promises';
import { fromUtf8 } from '@mu/lib/bytes';
import type * as z from 'zod';
import { StackError, type StackProblem, unsay } from './problems.ts';
import { breaches, type StackKnowledge } from './rules.ts';
import { type Stack, stackSchema } from './schema.ts';
import { maxStackBytes, readYaml, type YamlTree } from './yaml-tree.ts';

/** A stack and the file it came from. */
export interface StackFile {
  /** The file's name as the user gave it; relative binaries are sought beside it. */
  readonly file: string;
  readonly stack: Stack;
  /** A problem found later (a binary that is missing, …), at its place in the file. */
  problemAt(path: readonly PropertyKey[], what: { message: string; allowed: string }): StackProblem;
}

/**
 * Reads a stack file's text.
 * @param options the file's name for messages, and what is known of the chain
 * @throws StackError with every mistake (the first 50), in the order of the file
 */
export function parseStack(text: string, options: { file: string } & StackKnowledge): StackFile {
  const read = readYaml(text, options.file);
  if ('problems' in read) throw new StackError(read.problems);
  const { tree } = read;
  const result = stackSchema.safeParse(tree.value);
  const problems = [
    ...(result.error?.issues ?? []).flatMap((issue) => problemsOf(tree, issue)),
    ...breaches(tree.value, options).map((breach) => tree.problemAt(breach.path, breach)),
  ];
  if (!result.success || problems.length > 0) throw new StackError(problems);
  return { file: options.file, stack: result.data, problemAt: (path, what) => tree.problemAt(path, what) };
}

/**
 * Reads a stack file from the disk, at most 1 MiB of UTF-8.
 * @throws StackError, also where the file is missing or cannot be read
 */
export async function readStackFile(file: string, known: StackKnowledge = {}): Promise<StackFile> {
  const refuse = (message: string, allowed: string) => new StackError([{ file, line: 1, column: 1, message, allowed }]);
  let bytes: Uint8Array;
  try {
    const { size } = await stat(file);
    if (size > maxStackBytes) throw refuse('the file is too large', `at most ${maxStackBytes} bytes`);
    bytes = await readFile(file);
  } catch (error) {
    if (error instanceof StackError) throw error;
    throw refuse(`the file cannot be read: ${(error as Error).message}`, 'the path of a stack file');
  }
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch {
    throw refuse('the file is not UTF-8', 'text in UTF-8');
  }
  return parseStack(text, { ...known, file });
}

/** The problems of one zod issue: an unknown key gives one per key, at the key. */
function problemsOf(tree: YamlTree, issue: z.core.$ZodIssue): StackProblem[] {
  if (issue.code === 'unrecognized_keys') {
    const { message, allowed } = unsay(issue.message);
    return issue.keys.map((key) =>
      tree.problemAt([...issue.path, key], { message: `${message} ${JSON.stringify(key)}`, allowed, key: true }),
    );
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map((inner) => tree.problemAt(issue.path, { ...unsay(inner.message), key: true }));
  }
  const what = unsay(issue.message);
  if (issue.path.length === 0 || tree.has(issue.path)) return [tree.problemAt(issue.path, what)];
  const message = `the key ${JSON.stringify(issue.path.at(-1))} is missing`;
  return [tree.problemAt(issue.path, { ...what, message })];
}
