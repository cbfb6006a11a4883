/** A table of the journal: typed keys and values over one LMDB database. */
import type { Database } from 'lmdb';

/** A journal that cannot be used. */
export class JournalError extends Error {
  override readonly name = 'JournalError';
}

/** How keys and values become texts. Reading must refuse what writing would not have written. */
export interface TableForm<K, V> {
  readonly name: string;
  /** One text for each key; the order of texts is the order of `all`. */
  readonly key: (key: K) => string;
  readonly write: (value: V) => unknown;
  readonly read: (value: unknown) => V;
}

/** Reads see what has been written; each write lasts when its call, or the transaction around it, returns. */
export interface Table<K, V> {
  get(key: K): V | undefined;
  put(key: K, value: V): void;
  delete(key: K): void;
  /** All values in the order of their keys. */
  all(): V[];
  /** The texts of all keys, in their order. */
  keys(): string[];
}

export function createTable<K, V>(database: Database<string, string>, form: TableForm<K, V>): Table<K, V> {
  const read = (key: string, text: string): V => {
    try {
      return form.read(JSON.parse(text));
    } catch (error) {
      throw new JournalError(`the journal’s entry ${form.name}/${key} cannot be read: ${(error as Error).message}`);
    }
  };
  return {
    get: (key) => {
      const text = database.get(form.key(key));
      return text === undefined ? undefined : read(form.key(key), text);
    },
    put: (key, value) => {
      database.putSync(form.key(key), JSON.stringify(form.write(value)));
    },
    delete: (key) => {
      database.removeSync(form.key(key));
    },
    all: () => [...database.getRange()].map(({ key, value }) => read(key, value)),
    keys: () => [...database.getKeys()],
  };
}

/** Numbers as keys: fixed width, so that their order is that of the texts. */
export function numberKey(value: bigint): string {
  return value.toString().padStart(20, '0');
}
