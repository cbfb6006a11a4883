/** Files that a stack names by a path beside it: there, a file, and of a size that a manifest carries. */
import { stat } from 'node:fs/promises';
import { pathSource } from '../manifest/file-source.ts';
import { manifestLimits } from '../manifest/head.ts';

/** A file that cannot be used, and what would be right. */
export class LocalFileError extends Error {
  readonly allowed: string;

  constructor(message: string, allowed: string) {
    super(message);
    this.allowed = allowed;
  }
}

/**
 * A file on the disk, to be read as a stream.
 * @param path absolute
 * @param what in words, for one that is empty
 * @throws LocalFileError for one that is missing, no file, empty, or above `manifestLimits.fileBytes`
 */
export async function localFile(path: string, what: string): Promise<ReturnType<typeof pathSource>> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? `there is no file ${path}` : `it cannot be read: ${error.message}`;
    throw new LocalFileError(why, 'a path relative to the stack file');
  });
  const most = manifestLimits.fileBytes;
  if (!found.isFile()) throw new LocalFileError('it is not a file', 'the path of a file');
  if (found.size === 0) throw new LocalFileError('it is empty', what);
  if (found.size > most) throw new LocalFileError(`it has ${found.size} bytes`, `at most ${most} bytes`);
  return pathSource(path, found.size);
}
