/**
 * YAML to plain values with the place of each key and value. Everything is bounded before it is built: size, depth and
 * number of nodes in the tokens, and again while aliases are followed, so that a small file cannot become a large one.
 */

import type { ParsedNode } from 'yaml';
import { Composer, type CST, type Document, isAlias, isMap, isScalar, isSeq, LineCounter, Parser } from 'yaml';
import { type StackProblem, shown } from './problems.ts';

/** A stack file's size in bytes, at most. */
export const maxStackBytes = 1024 * 1024;
const maxDepth = 32;
const maxNodes = 20_000;
/** Also bounds the work of looking for duplicate keys, which is quadratic in a map's size. */
const maxItems = 2_000;
/** Each one is looked up by a walk over the whole document. */
const maxAliases = 200;

/** A value of the file: text, number, boolean, null, list or map (without prototype). */
export type YamlValue = string | number | boolean | null | YamlValue[] | { [key: string]: YamlValue };

/** Where a value stands, in characters from the file's start, and where its parts do. */
interface Place {
  readonly at: number;
  readonly keys?: ReadonlyMap<string, { readonly at: number; readonly value: Place }>;
  readonly items?: readonly Place[];
}

/** A problem at a character of the file. */
export interface Finding {
  readonly at: number;
  readonly message: string;
  readonly allowed: string;
}

/** A parsed file: its value and the way from a path to a line and column. */
export interface YamlTree {
  readonly file: string;
  readonly value: YamlValue;
  /** Whether there is a value at the path. */
  has(path: readonly PropertyKey[]): boolean;
  /** The problem at a path like ['services', 0, 'name']; where the path leads on into nothing, at its last existing part. */
  problemAt(path: readonly PropertyKey[], what: { message: string; allowed: string; key?: boolean }): StackProblem;
}

/** Either the tree or why there is none. */
export type YamlResult = { readonly tree: YamlTree } | { readonly problems: readonly StackProblem[] };

/** Reads the text of one YAML 1.2 document (core schema). Never throws, whatever the text. */
export function readYaml(text: string, file: string): YamlResult {
  const lines = new LineCounter();
  const locate = (finding: Finding): StackProblem => {
    const { line, col } = lines.linePos(Math.min(finding.at, text.length));
    return {
      file,
      line: Math.max(line, 1),
      column: Math.max(col, 1),
      message: finding.message,
      allowed: finding.allowed,
    };
  };
  if (Buffer.byteLength(text) > maxStackBytes) {
    return {
      problems: [locate({ at: 0, message: 'the file is too large', allowed: `at most ${maxStackBytes} bytes` })],
    };
  }
  const findings: Finding[] = [];
  const tokens = readTokens(text, lines, findings);
  if (findings.length > 0) return { problems: findings.map(locate) };
  const document = compose(tokens, text.length, findings);
  if (document === undefined || findings.length > 0) return { problems: findings.map(locate) };
  const builder = new TreeBuilder(document);
  const { value, place } = builder.build(document.contents as ParsedNode | null);
  if (builder.findings.length > 0) return { problems: builder.findings.map(locate) };
  return {
    tree: {
      file,
      value,
      has: (path) => placesAlong(place, path).length === path.length + 1,
      problemAt: (path, { key, message, allowed }) => {
        const last = placesAlong(place, path).at(-1)!;
        return locate({ at: key ? last.keyAt : last.place.at, message, allowed });
      },
    },
  };
}

/** The tokens, once they are known to be few and shallow: composing them is recursive. */
function readTokens(text: string, lines: LineCounter, findings: Finding[]): CST.Token[] {
  const bad = /(?![\t\n\r\u0085])\p{Cc}|\p{Cs}|[\ufffe\uffff]/u.exec(text);
  if (bad !== null) {
    lines.addNewLine(0);
    for (let i = text.indexOf('\n'); i >= 0 && i < bad.index; i = text.indexOf('\n', i + 1)) lines.addNewLine(i + 1);
    findings.push({ at: bad.index, message: 'a character that YAML does not allow', allowed: 'printable characters' });
    return [];
  }
  const tokens = [...new Parser(lines.addNewLine).parse(text)];
  let nodes = 0;
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    nodes += 1;
    const tooMany = limitPassed(token, depth, nodes);
    if (tooMany !== undefined) {
      findings.push({ at: token.offset, ...tooMany });
      return [];
    }
    if (token.type === 'directive') {
      findings.push({
        at: token.offset,
        message: 'directives are not used here',
        allowed: 'YAML 1.2 without directives',
      });
    }
    for (const child of childrenOf(token)) open.push({ token: child, depth: depth + 1 });
  }
  return tokens;
}

function limitPassed(token: CST.Token, depth: number, nodes: number): { message: string; allowed: string } | undefined {
  if (depth > maxDepth) return { message: 'nested too deep', allowed: `at most ${maxDepth} levels` };
  if (nodes > maxNodes) return { message: 'too many values', allowed: `at most ${maxNodes}` };
  if ('items' in token && token.items.length > maxItems) {
    return { message: 'too many entries in one list or map', allowed: `at most ${maxItems}` };
  }
  return undefined;
}

function childrenOf(token: CST.Token): CST.Token[] {
  if (token.type === 'document') return token.value === undefined ? [] : [token.value];
  if (!('items' in token)) return [];
  return token.items.flatMap((item) => [item.key, item.value]).filter((child) => child !== undefined && child !== null);
}

function compose(tokens: CST.Token[], length: number, findings: Finding[]): Document.Parsed | undefined {
  const composer = new Composer({ stringKeys: true, merge: false, uniqueKeys: true, schema: 'core', strict: true });
  const documents = [...composer.compose(tokens, true, length)];
  for (const document of documents) {
    for (const { code, message, pos } of [...document.errors, ...document.warnings]) {
      findings.push({ at: pos[0], message, allowed: allowedFor(code) });
    }
  }
  const [first, second] = documents;
  if (second !== undefined) {
    findings.push({ at: second.range[0], message: 'a second document', allowed: 'one document in a stack file' });
  }
  return first as Document.Parsed | undefined;
}

function allowedFor(code: string): string {
  if (code === 'DUPLICATE_KEY') return 'each key once in a map';
  if (code === 'NON_STRING_KEY') return 'texts as keys';
  if (code === 'TAG_RESOLVE_FAILED') return 'values without tags';
  return 'well-formed YAML 1.2';
}

/** Turns nodes into values, following aliases within the bounds. */
class TreeBuilder {
  readonly findings: Finding[] = [];
  readonly #document: Document.Parsed;
  readonly #targets = new Map<object, unknown>();
  #nodes = 0;
  /** The bounds are passed; one finding says so, a bomb would make millions. */
  #bomb = false;

  constructor(document: Document.Parsed) {
    this.#document = document;
  }

  build(node: ParsedNode | null, depth = 0): { value: YamlValue; place: Place } {
    const at = node?.range?.[0] ?? 0;
    this.#nodes += 1;
    if (depth > maxDepth || this.#nodes > maxNodes) {
      if (!this.#bomb)
        this.#refuse(at, 'aliases make this file too large', `at most ${maxNodes} values, ${maxDepth} levels deep`);
      this.#bomb = true;
      return { value: null, place: { at } };
    }
    if (isAlias(node)) return this.#alias(node as never, at, depth);
    if (isSeq(node)) {
      const parts = node.items.map((item) => this.build(item as ParsedNode, depth + 1));
      return { value: parts.map(({ value }) => value), place: { at, items: parts.map(({ place }) => place) } };
    }
    if (isMap(node)) return this.#map(node as never, at, depth);
    if (isScalar(node)) return { value: this.#scalar(node.value, node.source, node.tag, at), place: { at } };
    return { value: null, place: { at } };
  }

  #refuse(at: number, message: string, allowed: string): void {
    if (this.findings.length < 100) this.findings.push({ at, message, allowed });
  }

  #alias(node: { source: string; resolve(document: Document): unknown }, at: number, depth: number) {
    if (!this.#targets.has(node)) {
      if (this.#targets.size >= maxAliases) {
        this.#refuse(at, 'too many aliases', `at most ${maxAliases}`);
        return { value: null, place: { at } };
      }
      this.#targets.set(node, node.resolve(this.#document));
    }
    const target = this.#targets.get(node);
    if (target === undefined) {
      this.#refuse(at, `no anchor &${node.source} stands before this alias`, 'the name of an anchor above');
      return { value: null, place: { at } };
    }
    // Problems inside show the alias: the place of use is what is wrong, the same text may be right elsewhere.
    return { value: this.build(target as ParsedNode, depth + 1).value, place: { at } };
  }

  #map(node: { items: { key: ParsedNode; value: ParsedNode | null }[] }, at: number, depth: number) {
    const value: { [key: string]: YamlValue } = Object.create(null);
    const keys = new Map<string, { at: number; value: Place }>();
    for (const item of node.items) {
      const keyAt = item.key.range[0];
      const key = isScalar(item.key) ? String(item.key.value) : undefined;
      if (key === undefined || key === '__proto__' || key === '<<') {
        this.#refuse(keyAt, `${shown(key ?? 'an alias')} cannot be a key`, 'a text as key');
        continue;
      }
      const part = this.build(item.value, depth + 1);
      value[key] = part.value;
      keys.set(key, { at: keyAt, value: item.value?.range === undefined ? { ...part.place, at: keyAt } : part.place });
    }
    return { value, place: { at, keys } };
  }

  /**
   * Numbers and booleans count as such only in their plain spelling; another one (`0.10`, `0x10`, `TRUE`) stays the text
   * that the user wrote, so that neither a version nor an environment variable changes its spelling.
   */
  #scalar(value: unknown, source: string | undefined, tag: string | undefined, at: number): YamlValue {
    if (tag !== undefined && tag !== '!')
      this.#refuse(at, `the tag ${shown(tag)} is not used here`, 'values without tags');
    if (typeof value === 'string') {
      if (value.includes('\u0000')) this.#refuse(at, 'a text with a NUL character', 'texts without NUL');
      return value;
    }
    if (value === null || value === undefined) return null;
    if (typeof value === 'number' || typeof value === 'boolean') {
      return source === undefined || String(value) === source ? value : source;
    }
    this.#refuse(at, 'a value of a kind that is not used here', 'texts, numbers, booleans, lists and maps');
    return null;
  }
}

/** The places from the root along the path, as far as it exists; of each, where its key and its value begin. */
function placesAlong(root: Place, path: readonly PropertyKey[]): { readonly keyAt: number; readonly place: Place }[] {
  const along = [{ keyAt: root.at, place: root }];
  let place = root;
  for (const part of path) {
    const item = typeof part === 'number' ? place.items?.[part] : undefined;
    const entry = place.keys?.get(String(part));
    const next = entry?.value ?? item;
    if (next === undefined) break;
    along.push({ keyAt: entry?.at ?? next.at, place: next });
    place = next;
  }
  return along;
}
