/**
 * Makes the TypeScript of @mu/proto from the .proto files; its output is committed.
 *
 *   npm run generate             writes proto/src/generated, and proto/src/<module>.ts which re-exports one module
 *   npm run generate -- --check  writes nothing; exit code 1 and the names of the files that are not up to date
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve, sep } from 'node:path';
import {
  createFileRegistry,
  type DescEnum,
  type DescFile,
  type DescMessage,
  type FileRegistry,
  fromBinary,
} from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';

const ROOT = resolve(import.meta.dirname, '..');
const SOURCES = join(ROOT, 'proto', 'src');
const HEADER = '// Made by `npm run generate` from the .proto files. Do not edit.\n';

/** Roots of import paths, first match wins: ours, copies of other projects', protoc's own google/protobuf. */
const INCLUDES = ['proto', 'proto/third_party', 'node_modules/protoc/include'];

/** Enums and classes as plain objects that type stripping can run; u64 as bigint; Timestamp keeps its nanoseconds. */
const TS_PROTO_OPTIONS = [
  'enumsAsLiterals=true',
  'unrecognizedEnum=true',
  'importSuffix=.ts',
  'forceLong=bigint',
  'useDate=false',
  'outputServices=generic-definitions',
  'snakeToCamel=keys',
  'outputTypeAnnotations=static-only',
  'outputJsonMethods=false',
  'esModuleInterop=true',
  'useExactTypes=false',
  // Each file's helpers stay its own, so that one module's files can be re-exported together.
  'exportCommonSymbols=false',
  // Which imported files are needed is decided here: those that only declare options are not.
  'emitImportedFiles=false',
].join(',');

/** Relative path under proto/src, with slashes → content. */
type Files = ReadonlyMap<string, string>;

/** Something that the reader of the message can mend; its text says all, a stack nothing more. */
class GenerateError extends Error {}

/** Files below `dir` whose names end in `ending`, relative to `dir`, with slashes, sorted. */
function listFiles(dir: string, ending: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => name.split(sep).join('/'))
    .sort();
}

/** Runs protoc from npm over `protos` (import paths); throws with its own message, which names file and line. */
function protoc(args: readonly string[], protos: readonly string[]): void {
  const command = join(ROOT, 'node_modules', 'protoc', 'protoc.cjs');
  const includes = INCLUDES.map((path) => `--proto_path=${join(ROOT, path)}`);
  const run = spawnSync(process.execPath, [command, ...includes, ...args, ...protos], { cwd: ROOT, encoding: 'utf8' });
  if (run.error) throw run.error;
  if (run.status !== 0) throw new GenerateError(`protoc failed (exit code ${run.status}):\n${run.stderr}`);
}

/** The descriptors of `protos` and all they import, without comments and positions. */
function compile(protos: readonly string[], temporary: string): Uint8Array {
  const out = join(temporary, 'descriptors.bin');
  protoc(['--include_imports', `--descriptor_set_out=${out}`], protos);
  return readFileSync(out);
}

/** Types that code for `file` refers to: those of its messages' fields and of its services' methods. */
function* referredTypes(file: DescFile): Generator<DescMessage | DescEnum> {
  const messages = [...file.messages];
  for (let message = messages.pop(); message; message = messages.pop()) {
    messages.push(...message.nestedMessages);
    for (const field of message.fields) {
      if (field.message) yield field.message;
      if (field.enum) yield field.enum;
    }
  }
  for (const { methods } of file.services) for (const { input, output } of methods) yield* [input, output];
}

/** Import paths of `protos` and of every file whose types they use, directly or through another, sorted. */
function neededFiles(registry: FileRegistry, protos: readonly string[]): string[] {
  const needed = new Set(protos);
  const open = [...protos];
  for (let path = open.pop(); path; path = open.pop()) {
    const file = registry.getFile(path);
    if (!file) throw new Error(`${path} is not among the descriptors`);
    for (const type of referredTypes(file)) {
      const used = `${type.file.name}.proto`;
      if (!needed.has(used)) open.push(used);
      needed.add(used);
    }
  }
  return [...needed].sort();
}

/** One file per module, so that users write `@mu/proto/market`, whatever file a message stands in. */
function moduleFiles(protos: readonly string[]): Map<string, string> {
  const byModule = Map.groupBy(protos, (path) => path.split('/')[1] ?? '');
  const files = new Map<string, string>();
  for (const [module, paths] of byModule) {
    const lines = paths.map((path) => `export * from './generated/${path.replace(/\.proto$/, '.ts')}';\n`);
    files.set(`${module}.ts`, HEADER + lines.join(''));
  }
  return files;
}

function descriptorsFile(bytes: Uint8Array): string {
  return `${HEADER}
/** A google.protobuf.FileDescriptorSet of our .proto files, those under third_party and all they import; base64. */
export const fileDescriptorSet =
  '${Buffer.from(bytes).toString('base64')}';
`;
}

/** All generated files, made in a temporary folder. */
function generate(): Files {
  const ours = listFiles(join(ROOT, 'proto', 'mu'), '.proto').map((name) => `mu/${name}`);
  const copies = listFiles(join(ROOT, 'proto', 'third_party'), '.proto');
  const temporary = mkdtempSync(join(tmpdir(), 'mu-generate-'));
  try {
    const bytes = compile([...ours, ...copies], temporary);
    const needed = neededFiles(createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes)), ours);
    const plugin = join(ROOT, 'node_modules', '.bin', 'protoc-gen-ts_proto');
    const out = join(temporary, 'out');
    mkdirSync(out);
    protoc([`--plugin=${plugin}`, `--ts_proto_out=${out}`, `--ts_proto_opt=${TS_PROTO_OPTIONS}`], needed);
    const files = moduleFiles(ours);
    for (const name of listFiles(out, '.ts')) files.set(`generated/${name}`, readFileSync(join(out, name), 'utf8'));
    files.set('generated/descriptors.ts', descriptorsFile(bytes));
    return files;
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** What an earlier run has written: all of proto/src/generated, and the files beside it that carry our header. */
function readCommitted(): Files {
  const files = new Map<string, string>();
  for (const name of listFiles(SOURCES, '.ts')) {
    const content = readFileSync(join(SOURCES, name), 'utf8');
    if (name.startsWith('generated/') || content.startsWith(HEADER)) files.set(name, content);
  }
  return files;
}

/** Names that differ, sorted, each with what is wrong with the committed file. */
function compare(committed: Files, made: Files): Map<string, 'missing' | 'changed' | 'left over'> {
  const differences = new Map<string, 'missing' | 'changed' | 'left over'>();
  for (const name of [...new Set([...committed.keys(), ...made.keys()])].sort()) {
    if (!made.has(name)) differences.set(name, 'left over');
    else if (!committed.has(name)) differences.set(name, 'missing');
    else if (committed.get(name) !== made.get(name)) differences.set(name, 'changed');
  }
  return differences;
}

function write(made: Files, names: Iterable<string>): void {
  for (const name of names) {
    const path = join(SOURCES, name);
    const content = made.get(name);
    if (content === undefined) {
      rmSync(path);
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
  }
}

function main(args: readonly string[]): number {
  const unknown = args.find((arg) => arg !== '--check');
  if (unknown !== undefined) {
    console.error(`generate: unknown argument ${unknown}; the only one is --check`);
    return 2;
  }
  const made = generate();
  const differences = compare(readCommitted(), made);
  const folder = relative(ROOT, SOURCES);
  for (const [name, what] of differences) console.error(`${what}: ${folder}/${name}`);
  if (!args.includes('--check')) {
    write(made, differences.keys());
    console.error(`generate: ${made.size} files, ${differences.size} of them written or removed`);
    return 0;
  }
  if (differences.size === 0) return 0;
  console.error(
    'generate: the generated TypeScript does not match the .proto files. Run `npm run generate` and commit the files named above.',
  );
  return 1;
}

try {
  process.exitCode = main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof GenerateError)) throw error;
  console.error(`generate: ${error.message}`);
  process.exitCode = 1;
}
