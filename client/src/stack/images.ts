/** The images of Workloads: archives are read by the user, names are pinned to digests, before anything is signed. */
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { manifestLimits } from '../manifest/head.ts';
import { imageArchiveProblem } from './image-archive.ts';
import type { StackFile } from './parse.ts';
import { StackError, type StackProblem, shown } from './problems.ts';
import { archivePrefix, imagePattern, type WorkloadService } from './schema.ts';

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
 * @returns by the Workloads' names: `name@sha256:…`, or the bytes of an archive
 * @throws StackError with a problem, at its place in the stack file, for each image that cannot be had
 */
export async function loadImages(file: StackFile, options: ImageOptions): Promise<Map<string, string | Uint8Array>> {
  const loaded = new Map<string, string | Uint8Array>();
  const problems: StackProblem[] = [];
  for (const [i, service] of file.stack.services.entries()) {
    if (service.type !== 'Workload') continue;
    try {
      loaded.set(service.name, await loadImage(service, { ...options, folder: options.folder ?? dirname(file.file) }));
    } catch (error) {
      const message = `container ${shown(service.container)}: ${error instanceof Error ? error.message : String(error)}`;
      const allowed = error instanceof ImageError ? error.allowed : 'an image that its registry gives';
      problems.push(file.problemAt(['services', i, 'container'], { message, allowed }));
    }
  }
  if (problems.length > 0) throw new StackError(problems);
  return loaded;
}

/** An archive that cannot be used. */
class ImageError extends Error {
  readonly allowed: string;

  constructor(message: string, allowed: string) {
    super(message);
    this.allowed = allowed;
  }
}

async function loadImage(
  { container, registry }: WorkloadService,
  options: ImageOptions & { readonly folder: string },
): Promise<string | Uint8Array> {
  if (container.startsWith(archivePrefix)) {
    return readArchive(resolve(options.folder, container.slice(archivePrefix.length)));
  }
  return imagePattern.test(container) ? container : options.resolve(container, registry);
}

async function readArchive(path: string): Promise<Uint8Array> {
  const bytes = await readFileWithin(path, manifestLimits.fileBytes);
  const problem = await imageArchiveProblem(bytes);
  if (problem !== undefined) {
    throw new ImageError(problem, 'an OCI image layout as a tar, or what `docker save` writes');
  }
  return bytes;
}

async function readFileWithin(path: string, most: number): Promise<Uint8Array> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    const why = error.code === 'ENOENT' ? `there is no file ${path}` : `it cannot be read: ${error.message}`;
    throw new ImageError(why, 'a path relative to the stack file');
  });
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new ImageError('it is not a file', 'the path of a file');
    if (stat.size > most) throw new ImageError(`it has ${stat.size} bytes`, `at most ${most} bytes`);
    return new Uint8Array(await handle.readFile());
  } finally {
    await handle.close();
  }
}
