/** The files that Workloads mount: found and hashed by the user before anything is signed. They stay on the disk. */

import { dirname, resolve } from 'node:path';
import { messageOf } from '@mu/lib/error-message';
import type { FileSource } from '../manifest/file-source.ts';
import { type HashedFile, RunningHash } from '../manifest/files.ts';
import { LocalFileError, localFile } from './local-file.ts';
import type { StackFile } from './parse.ts';
import { StackError, type StackProblem, shown } from './problems.ts';

/**
 * Finds and hashes the files of each Workload; one that several name is read once.
 * @param folder where paths begin; the stack file's by default
 * @returns by the Workloads' names, in the order of their `files`
 * @throws StackError with a problem, at its place in the stack file, for each file that cannot be had
 */
export async function loadMountedFiles(
  file: StackFile,
  folder: string = dirname(file.file),
): Promise<Map<string, readonly HashedFile[]>> {
  const loaded = new Map<string, readonly HashedFile[]>();
  const problems: StackProblem[] = [];
  const hashed = new Map<string, HashedFile>();
  for (const [i, service] of file.stack.services.entries()) {
    if (service.type !== 'Workload' || service.files === undefined) continue;
    const files: HashedFile[] = [];
    for (const [k, { source }] of service.files.entries()) {
      const path = resolve(folder, source);
      try {
        const found = hashed.get(path) ?? (await hashedFile(path));
        hashed.set(path, found);
        files.push(found);
      } catch (error) {
        const message = `file ${shown(source)}: ${messageOf(error)}`;
        const allowed = error instanceof LocalFileError ? error.allowed : 'a file that can be read';
        problems.push(file.problemAt(['services', i, 'files', k, 'source'], { message, allowed }));
      }
    }
    loaded.set(service.name, files);
  }
  if (problems.length > 0) throw new StackError(problems);
  return loaded;
}

async function hashedFile(path: string): Promise<HashedFile> {
  const source: FileSource = await localFile(path, 'a file of at least one byte');
  const running = new RunningHash(path, source.size);
  for await (const chunk of source.chunks()) running.update(chunk);
  return { source, hash: running.done() };
}
