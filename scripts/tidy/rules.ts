/** House rules as data: what is banned where, and what to do instead (docs/HACKING.md). */
import { parseSync } from '@swc/core';

export interface Violation {
  readonly line: number;
  readonly message: string;
}

interface Ban {
  readonly pattern: RegExp;
  readonly message: string;
}

/** The consensus side is pure, synchronous and closed (docs/ARCHITECTURE.md, Determinism). */
const determinism: readonly Ban[] = [
  { pattern: /\bDate\b/, message: 'no clock in consensus code: time is the block’s (ctx.block.timeNs)' },
  {
    pattern: /\bMath\.random\b|\brandomBytes\b|\bgetRandomValues\b|\brandomUUID\b/,
    message: 'no randomness in consensus code: take it as an argument',
  },
  {
    pattern: /\bset(Timeout|Interval|Immediate)\b|\bqueueMicrotask\b|\bperformance\./,
    message: 'no timers in consensus code',
  },
  { pattern: /\basync\b|\bawait\b|\bPromise</, message: 'consensus code is synchronous' },
  { pattern: /\bprocess\.|\bfetch\(|\bconsole\./, message: 'no I/O and no process in consensus code' },
  {
    pattern: /\bIntl\.|\.toLocale|\.localeCompare\(|\.normalize\(/,
    message: 'no locale in consensus code: compare by code unit or bytes',
  },
  {
    pattern: /\bparseFloat\b|(?<![\w.'"`/-])\d+\.\d+(?![\w.'"])|\bMath\.(sqrt|pow|log|exp|sin|cos|tan|cbrt|hypot)/,
    message: 'no floats in consensus code: use bigint or Dec',
  },
  {
    pattern: /\bfor\s*\([^)]*\bin\b(?!stanceof)/,
    message: 'no for…in in consensus code: its order is the object’s; iterate over a sorted list',
  },
  { pattern: /\.sort\(\s*\)/, message: 'sort() without a comparison sorts by UTF-16 text: say how to compare' },
  {
    pattern: /\bWeakRef\b|\bFinalizationRegistry\b/,
    message: 'garbage collection must not be observable in consensus code',
  },
];

const everywhere: readonly Ban[] = [
  { pattern: /\b(TODO|FIXME|XXX|HACK)\b/, message: 'no leftovers: do it now or say it in the docs' },
  { pattern: /@ts-(ignore|nocheck|expect-error)/, message: 'no type check is silenced' },
  { pattern: /^\s*(export\s+)?(const\s+)?enum\s/, message: 'no enums: Node strips types and cannot run them' },
];

const tests: readonly Ban[] = [
  {
    pattern: /\b(it|test|describe)\.(only|skip|todo)\b|\bx(it|describe)\(|\bretryTimes\b/,
    message: 'no test is skipped, singled out or repeated',
  },
  {
    pattern: /(?<!jest\.)\bsetTimeout\(|\bsleep\(/,
    message: 'no sleeps in tests: inject the clock, or wait for a condition with `eventually`',
  },
  { pattern: /Math\.random\(/, message: 'no unseeded randomness in tests' },
];

const maxLines = { file: 600, function: 100 };

const isConsensus = (file: string): boolean => /^(lib|chain\/framework|x\/[^/]+)\/src\//.test(file);
/** Compiles its WebAssembly when the program starts, before there is any consensus; only there. */
const compilesAtStart = (file: string): boolean => file === 'chain/framework/src/hash.ts';
const isTest = (file: string): boolean => /\/test\//.test(file);
/** This file spells out what it bans. */
const isRules = (file: string): boolean => /^scripts\/tidy\//.test(file);

/** All violations of a TypeScript file, by line. @param file its path from the repository's root */
export function checkFile(file: string, source: string): Violation[] {
  if (isRules(file)) return [];
  const bans = [
    ...everywhere,
    ...(isTest(file) ? tests : []),
    ...(isConsensus(file) && !compilesAtStart(file) ? determinism : []),
  ];
  const lines = source.split('\n');
  const code = withoutComments(source).split('\n');
  const found: Violation[] = [];
  if (lines.length > maxLines.file) {
    found.push({ line: maxLines.file, message: `${lines.length} lines: split the file (at most ${maxLines.file})` });
  }
  lines.forEach((line, at) => {
    for (const { pattern, message } of bans) {
      // Leftovers are looked for in comments too, everything else only in code.
      const text = everywhere.some((ban) => ban.pattern === pattern) ? line : (code[at] as string);
      if (pattern.test(text)) found.push({ line: at + 1, message });
    }
  });
  if (file.endsWith('.ts')) found.push(...longFunctions(file, source));
  return found;
}

/** The source with the characters of comments and string contents blanked, line breaks kept. */
function withoutComments(source: string): string {
  const blank = (text: string): string => text.replace(/[^\n]/g, ' ');
  return source.replace(/\/\*[\s\S]*?\*\/|(?<![:'"`\\])\/\/[^\n]*|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, (match) =>
    match.startsWith('/') ? blank(match) : `${match[0]}${blank(match.slice(1, -1))}${match[0]}`,
  );
}

interface Node {
  readonly type?: string;
  readonly span?: { readonly start: number; readonly end: number };
  readonly [key: string]: unknown;
}

/** Functions longer than the rule allows. Test files' describe blocks are functions in name only. */
function longFunctions(file: string, source: string): Violation[] {
  if (isTest(file)) return [];
  const found: Violation[] = [];
  const bytes = Buffer.from(source);
  const ast = parseSync(source, { syntax: 'typescript', target: 'es2022' }) as unknown as Node;
  // swc counts bytes from where its previous parse ended; the module's own span says where that is.
  const base = (ast.span?.start ?? 1) - leading(source);
  const lineOf = (position: number): number =>
    bytes
      .subarray(0, Math.max(0, position - base))
      .toString()
      .split('\n').length;
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) node.forEach(visit);
    else if (typeof node === 'object' && node !== null) {
      const { type, span } = node as Node;
      if (
        /^(FunctionDeclaration|FunctionExpression|ArrowFunctionExpression|ClassMethod|PrivateMethod|Constructor)$/.test(
          type ?? '',
        ) &&
        span !== undefined
      ) {
        const first = lineOf(span.start);
        const length = lineOf(span.end) - first + 1;
        if (length > maxLines.function)
          found.push({
            line: first,
            message: `a function of ${length} lines (at most ${maxLines.function}): give its parts names`,
          });
      }
      Object.values(node).forEach(visit);
    }
  };
  visit(ast);
  return found;
}

/** Bytes before the first token: a module's span begins there. */
function leading(source: string): number {
  const match = /^(?:\s|\/\*[\s\S]*?\*\/|\/\/[^\n]*|#![^\n]*)*/.exec(source);
  return Buffer.byteLength(match?.[0] ?? '');
}
