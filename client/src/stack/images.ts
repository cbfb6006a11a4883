/** The images of Workloads: archives are read by the user, names are pinned to digests, before anything is signed. */

import { dirname, resolve } from 'node:path';
import { messageOf } from '@mu/lib/error-message';
import type { HashedFile } from '../manifest/files.ts';
import { inspectArchive } from './image-archive.ts';
import { LocalFileError, localFile } from './local-file.ts';
import type { StackFile } from './parse.ts';
import { StackError, type StackProblem, shown } from './problems.ts';
import type { WorkloadService } from './schema.ts';
import { archivePrefix, imagePattern } from './workload-schema.ts';

export interface ImageOptions {
  /** Where relative paths begin; the stack file's folder by default. */
  readonly folder?: string;
  /** What a tag stands for now: `name@sha256:…`. @throws Error with what the registry says */
  readonly resolve: (
    image: string,
    credentials: { readonly username: string; readonly password: string } | undefined,
  ) => Promise<string>;
}

/**
 * Loads archives and resolves tags.
 * @returns by the Workloads' names: `name@sha256:…`, or an archive, which stays on the disk
 * @throws StackError with a problem, at its place in the stack file, for each image that cannot be had
 */
export async function loadImages(file: StackFile, options: ImageOptions): Promise<Map<string, string | HashedFile>> {
  const loaded = new Map<string, string | HashedFile>();
  const problems: StackProblem[] = [];
  for (const [i, service] of file.stack.services.entries()) {
    if (service.type !== 'Workload') continue;
    try {
      loaded.set(service.name, await loadImage(service, { ...options, folder: options.folder ?? dirname(file.file) }));
    } catch (error) {
      const message = `container ${shown(service.container)}: ${messageOf(error)}`;
      const allowed = error instanceof LocalFileError ? error.allowed : 'an image that its registry gives';
      problems.push(file.problemAt(['services', i, 'container'], { message, allowed }));
    }
  }
  if (problems.length > 0) throw new StackError(problems);
  return loaded;
}

async function loadImage(
  { container, registry }: WorkloadService,
  options: ImageOptions & { readonly folder: string },
): Promise<string | HashedFile> {
  if (container.startsWith(archivePrefix)) {
    return readArchive(resolve(options.folder, container.slice(archivePrefix.length)));
  }
  return imagePattern.test(container) ? container : options.resolve(container, registry);
}

const archiveForms = 'an OCI image layout as a tar, or what `docker save` writes';

async function readArchive(path: string): Promise<HashedFile> {
  const source = await localFile(path, archiveForms);
  const inspected = await inspectArchive(path, source);
  if ('problem' in inspected) throw new LocalFileError(inspected.problem, archiveForms);
  return { source, hash: inspected.hash };
}
