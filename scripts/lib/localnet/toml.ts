/** A line editor for TOML files that other programs wrote: comments and order stay, only values change. */

export type TomlValue = string | number | boolean;

/**
 * Sets keys that the file already has, by `section.key`, or `key` alone for what stands before the first section.
 * @throws Error for a key that is not there: a program of another version would not do what was asked
 */
export function editToml(text: string, values: Readonly<Record<string, TomlValue>>): string {
  const left = new Set(Object.keys(values));
  let section = '';
  const lines = text.split('\n').map((line) => {
    const header = /^\[([^\]]+)\]\s*$/.exec(line);
    if (header !== null) section = (header[1] as string).trim();
    const key = /^([A-Za-z0-9_-]+)\s*=/.exec(line)?.[1];
    if (key === undefined) return line;
    const name = section === '' ? key : `${section}.${key}`;
    const value = values[name];
    if (value === undefined) return line;
    left.delete(name);
    return `${key} = ${typeof value === 'string' ? JSON.stringify(value) : String(value)}`;
  });
  if (left.size > 0) throw new Error(`the config has no ${[...left].join(', no ')}`);
  return lines.join('\n');
}
