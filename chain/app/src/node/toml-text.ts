/**
 * A TOML file as a person wrote it: single values are changed, added and renamed in place, comments and order stay.
 * It knows the plain way of writing (`[section]`, `key = value`); what is written otherwise it does not find.
 */
import { parse } from 'smol-toml';

/** Lines of one key: from `start` to before `end`. */
interface Place {
  readonly start: number;
  readonly end: number;
}

export class TomlText {
  readonly #lines: string[];

  constructor(text: string) {
    this.#lines = text.split('\n');
    if (this.#lines.at(-1) === '') this.#lines.pop();
  }

  /** @param section '' for what stands before all sections */
  has(section: string, key: string): boolean {
    return this.#find(section, key) !== undefined;
  }

  /** Puts a value in place of the one that is there; a comment behind it stays. @returns whether the key was found */
  replace(section: string, key: string, value: string): boolean {
    const place = this.#find(section, key);
    if (place === undefined) return false;
    const [first = '', last = ''] = [this.#lines[place.start], this.#lines[place.end - 1]];
    const head = /^\s*[\w-]+\s*=\s*/.exec(first)?.[0] ?? '';
    this.#lines.splice(place.start, place.end - place.start, `${head}${value}${commentOf(first, last, head)}`);
    return true;
  }

  /** Gives a key another name. @returns whether it was found */
  rename(section: string, key: string, name: string): boolean {
    const place = this.#find(section, key);
    if (place === undefined) return false;
    this.#lines[place.start] = (this.#lines[place.start] as string).replace(/[\w-]+/, name);
    return true;
  }

  /** Takes a key away, with the comment right above it. @returns its value and comment behind it, as it was written */
  remove(section: string, key: string): string | undefined {
    const place = this.#find(section, key);
    if (place === undefined) return undefined;
    let { start } = place;
    while (start > 0 && /^\s*#/.test(this.#lines[start - 1] as string)) start -= 1;
    const removed = this.#lines.splice(start, place.end - start).slice(place.start - start);
    return removed.join('\n').replace(/^\s*[\w-]+\s*=\s*/, '');
  }

  /** Adds lines at the end of a section, which is made where it is missing; before all sections for ''. */
  append(section: string, lines: readonly string[]): void {
    const range = this.#section(section);
    if (range === undefined) {
      this.#lines.push('', `[${section}]`, ...lines);
      return;
    }
    let at = range.end;
    while (at > range.start && (this.#lines[at - 1] as string).trim() === '') at -= 1;
    this.#lines.splice(at, 0, ...lines);
  }

  /** Takes a section's header away when no key is left in it. */
  dropEmpty(section: string): void {
    const range = this.#section(section);
    if (range === undefined || section === '') return;
    const isEmpty = this.#lines.slice(range.start, range.end).every((line) => /^\s*(#.*)?$/.test(line));
    if (isEmpty) this.#lines.splice(range.start - 1, 1);
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  /** What stands between the header of a section and the next one. */
  #section(section: string): Place | undefined {
    const headers = this.#lines.flatMap((line, index) => {
      const name = /^\s*\[\s*([\w-]+)\s*\]\s*(?:#.*)?$/.exec(line)?.[1];
      return name === undefined ? [] : [{ name, index }];
    });
    if (section === '') return { start: 0, end: headers[0]?.index ?? this.#lines.length };
    const at = headers.findIndex(({ name }) => name === section);
    if (at === -1) return undefined;
    return { start: (headers[at]?.index ?? 0) + 1, end: headers[at + 1]?.index ?? this.#lines.length };
  }

  #find(section: string, key: string): Place | undefined {
    const range = this.#section(section);
    if (range === undefined) return undefined;
    const wanted = new RegExp(`^\\s*${key}\\s*=`);
    for (let start = range.start; start < range.end; start++) {
      if (!wanted.test(this.#lines[start] as string)) continue;
      // A list may go over several lines.
      for (let end = start + 1; end <= range.end; end++) {
        if (isToml(this.#lines.slice(start, end).join('\n'))) return { start, end };
      }
    }
    return undefined;
  }
}

/** The comment behind a value, with the space before it: what can be cut off so that the rest is still a value. */
function commentOf(first: string, last: string, head: string): string {
  const line = first === last ? first.slice(head.length) : last;
  for (let at = line.indexOf('#'); at !== -1; at = line.indexOf('#', at + 1)) {
    const before = line.slice(0, at);
    const isValue = first === last ? isToml(`key = ${before}`) : /\]\s*$/.test(before);
    if (isValue) return `${/\s*$/.exec(before)?.[0] ?? ''}${line.slice(at)}`;
  }
  return '';
}

function isToml(text: string): boolean {
  try {
    parse(text);
    return true;
  } catch {
    return false;
  }
}
