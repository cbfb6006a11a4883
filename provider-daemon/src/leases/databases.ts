/**
 * MuDb: one LMDB table per database service of a lease, with its stored bytes counted. What is stored survives a restart
 * of the daemon, and ends with the lease.
 */
import { mkdirSync } from 'node:fs';
import { type Database, open, type RootDatabase } from 'lmdb';

export class Databases {
  readonly #root: RootDatabase<Buffer, Buffer>;
  readonly #tables = new Map<string, Database<Buffer, Buffer>>();

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    this.#root = open<Buffer, Buffer>({ path: folder, encoding: 'binary', keyEncoding: 'binary', maxDbs: 10_000 });
  }

  /** The table of a service, made where it does not exist. */
  table(lease: bigint, service: string): Database<Buffer, Buffer> {
    const name = `${lease}/${service}`;
    let table = this.#tables.get(name);
    if (table === undefined) {
      table = this.#root.openDB<Buffer, Buffer>({ name, encoding: 'binary', keyEncoding: 'binary' });
      this.#tables.set(name, table);
    }
    return table;
  }

  /** Bytes of all keys and values that a service stores. */
  storedBytes(lease: bigint, service: string): bigint {
    let bytes = 0;
    for (const { key, value } of this.table(lease, service).getRange()) bytes += key.length + value.length;
    return BigInt(bytes);
  }

  /** Leases that have tables, also those that nothing has asked for since the start. */
  leases(): bigint[] {
    return [...new Set(this.#names().map(([lease]) => lease))];
  }

  /** Erases all tables of a lease. */
  async erase(lease: bigint): Promise<void> {
    for (const [owner, service] of this.#names()) {
      if (owner !== lease) continue;
      const table = this.table(lease, service);
      this.#tables.delete(`${lease}/${service}`);
      await table.drop();
    }
  }

  /** LMDB keeps the tables' names, each with a zero behind it, among the keys of its root. */
  #names(): [lease: bigint, service: string][] {
    return [...this.#root.getKeys()].flatMap((key) => {
      const [, lease, service] = /^(\d+)\/(.+?)\0?$/.exec(key.toString('utf8')) ?? [];
      return lease === undefined || service === undefined ? [] : [[BigInt(lease), service]];
    });
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}
