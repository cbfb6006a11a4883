/** Files that are replaced whole: after a crash there is the old one or the new one, never half of it. */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * @param parts written one after another, so that a file may be larger than a string can be
 * @throws Error of the file system; the old file is as it was then
 */
export function writeFileAtomically(path: string, parts: string | Iterable<string | Uint8Array>, mode = 0o644): void {
  mkdirSync(dirname(path), { recursive: true });
  const temporary = `${path}.new`;
  try {
    const file = openSync(temporary, 'w', mode);
    try {
      for (const part of typeof parts === 'string' ? [parts] : parts) writeAll(file, part);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function writeAll(file: number, part: string | Uint8Array): void {
  const bytes = typeof part === 'string' ? Buffer.from(part) : part;
  // One write may take less than all of it.
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at);
}
