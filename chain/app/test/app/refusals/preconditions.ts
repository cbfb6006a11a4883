/** What the tables of messages in the READMEs say that a message is refused for. */
import { type ModuleName, readmeOf } from './row.ts';

/** One code, or several from one to another; of the module itself where no codespace stands before it. */
const codes = /^(?:(sdk|provider|deployment|market|billing) )?(\d+)(?:(?: to |–)(\d+))?$/;

/** Cells that speak of what stands elsewhere: by message, where its codes stand. */
const elsewhere: Readonly<Record<string, (readme: string, table: ReadonlyMap<string, string>) => string>> = {
  // "what is stated, as above"
  UpdateProvider: (_readme, table) =>
    (table.get('RegisterProvider') ?? '').replace(/^.*?;/, '').replace(/; prices.*$/, ''),
  // "the ladder of a bid, below"
  SubmitFulfillment: (readme) => readme.split('\n\n').find((part) => part.startsWith('The ladder of a bid:')) ?? '',
};

/** Preconditions by message, as the README's table has them. */
function preconditionCells(readme: string): Map<string, string> {
  const section = readme.split(/^## /m).find((part) => part.startsWith('Messages')) ?? '';
  const lines = section.split('\n').filter((line) => /^\| [A-Z]/.test(line));
  return new Map(
    lines.map((line): [string, string] => {
      const [, message = '', , precondition = ''] = line.split('|').map((cell) => cell.trim());
      return [message, precondition];
    }),
  );
}

/** `<module> <message>: <codespace> <code>` for each code that stands in brackets. */
export function preconditions(module: ModuleName): string[] {
  const readme = readmeOf(module);
  const table = preconditionCells(readme);
  return [...table].flatMap(([message, cell]) => {
    const said = `${cell} ${elsewhere[message]?.(readme, table) ?? ''}`;
    const groups = [...said.matchAll(/\(([^()]*)\)/g)].flatMap(([, group = '']) => group.split(/,\s+/));
    const pairs = new Set(groups.flatMap((one) => codesOf(one, module)));
    return [...pairs].map((pair) => `${module} ${message}: ${pair}`);
  });
}

function codesOf(text: string, module: ModuleName): string[] {
  const [, codespace = module, first = '', last = first] = codes.exec(text) ?? [];
  if (first === '') return [];
  const count = Number(last) - Number(first) + 1;
  return Array.from({ length: count }, (_, at) => `${codespace} ${Number(first) + at}`);
}
