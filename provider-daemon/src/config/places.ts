/** Where each key of a TOML text stands: the parser keeps no places of what it has read. */

/** Lines from 1 by the key's path, `section.key`; tables by their own path. The first place counts. */
export function keyLines(text: string): ReadonlyMap<string, number> {
  const lines = new Map<string, number>();
  let table = '';
  let multiline = '';
  text.split('\n').forEach((line, at) => {
    const inside = multiline;
    multiline = openQuote(line, multiline);
    if (inside !== '') return;
    const header = /^\s*\[\[?([^\]]+)\]/.exec(line);
    const key =
      header === null ? /^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*=/.exec(line) : null;
    const path = plain(header?.[1] ?? key?.[1] ?? '');
    if (header !== null) table = path;
    const full = header === null && table !== '' ? `${table}.${path}` : path;
    if (path !== '' && !lines.has(full)) lines.set(full, at + 1);
  });
  return lines;
}

/** The line of a path, or of the nearest table around it; undefined where neither is written. */
export function lineOf(lines: ReadonlyMap<string, number>, path: string): number | undefined {
  for (let prefix = path; prefix !== ''; prefix = prefix.slice(0, Math.max(0, prefix.lastIndexOf('.')))) {
    const line = lines.get(prefix);
    if (line !== undefined) return line;
  }
  return undefined;
}

/** Quotes are left out: a path serves as a name here, and section names have no dots. */
function plain(path: string): string {
  return path
    .replace(/["']/g, '')
    .replace(/\s*\.\s*/g, '.')
    .trim();
}

/** The triple quote that is open at the end of the line, given the one that was open before it. */
function openQuote(line: string, open: string): string {
  let state = open;
  for (const [quote] of line.matchAll(/"""|'''/g)) {
    if (state === '') state = quote;
    else if (state === quote) state = '';
  }
  return state;
}
