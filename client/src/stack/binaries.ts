/** The functions' binaries: loaded by the user, checked before anything is signed, never fetched by a provider. */
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { toHex } from '@mu/lib/bytes';
import { sha256 } from '@mu/lib/hashes';
import { manifestLimits } from '../manifest/head.ts';
import { limitModule, ModuleError } from '../wasm-module.ts';
import { defaultFunctionMemory } from './mu-services-schema.ts';
import type { StackFile } from './parse.ts';
import { StackError, type StackProblem, shown } from './problems.ts';
import type { FunctionService } from './schema.ts';
import { ArchiveError, moduleInArchive } from './tarball.ts';

/** A binary's size in bytes, at most; also an archive's as it comes over the wire. */
export const maxBinaryBytes = manifestLimits.moduleBytes;

/** A module that can run as a function. */
export interface LoadedBinary {
  readonly bytes: Uint8Array;
  /** SHA-256 of the module in hex. */
  readonly sha256: string;
}

/** What loading may take. */
export interface LoadOptions {
  /** Where relative paths begin; the stack file's folder by default. */
  readonly folder?: string;
  /** Instead of the global one. */
  readonly fetch?: typeof globalThis.fetch;
  /** For each URL; 60 seconds by default. */
  readonly timeoutMs?: number;
  /** For each binary; 64 MiB by default. */
  readonly maxBytes?: number;
}

/**
 * Loads and checks the binary of each MuFunction.
 * @returns by the services' names
 * @throws StackError with a problem, at its place in the stack file, for each binary that is missing, too large, not
 *   WebAssembly, imports what WASI does not have, or needs more memory than the function has
 */
export async function loadBinaries(file: StackFile, options: LoadOptions = {}): Promise<Map<string, LoadedBinary>> {
  const loaded = new Map<string, LoadedBinary>();
  const problems: StackProblem[] = [];
  for (const [i, service] of file.stack.services.entries()) {
    if (service.type !== 'MuFunction') continue;
    try {
      const bytes = await loadModule(service, { ...options, folder: options.folder ?? dirname(file.file) });
      loaded.set(service.name, { bytes, sha256: toHex(sha256(bytes)) });
    } catch (error) {
      problems.push(file.problemAt(['services', i, 'binary'], problemOf(service, error)));
    }
  }
  if (problems.length > 0) throw new StackError(problems);
  return loaded;
}

/** A binary that cannot be had. */
class LoadError extends Error {
  readonly allowed: string;

  constructor(message: string, allowed: string) {
    super(message);
    this.allowed = allowed;
  }
}

function problemOf(service: FunctionService, error: unknown): { message: string; allowed: string } {
  const what = `binary ${shown(service.binary)}`;
  if (error instanceof LoadError || error instanceof ArchiveError) {
    return { message: `${what}: ${error.message}`, allowed: error.allowed };
  }
  if (error instanceof ModuleError) {
    const allowed =
      error.reason === 'memory'
        ? 'a module with one memory of its own, not larger at its start than `memory` of the function'
        : 'a WebAssembly module that imports only wasi_snapshot_preview1 and exports _start and memory';
    return { message: `${what}: ${error.message}`, allowed };
  }
  throw error;
}

async function loadModule(service: FunctionService, options: LoadOptions & { folder: string }): Promise<Uint8Array> {
  const maxBytes = options.maxBytes ?? maxBinaryBytes;
  const { binary } = service;
  const bytes = /^https?:/i.test(binary)
    ? await fetchBytes(binary, {
        fetch: options.fetch ?? globalThis.fetch,
        timeoutMs: options.timeoutMs ?? 60_000,
        maxBytes,
      })
    : await readBytes(resolve(options.folder, binary), maxBytes);
  const isArchive = /\.(?:tar\.gz|tgz)(?:\?|$)/i.test(binary);
  const module = isArchive ? await moduleInArchive(bytes, service.name, maxBytes) : bytes;
  // What the provider does before it runs the module: a limit that the module cannot start with shows here already.
  limitModule(module, Number(service.memory ?? defaultFunctionMemory));
  return module;
}

async function readBytes(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const handle = await open(path, 'r');
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new LoadError('it is not a file', 'the path of a file');
      if (stat.size > maxBytes) throw tooLarge(maxBytes);
      return new Uint8Array(await handle.readFile());
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof LoadError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? `there is no file ${path}` : `it cannot be read: ${message}`;
    throw new LoadError(why, 'a path relative to the stack file, or a URL');
  }
}

async function fetchBytes(
  url: string,
  options: { fetch: typeof globalThis.fetch; timeoutMs: number; maxBytes: number },
): Promise<Uint8Array> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  try {
    const response = await options.fetch(url, { signal });
    if (!response.ok) {
      await response.body?.cancel();
      throw new LoadError(`the server answers ${response.status}`, 'a URL that answers 200');
    }
    return await bodyOf(response, options.maxBytes);
  } catch (error) {
    if (error instanceof LoadError) throw error;
    if (signal.aborted)
      throw new LoadError(`no answer within ${options.timeoutMs / 1000} s`, 'a URL that answers in time');
    const { message, cause } = error as Error;
    const why = cause instanceof Error && cause.message !== '' ? cause.message : message;
    throw new LoadError(`it cannot be fetched: ${why}`, 'a URL that can be reached');
  }
}

/** The body, given up as soon as it is too large: a server may send without end. */
async function bodyOf(response: Response, maxBytes: number): Promise<Uint8Array> {
  if (Number(response.headers.get('content-length') ?? 0) > maxBytes) {
    await response.body?.cancel();
    throw tooLarge(maxBytes);
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(maxBytes);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function tooLarge(maxBytes: number): LoadError {
  return new LoadError('it is too large', `at most ${maxBytes} bytes`);
}
