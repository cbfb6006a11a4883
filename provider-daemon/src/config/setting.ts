/** What a setting of `mu-provider` is: kind, default and meaning. */
import type { Kind } from './kinds.ts';

/** One setting. Without a default it must be given. */
export interface Setting<T> {
  readonly kind: Kind<T>;
  readonly fallback: T | undefined;
  readonly doc: string;
}

export interface Section {
  readonly doc: string;
  // biome-ignore lint/suspicious/noExplicitAny: settings of all types stand side by side; SectionOf gives each its own
  readonly settings: Readonly<Record<string, Setting<any>>>;
}

/** A setting with a default. */
export const setting = <T>(of: Kind<T>, fallback: T, doc: string): Setting<T> => ({ kind: of, fallback, doc });
/** A setting that must be given. */
export const required = <T>(of: Kind<T>, doc: string): Setting<T> => ({ kind: of, fallback: undefined, doc });
