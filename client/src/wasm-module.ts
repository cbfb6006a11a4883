/**
 * What a function's binary must be, and its memory limit written into it. Depends on nothing, so that the user's side
 * (before anything is paid) and the provider's side (before anything runs) make the same check.
 */
import { WasmReader, wasmString, writeVarU32 } from './wasm-reader.ts';

/** WebAssembly counts memory in pages of this many bytes. */
export const wasmPageBytes = 65_536;

/** The one namespace that a function may import from. */
export const wasiNamespace = 'wasi_snapshot_preview1';

/** All 46 functions of WASI preview 1. */
export const wasiFunctions: ReadonlySet<string> = new Set(
  (
    'args_get args_sizes_get environ_get environ_sizes_get clock_res_get clock_time_get fd_advise fd_allocate fd_close ' +
    'fd_datasync fd_fdstat_get fd_fdstat_set_flags fd_fdstat_set_rights fd_filestat_get fd_filestat_set_size ' +
    'fd_filestat_set_times fd_pread fd_prestat_get fd_prestat_dir_name fd_pwrite fd_read fd_readdir fd_renumber fd_seek ' +
    'fd_sync fd_tell fd_write path_create_directory path_filestat_get path_filestat_set_times path_link path_open ' +
    'path_readlink path_remove_directory path_rename path_symlink path_unlink_file poll_oneoff proc_exit proc_raise ' +
    'sched_yield random_get sock_accept sock_recv sock_send sock_shutdown'
  ).split(' '),
);

export type ModuleProblem = 'not_wasm' | 'component' | 'malformed' | 'import' | 'export' | 'memory' | 'table';

/** A binary that cannot run as a function, and why. */
export class ModuleError extends Error {
  readonly reason: ModuleProblem;

  constructor(reason: ModuleProblem, message: string) {
    super(message);
    this.name = 'ModuleError';
    this.reason = reason;
  }
}

export interface ModuleImport {
  readonly namespace: string;
  readonly name: string;
  readonly kind: ExternalKind;
}

export interface ModuleExport {
  readonly name: string;
  readonly kind: ExternalKind;
  readonly index: number;
}

/** Minimum and maximum as the module has them: pages of a memory, entries of a table. */
export interface ModuleLimits {
  readonly minimum: bigint;
  readonly maximum: bigint | undefined;
  readonly shared: boolean;
  readonly wide: boolean;
}

/** What a check needs to know of a module. */
export interface ModuleShape {
  readonly imports: readonly ModuleImport[];
  readonly exports: readonly ModuleExport[];
  readonly memories: readonly ModuleLimits[];
  readonly tables: readonly (ModuleLimits & { readonly type: Uint8Array })[];
  readonly sections: readonly ModuleSection[];
}

/** A section's id and where it stands: its header at `start`, its content from `from` to `to`. */
export interface ModuleSection {
  readonly id: number;
  readonly start: number;
  readonly from: number;
  readonly to: number;
}

const externalKinds = ['function', 'table', 'memory', 'global', 'tag'] as const;
export type ExternalKind = (typeof externalKinds)[number];

const section = { import: 2, table: 4, memory: 5, export: 7 } as const;
const magic = [0x00, 0x61, 0x73, 0x6d];
/** A table of more entries could take memory that no limit counts. */
const maxTableEntries = 1_000_000n;
const maxTables = 16;

/**
 * Reads imports, exports, memories and tables. Code is not looked at: that is the engine's validation.
 * @throws ModuleError where the bytes are not a WebAssembly module
 */
export function parseModule(bytes: Uint8Array): ModuleShape {
  checkHeader(bytes);
  const reader = new WasmReader(bytes, (what) => new ModuleError('malformed', `the module is damaged: ${what}`));
  reader.skip(8);
  const sections: ModuleSection[] = [];
  const imports: ModuleImport[] = [];
  const exports: ModuleExport[] = [];
  const memories: ModuleLimits[] = [];
  const tables: (ModuleLimits & { type: Uint8Array })[] = [];
  while (!reader.atEnd) {
    const start = reader.position;
    const id = reader.byte();
    const content = reader.part(reader.varU32());
    sections.push({ id, start, from: content.position, to: content.end });
    if (id === section.import) imports.push(...content.list(readImport));
    else if (id === section.export) exports.push(...content.list(readExport));
    else if (id === section.memory) memories.push(...content.list(readLimits));
    else if (id === section.table) tables.push(...content.list(readTable));
  }
  return { imports, exports, memories, tables, sections };
}

/**
 * Checks that a binary can run as a function: a WebAssembly module that imports nothing but WASI preview 1 and exports
 * `_start` and its only memory.
 * @throws ModuleError with what is wrong and what to do
 */
export function checkFunctionModule(bytes: Uint8Array): ModuleShape {
  const shape = parseModule(bytes);
  checkImports(shape.imports);
  checkMemories(shape.memories);
  if (shape.tables.length > maxTables) throw new ModuleError('table', `more than ${maxTables} tables`);
  if (shape.tables.some(({ shared, wide }) => shared || wide)) {
    throw new ModuleError('table', 'shared and 64-bit tables are not supported');
  }
  if (!exportsOf(shape, 'function').includes('_start')) {
    const hint = exportsOf(shape, 'function').includes('_initialize')
      ? 'it is a reactor: build it as a WASI command'
      : 'build it as a WASI command, a program with a main function';
    throw new ModuleError('export', `the module does not export a function _start: ${hint}`);
  }
  if (!exportsOf(shape, 'memory').includes('memory')) {
    throw new ModuleError('export', 'the module does not export its memory under the name "memory"');
  }
  const engine = (globalThis as { WebAssembly?: { validate(source: Uint8Array): boolean } }).WebAssembly;
  if (engine !== undefined && !engine.validate(bytes)) {
    throw new ModuleError('malformed', 'the module is not valid WebAssembly: its code does not validate');
  }
  return shape;
}

/**
 * The same module with its memory's maximum lowered to what `memoryBytes` allows (whole pages, rounded down) and its
 * tables bounded: memory.grow beyond fails inside the module, whatever the engine.
 * @throws ModuleError as `checkFunctionModule`, or where the module needs more from the start
 */
export function limitModule(bytes: Uint8Array, memoryBytes: number): Uint8Array {
  const shape = checkFunctionModule(bytes);
  const pages = BigInt(Math.min(Math.floor(memoryBytes / wasmPageBytes), 65_536));
  const memory = shape.memories[0]!;
  if (memory.minimum > pages) {
    const [needs, has] = [memory.minimum, pages].map((count) => `${(Number(count) * wasmPageBytes) / 1024} KiB`);
    throw new ModuleError('memory', `the module starts with ${needs} of memory, its limit is ${has}`);
  }
  const parts: Uint8Array[] = [bytes.subarray(0, 8)];
  for (const { id, start, to } of shape.sections) {
    if (id === section.memory) parts.push(sectionOf(id, [...writeVarU32(1), ...limitsOf(memory, pages)]));
    else if (id === section.table) parts.push(sectionOf(id, tablesOf(shape.tables)));
    else parts.push(bytes.subarray(start, to));
  }
  return joined(parts);
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < 8 || magic.some((byte, i) => bytes[i] !== byte)) {
    throw new ModuleError('not_wasm', 'not a WebAssembly module: it does not begin with \\0asm');
  }
  const version = bytes[4]! | (bytes[5]! << 8) | (bytes[6]! << 16) | (bytes[7]! << 24);
  if (version === 1) return;
  if (bytes[6] === 1) {
    throw new ModuleError('component', 'a WebAssembly component, where a WASI preview 1 module is needed');
  }
  throw new ModuleError('not_wasm', `WebAssembly of version ${version >>> 0}, where 1 is needed`);
}

function checkImports(imports: readonly ModuleImport[]): void {
  for (const { namespace, name, kind } of imports) {
    const label = `${namespace}.${name}`;
    if (kind === 'memory')
      throw new ModuleError('memory', `the module imports its memory (${label}): it must define it`);
    if (namespace !== wasiNamespace) {
      throw new ModuleError(
        'import',
        `the module imports ${label}; allowed is only ${wasiNamespace}${hintOf(namespace)}`,
      );
    }
    if (kind !== 'function' || !wasiFunctions.has(name)) {
      throw new ModuleError('import', `the module imports ${label}, which WASI preview 1 does not have`);
    }
  }
}

function hintOf(namespace: string): string {
  if (namespace === 'env')
    return ' (AssemblyScript: build with @assemblyscript/wasi-shim; C, Rust: target wasm32-wasi)';
  if (namespace === 'wasi_unstable') return ' (built for WASI preview 0: use a newer compiler)';
  if (namespace.startsWith('wasix_')) return ' (WASIX is not offered)';
  return '';
}

function checkMemories(memories: readonly ModuleLimits[]): void {
  const memory = memories[0];
  if (memory === undefined || memories.length > 1) {
    throw new ModuleError('memory', `the module defines ${memories.length} memories, it must define one`);
  }
  if (memory.shared) throw new ModuleError('memory', 'the module has a shared memory: threads are not supported');
  if (memory.wide) throw new ModuleError('memory', 'the module has a 64-bit memory: build it for wasm32');
}

function exportsOf(shape: ModuleShape, kind: ExternalKind): string[] {
  return shape.exports.filter((entry) => entry.kind === kind).map(({ name }) => name);
}

function readImport(reader: WasmReader): ModuleImport {
  const namespace = wasmString(reader);
  const name = wasmString(reader);
  const kind = readKind(reader);
  if (kind === 'function') reader.varU32();
  else if (kind === 'table') readTable(reader);
  else if (kind === 'memory') readLimits(reader);
  else if (kind === 'global') {
    readValueType(reader);
    reader.byte();
  } else {
    reader.byte();
    reader.varU32();
  }
  return { namespace, name, kind };
}

function readExport(reader: WasmReader): ModuleExport {
  const name = wasmString(reader);
  const kind = readKind(reader);
  return { name, kind, index: reader.varU32() };
}

function readKind(reader: WasmReader): ExternalKind {
  const kind = externalKinds[reader.byte()];
  if (kind === undefined) throw reader.failure('an import or export of an unknown kind');
  return kind;
}

/** Flags: 1 has a maximum, 2 shared, 4 64-bit. Pages of another size than 64 KiB (8) are refused: limits count pages. */
function readLimits(reader: WasmReader): ModuleLimits {
  const flags = reader.byte();
  if (flags > 7) throw new ModuleError('memory', 'limits of an unknown form (custom page sizes are not supported)');
  const minimum = reader.varU64();
  const maximum = (flags & 1) === 0 ? undefined : reader.varU64();
  return { minimum, maximum, shared: (flags & 2) !== 0, wide: (flags & 4) !== 0 };
}

function readTable(reader: WasmReader): ModuleLimits & { type: Uint8Array } {
  if (reader.peek() === 0x40) throw new ModuleError('table', 'tables with an initial value are not supported');
  const type = readValueType(reader);
  return { type, ...readLimits(reader) };
}

/** A value or reference type's bytes: one, or a prefix and a heap type. */
function readValueType(reader: WasmReader): Uint8Array {
  const from = reader.position;
  const first = reader.byte();
  if (first === 0x63 || first === 0x64) reader.varU64();
  return reader.between(from, reader.position);
}

function limitsOf(limits: ModuleLimits, most: bigint): number[] {
  const maximum = limits.maximum !== undefined && limits.maximum < most ? limits.maximum : most;
  return [1, ...writeVarU32(Number(limits.minimum)), ...writeVarU32(Number(maximum))];
}

function tablesOf(tables: ModuleShape['tables']): number[] {
  const most = maxTableEntries / BigInt(Math.max(tables.length, 1));
  const content = writeVarU32(tables.length);
  for (const table of tables) {
    if (table.minimum > most) throw new ModuleError('table', `a table of ${table.minimum} entries, above ${most}`);
    content.push(...table.type, ...limitsOf(table, most));
  }
  return content;
}

function sectionOf(id: number, content: readonly number[]): Uint8Array {
  return Uint8Array.from([id, ...writeVarU32(content.length), ...content]);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}
