/** Figures of faults as lines of a table in Markdown, so that they can be put into the docs as they are. */
import type { KillFigures } from '@mu/e2e/faults/kill-run';
import type { OutageFigures } from '@mu/e2e/faults/outages';

export interface TableOf<T> {
  /** The two lines at the top. */
  readonly head: string;
  line(figures: T): string;
}

const seconds = (ms: number): string => (ms / 1000).toFixed(2);

function tableOf<T>(columns: Readonly<Record<string, (figures: T) => string>>): TableOf<T> {
  const names = Object.keys(columns);
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return {
    head: `${row(names)}\n${row(names.map(() => '---'))}`,
    line: (figures) => row(Object.values(columns).map((cell) => cell(figures))),
  };
}

export const killTable: TableOf<KillFigures> = tableOf({
  'killed at': ({ point }) => point,
  while: ({ phase }) => phase,
  'daemon up again, s': ({ upMs }) => seconds(upMs),
  'answers after, s': ({ answersMs }) => seconds(answersMs),
  requests: ({ requests }) => String(requests),
  lost: ({ lost }) => String(lost),
});

export const outageTable: TableOf<OutageFigures> = tableOf({
  outage: ({ outage }) => outage,
  'away, s': ({ awayMs }) => seconds(awayMs),
  'answers after, s': ({ answersMs }) => seconds(answersMs),
  requests: ({ requests }) => String(requests),
  lost: ({ lost }) => String(lost),
  'the first one lost was told': ({ told }) => (told === '' ? '–' : told.replaceAll('|', '/').slice(0, 100)),
});
