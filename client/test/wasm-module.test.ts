import binaryen from 'assemblyscript/binaryen';
import fc from 'fast-check';
import {
  checkFunctionModule,
  limitModule,
  ModuleError,
  type ModuleProblem,
  parseModule,
  wasiFunctions,
} from '../src/wasm-module.ts';
import { writeVarU32 } from '../src/wasm-reader.ts';

function wat(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  module.setFeatures(binaryen.Features.All);
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

const memory = '(memory (export "memory") 2)';
const start = '(func (export "_start"))';
const good = wat(`(module (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  ${memory} (table 3 funcref) ${start})`);

/** A module of the given sections, by hand: for what an assembler would not write. */
function sections(...parts: [id: number, content: number[]][]): Uint8Array {
  const header = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
  return Uint8Array.from([
    ...header,
    ...parts.flatMap(([id, content]) => [id, ...writeVarU32(content.length), ...content]),
  ]);
}

function problemOf(bytes: Uint8Array): ModuleProblem | undefined {
  try {
    checkFunctionModule(bytes);
    return undefined;
  } catch (error) {
    if (error instanceof ModuleError) return error.reason;
    throw error;
  }
}

test('there are 46 functions of WASI preview 1', () => {
  expect(wasiFunctions.size).toBe(46);
});

test('a command passes, and its parts are seen', () => {
  expect(problemOf(good)).toBeUndefined();
  const shape = parseModule(good);
  expect(shape.imports).toEqual([{ namespace: 'wasi_snapshot_preview1', name: 'fd_write', kind: 'function' }]);
  expect(shape.exports.map(({ name, kind }) => `${kind} ${name}`).sort()).toEqual(['function _start', 'memory memory']);
  expect(shape.memories).toEqual([{ minimum: 2n, maximum: undefined, shared: false, wide: false }]);
});

test.each<[string, Uint8Array, ModuleProblem, RegExp]>([
  ['text', Buffer.from('#!/bin/sh\n'), 'not_wasm', /does not begin with/],
  ['nothing', new Uint8Array(), 'not_wasm', /not a WebAssembly module/],
  ['a component', Uint8Array.of(0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0), 'component', /preview 1 module/],
  ['another version', Uint8Array.of(0, 0x61, 0x73, 0x6d, 2, 0, 0, 0), 'not_wasm', /version 2/],
  [
    'an import of env',
    wat(`(module (import "env" "abort" (func)) ${memory} ${start})`),
    'import',
    /env\.abort.*wasi-shim/,
  ],
  ['WASIX', wat(`(module (import "wasix_32v1" "fork" (func)) ${memory} ${start})`), 'import', /WASIX is not offered/],
  [
    'a function that WASI lacks',
    wat(`(module (import "wasi_snapshot_preview1" "sock_open" (func)) ${memory} ${start})`),
    'import',
    /sock_open, which WASI preview 1 does not have/,
  ],
  [
    'an imported global',
    wat(`(module (import "wasi_snapshot_preview1" "fd_write" (global i32)) ${memory} ${start})`),
    'import',
    /does not have/,
  ],
  ['an imported memory', wat(`(module (import "env" "memory" (memory 1)) ${start})`), 'memory', /must define it/],
  ['no memory', wat(`(module ${start})`), 'memory', /defines 0 memories/],
  ['two memories', wat(`(module ${memory} (memory 1) ${start})`), 'memory', /defines 2 memories/],
  ['a shared memory', wat(`(module (memory (export "memory") 1 2 shared) ${start})`), 'memory', /threads/],
  ['a 64-bit memory', wat(`(module (memory (export "memory") i64 1) ${start})`), 'memory', /wasm32/],
  ['pages of another size', sections([5, [1, 8, 1, 0]]), 'memory', /custom page sizes/],
  ['no _start', wat(`(module ${memory} (func (export "main")))`), 'export', /WASI command/],
  ['a reactor', wat(`(module ${memory} (func (export "_initialize")))`), 'export', /reactor/],
  ['a memory that is not exported', wat(`(module (memory 1) ${start})`), 'export', /under the name "memory"/],
  [
    'code that does not validate',
    sections(
      [1, [1, 0x60, 0, 0]],
      [3, [1, 0]],
      [5, [1, 0, 1]],
      [7, [2, 6, ...Buffer.from('_start'), 0, 0, 6, ...Buffer.from('memory'), 2, 0]],
      [10, [1, 3, 0, 0x6a, 0x0b]],
    ),
    'malformed',
    /does not validate/,
  ],
  ['a cut module', good.subarray(0, good.length - 5), 'malformed', /ends too early/],
])('%s is refused', (_, bytes, reason, message) => {
  expect(problemOf(bytes)).toBe(reason);
  expect(() => checkFunctionModule(bytes)).toThrow(message);
});

describe('limits', () => {
  const mebibyte = 1024 * 1024;

  test('the memory gets the maximum that the limit allows, and the module stays valid', () => {
    const limited = limitModule(good, 3 * mebibyte + 5);
    expect(parseModule(limited).memories).toEqual([{ minimum: 2n, maximum: 48n, shared: false, wide: false }]);
    expect(parseModule(limited).tables[0]).toMatchObject({ minimum: 3n, maximum: 1_000_000n });
    expect(problemOf(limited)).toBeUndefined();
  });

  test('a lower maximum of its own stays', () => {
    const own = wat(`(module (memory (export "memory") 1 5) ${start})`);
    expect(parseModule(limitModule(own, mebibyte)).memories[0]?.maximum).toBe(5n);
    expect(parseModule(limitModule(own, 2 * 65_536)).memories[0]?.maximum).toBe(2n);
  });

  test('never above what WebAssembly allows', () => {
    expect(parseModule(limitModule(good, 16 * 1024 ** 3)).memories[0]?.maximum).toBe(65_536n);
  });

  test('a module that needs more from the start is refused', () => {
    expect(() => limitModule(good, 65_536)).toThrow('the module starts with 128 KiB of memory, its limit is 64 KiB');
  });

  test('tables share one bound', () => {
    const tables = wat(`(module ${memory} (table 1 9 funcref) (table 1 externref) ${start})`);
    expect(parseModule(limitModule(tables, mebibyte)).tables.map(({ maximum }) => maximum)).toEqual([9n, 500_000n]);
    const huge = wat(`(module ${memory} (table 2000000 funcref) ${start})`);
    expect(() => limitModule(huge, mebibyte)).toThrow(/a table of 2000000 entries/);
  });

  test('memory really ends there', () => {
    const grows = wat(
      `(module ${memory} ${start} (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0))))`,
    );
    const engine = (
      globalThis as unknown as {
        WebAssembly: {
          Module: new (bytes: Uint8Array) => object;
          Instance: new (module: object) => { exports: { grow(pages: number): number } };
        };
      }
    ).WebAssembly;
    const { grow } = new engine.Instance(new engine.Module(limitModule(grows, mebibyte))).exports;
    expect([grow(14), grow(1)]).toEqual([2, -1]);
  });
});

test('whatever the bytes, a module is parsed or refused by ModuleError', () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 4 }),
      fc.nat(good.length),
      (changes, end) => {
        const bytes = good.slice(0, end);
        for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
        const problem = problemOf(bytes);
        if (problem === undefined) expect(parseModule(limitModule(bytes, 2 ** 32)).memories).toHaveLength(1);
      },
    ),
    { numRuns: 2000 },
  );
});
