/** Parts of a page of documentation that are made from a program itself: Markdown tables between marks. */

/** A command of a program, as commander has it. */
export interface CommandShape {
  name(): string;
  usage(): string;
  description(): string;
  readonly options: readonly { readonly flags: string }[];
  readonly commands: readonly CommandShape[];
}

export interface MetricShape {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

export const code = (text: string): string => `\`${text}\``;

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

/**
 * The page with its made parts as they are now.
 * @param parts by the name in their marks, `<!-- begin NAME -->` and `<!-- end NAME -->`, a line each
 * @throws Error when a part has no marks
 */
export function renewed(page: string, parts: Readonly<Record<string, string>>): string {
  return Object.entries(parts).reduce((text, [name, content]) => {
    const marks = new RegExp(`(<!-- begin ${name} -->\\n)[^]*?(\\n<!-- end ${name} -->)`);
    if (!marks.test(text)) throw new Error(`the page has no place for ${name}`);
    return text.replace(marks, (_whole, begin: string, end: string) => `${begin}${content}${end}`);
  }, page);
}

/** Every command that does something, with its arguments. */
export function commandTable(program: CommandShape): string {
  const rows = leaves(program, program.name()).map(({ path, command }) => {
    const given = command.usage().replace('[options]', '').trim();
    return [
      code(`${path} ${given}`.trim()),
      command.description(),
      command.options.map((one) => code(one.flags)).join(', '),
    ];
  });
  return table(['command', 'what it does', 'options'], rows);
}

export function metricsTable(metrics: readonly MetricShape[]): string {
  const rows = metrics.map(({ name, type, labels, help }) => [code(name), type, labels.map(code).join(', '), help]);
  return table(['metric', 'type', 'labels', 'what it is'], rows);
}

function leaves(command: CommandShape, path: string): { readonly path: string; readonly command: CommandShape }[] {
  return command.commands.flatMap((one) => {
    const name = `${path} ${one.name()}`;
    return one.commands.length > 0 ? leaves(one, name) : [{ path: name, command: one }];
  });
}
