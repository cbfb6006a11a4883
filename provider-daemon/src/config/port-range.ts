/** Ports from the first to the last, both among them. */
import type { Kind } from './kinds.ts';

export interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `20000-20999`; empty for none. */
export const portRange: Kind<PortRange | 'none'> = {
  form: 'a range of ports like 20000-20999, or empty',
  read: (value) => {
    if (value === '') return 'none';
    const match = typeof value === 'string' ? /^(\d{1,5})-(\d{1,5})$/.exec(value) : null;
    const [first, last] = [Number(match?.[1]), Number(match?.[2])];
    return first >= 1 && first <= last && last <= 65_535 ? { first, last } : undefined;
  },
  fromText: (text) => text,
  write: (value) => (value === 'none' ? '""' : `"${value.first}-${value.last}"`),
};
