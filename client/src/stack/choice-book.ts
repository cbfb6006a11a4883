/** What the user chose, and what came of it: every choice that was made is noted, to be shown before anything is signed. */
import type { Choices, DerivedChoice } from './derive-types.ts';

/** By flags, and in the config file. */
export interface Chosen {
  readonly flags: Choices;
  readonly config: Choices;
}

export class ChoiceBook {
  readonly #chosen: Chosen;
  readonly #noted: DerivedChoice[] = [];

  constructor(chosen: Chosen) {
    this.#chosen = chosen;
  }

  /** What the user chose; flags win over the config file. */
  of<K extends keyof Choices>(key: K): Choices[K] | undefined {
    return this.#chosen.flags[key] ?? this.#chosen.config[key];
  }

  /** Whether a flag names it. */
  isFlag(key: keyof Choices): boolean {
    return this.#chosen.flags[key] !== undefined;
  }

  /** Where a choice is from: its flag, or `config`; undefined where the user has left it. */
  source(flag: string, key: keyof Choices): string | undefined {
    if (this.isFlag(key)) return flag;
    return this.#chosen.config[key] === undefined ? undefined : 'config';
  }

  note(what: string, value: string, from: string): void {
    this.#noted.push({ what, value, from });
  }

  /** In the order in which they were made. */
  get noted(): readonly DerivedChoice[] {
    return this.#noted;
  }
}
