/**
 * Links of the docs into the code, `[`name`](../file.ts#L12)`: the line must hold the name, so that a reader who follows
 * a link finds what the text speaks of. `npm run tidy -- --write` brings moved lines up to date.
 */
import type { Violation } from './rules.ts';

const link = /\[`([^`]+)`\]\((\.\.\/[^)#]+)#L(\d+)\)/g;

/** The name that must stand in the line: what is behind the last dot, without parentheses. */
function nameOf(text: string): string {
  return text.replace(/\(.*$/, '').split('.').at(-1) ?? text;
}

/** The line, from 1, where a name is declared, or first stands; undefined where it does not. */
export function lineOfName(source: string, text: string): number | undefined {
  const name = nameOf(text).replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const lines = source.split('\n');
  const declared = new RegExp(
    `^\\s*(export )?(async )?(function\\*?|class|const|interface|type)?\\s*#?${name}\\b\\s*[(<={:]|^export (function|class|const|interface|type) ${name}\\b`,
  );
  const found = lines.findIndex((line) => declared.test(line));
  if (found >= 0) return found + 1;
  const mentioned = lines.findIndex((line) => line.includes(nameOf(text)));
  return mentioned < 0 ? undefined : mentioned + 1;
}

/** @param read the text of a file by its path from the root; undefined where there is none */
export function checkDocLinks(doc: string, read: (path: string) => string | undefined): Violation[] {
  return doc.split('\n').flatMap((text, at) =>
    [...text.matchAll(link)].flatMap(([, name = '', path = '', line = '']) => {
      const source = read(path.slice('../'.length));
      if (source === undefined) return [{ line: at + 1, message: `${path} does not exist` }];
      const there = source.split('\n')[Number(line) - 1] ?? '';
      if (there.includes(nameOf(name))) return [];
      return [
        { line: at + 1, message: `${path}#L${line} does not hold ${nameOf(name)}: run \`npm run tidy -- --write\`` },
      ];
    }),
  );
}

/** The doc with every link on the line of its name. */
export function renewDocLinks(doc: string, read: (path: string) => string | undefined): string {
  return doc.replace(link, (whole, name: string, path: string) => {
    const source = read(path.slice('../'.length));
    const line = source === undefined ? undefined : lineOfName(source, name);
    return line === undefined ? whole : `[\`${name}\`](${path}#L${line})`;
  });
}
