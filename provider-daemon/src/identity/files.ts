/** Files that are there whole or not at all, also after a crash. */
import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** Writes and syncs a new file of mode 0600. @throws when it is there already */
export function writeNewFile(file: string, content: string | Uint8Array): void {
  const descriptor = openSync(file, 'wx', 0o600);
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content;
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Makes the names in a folder last. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Puts a file in the place of another one. @param suffix of the file in between, unique among writers */
export function replaceFile(file: string, content: string | Uint8Array, suffix: string): void {
  const fresh = `${file}.${suffix}`;
  writeNewFile(fresh, content);
  renameSync(fresh, file);
  syncFolder(dirname(file));
}
