/** `mud snapshots`: snapshots of the state, for peers and for keeping. */
import { existsSync, mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Home } from '../node/home.ts';
import type { SnapshotInfo } from '../snapshots/format.ts';
import type { SnapshotFiles } from '../snapshots/snapshot-files.ts';
import type { LmdbCommitStore } from '../store/lmdb-store.ts';
import { homeOf, print, type Register } from './shared.ts';

export const registerSnapshots: Register = (mud) => {
  const snapshots = mud.command('snapshots').description('snapshots of the state, in the form of the Cosmos SDK');
  snapshots.command('list').description('what is in data/snapshots, the newest first').action(list);
  snapshots
    .command('export')
    .description('put a snapshot into data/snapshots, and with --output into an archive; one that is there is used')
    .option('--height <height>', 'of a version that is kept; the latest where it is left out')
    .option('-o, --output <file.tar.gz>', 'an archive as `snapshots dump` of an SDK chain writes it')
    .action(exportSnapshot);
  snapshots
    .command('restore <height-or-archive> [format]')
    .description('make the state of an empty node from a snapshot in data/snapshots, or from an archive')
    .option('--app-hash <hex>', 'refuse another state: the app_hash of the header of the next height')
    .action(restore);
  snapshots.command('delete <height> [format]').description('delete a snapshot').action(remove);
};

async function list(_flags: object, command: Command): Promise<void> {
  for (const { takenAtMs, ...snapshot } of await (await filesOf(homeOf(command))).list()) {
    print({ ...described(snapshot), taken_at: new Date(takenAtMs).toISOString() });
  }
}

async function exportSnapshot(
  flags: { readonly height?: string; readonly output?: string },
  command: Command,
): Promise<void> {
  const [{ snapshotFormat }, { writeArchive }] = await Promise.all([
    import('../snapshots/format.ts'),
    import('../snapshots/archive.ts'),
  ]);
  const home = homeOf(command);
  const files = await filesOf(home);
  const height = flags.height === undefined ? undefined : whole(flags.height, 'height');
  const known = height === undefined ? undefined : await files.get(BigInt(height), snapshotFormat);
  const snapshot = known ?? (await taken(home, files, height));
  const archive = flags.output === undefined ? undefined : resolve(flags.output);
  if (archive !== undefined) await writeArchive(files, snapshot, archive);
  print({ ...described(snapshot), ...(archive === undefined ? {} : { archive }) });
}

async function taken(home: Home, files: SnapshotFiles, height: number | undefined): Promise<SnapshotInfo> {
  const { takeSnapshot } = await import('../snapshots/take.ts');
  return withStore(home, (store) => {
    const { height: latest } = store.last;
    if (latest === 0n) throw new Error(`${home.state} has no state: there is nothing to take a snapshot of`);
    return takeSnapshot({ source: store, files, height: height === undefined ? latest : BigInt(height) });
  });
}

async function restore(
  which: string,
  format: string | undefined,
  flags: { readonly appHash?: string },
  command: Command,
): Promise<void> {
  const [{ restoreStored }, { readArchive }, { muStoreNames }] = await Promise.all([
    import('../snapshots/restore.ts'),
    import('../snapshots/archive.ts'),
    import('../mu-app.ts'),
  ]);
  const home = homeOf(command);
  const files = await filesOf(home);
  const appHash = flags.appHash === undefined ? undefined : appHashFrom(flags.appHash);
  const isHeight = /^\d+$/.test(which) && !existsSync(which);
  const snapshot = isHeight ? await stored(files, which, format) : await readArchive(resolve(which), files);
  const { last } = await withStore(home, async (store) => {
    if (store.last.height !== 0n) {
      throw new Error(
        `${home.state} holds the state of block ${store.last.height}: move the folder away before a snapshot is restored`,
      );
    }
    await restoreStored(files, { target: store, names: muStoreNames, snapshot, appHash });
    return store;
  });
  print({ restored: Number(last.height), app_hash: Buffer.from(last.appHash).toString('hex').toUpperCase() });
}

async function remove(height: string, format: string | undefined, _flags: object, command: Command): Promise<void> {
  const files = await filesOf(homeOf(command));
  const snapshot = await stored(files, height, format);
  await files.delete(snapshot.height, snapshot.format);
  print({ deleted: Number(snapshot.height) });
}

async function stored(files: SnapshotFiles, height: string, format: string | undefined): Promise<SnapshotInfo> {
  const { snapshotFormat } = await import('../snapshots/format.ts');
  const wanted = BigInt(whole(height, 'height'));
  const found = await files.get(wanted, format === undefined ? snapshotFormat : whole(format, 'format'));
  if (found !== undefined) return found;
  const there = (await files.list()).map((one) => `${one.height} (format ${one.format})`);
  throw new Error(
    `there is no snapshot of height ${wanted} in ${files.root}; there is ${there.join(', ') || 'none at all'}`,
  );
}

/** The state of a node that does not run. */
async function withStore<T>(home: Home, work: (store: LmdbCommitStore) => Promise<T>): Promise<T> {
  const [{ openDataFolder }, { LmdbCommitStore: Store }, { muStoreNames }] = await Promise.all([
    import('../node/data-folder.ts'),
    import('../store/lmdb-store.ts'),
    import('../mu-app.ts'),
  ]);
  const folder = openDataFolder(home);
  try {
    mkdirSync(home.state, { recursive: true });
    const store = new Store(home.state, muStoreNames);
    try {
      return await work(store);
    } finally {
      await store.close();
    }
  } finally {
    folder.close();
  }
}

async function filesOf(home: Home): Promise<SnapshotFiles> {
  const { SnapshotFiles: Files } = await import('../snapshots/snapshot-files.ts');
  return new Files(home.snapshots);
}

function described({ height, format, hash, chunkHashes }: SnapshotInfo): object {
  return {
    height: Number(height),
    format,
    chunks: chunkHashes.length,
    hash: Buffer.from(hash).toString('hex').toUpperCase(),
  };
}

function whole(text: string, what: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new Error(`the ${what} of a snapshot is a whole number, not ${JSON.stringify(text)}`);
}

function appHashFrom(text: string): Uint8Array {
  if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new Error('--app-hash is 32 bytes in hexadecimal');
  return Buffer.from(text, 'hex');
}
