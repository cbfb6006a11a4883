/** Small WASI programs, each with one habit. */
import binaryen from 'assemblyscript/binaryen';

const wasi = {
  fd_write: '(param i32 i32 i32 i32) (result i32)',
  fd_read: '(param i32 i32 i32 i32) (result i32)',
  args_get: '(param i32 i32) (result i32)',
  args_sizes_get: '(param i32 i32) (result i32)',
  environ_get: '(param i32 i32) (result i32)',
  environ_sizes_get: '(param i32 i32) (result i32)',
  proc_exit: '(param i32)',
  path_open: '(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)',
  sock_send: '(param i32 i32 i32 i32 i32) (result i32)',
} as const;

type WasiName = keyof typeof wasi;

/** Assembles WebAssembly text. */
export function wat(text: string): Uint8Array {
  const module = binaryen.parseText(text);
  try {
    return module.emitBinary();
  } finally {
    module.dispose();
  }
}

/** A command with a memory of one page, the given text at address 1024, and WASI functions under their names. */
export function program(options: {
  imports?: readonly WasiName[];
  text?: string;
  body: string;
  memory?: string;
}): Uint8Array {
  const imports = (options.imports ?? []).map(
    (name) => `(import "wasi_snapshot_preview1" "${name}" (func $${name} ${wasi[name]}))`,
  );
  const text = [...Buffer.from(options.text ?? '')].map((byte) => `\\${byte.toString(16).padStart(2, '0')}`).join('');
  return wat(`(module ${imports.join(' ')} (memory (export "memory") ${options.memory ?? '2'})
    (data (i32.const 1024) "${text}") (func (export "_start") (local $n i32) (local $r i32) ${options.body}))`);
}

/** Writes the bytes from `at` to a descriptor. */
function write(at: string, length: string, fd = 1): string {
  return `(i32.store (i32.const 0) ${at}) (i32.store (i32.const 4) ${length})
    (drop (call $fd_write (i32.const ${fd}) (i32.const 0) (i32.const 1) (i32.const 8)))`;
}

/** Writes `text` to stdout (or another descriptor), then does `after`. */
export function says(
  text: string,
  options: { after?: string; fd?: number; imports?: readonly WasiName[] } = {},
): Uint8Array {
  const imports = ['fd_write', ...(options.imports ?? [])] as WasiName[];
  const length = `(i32.const ${Buffer.byteLength(text)})`;
  return program({ imports, text, body: `${write('(i32.const 1024)', length, options.fd)} ${options.after ?? ''}` });
}

const plain = 'content-type: text/plain\n\n';
const spin = '(loop $spin (br $spin))';
const grow = `(loop $grow
  (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then (br $grow))))`;

/** Answers with the request's body. */
export const echo = program({
  imports: ['fd_write', 'fd_read'],
  text: plain,
  body: `${write('(i32.const 1024)', `(i32.const ${plain.length})`)}
    (loop $more
      (i32.store (i32.const 16) (i32.const 8192)) (i32.store (i32.const 20) (i32.const 16384))
      (drop (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 24)))
      (if (i32.load (i32.const 24)) (then
        ${write('(i32.const 8192)', '(i32.load (i32.const 24))')}
        (br $more))))`,
});

/** Answers with its arguments and its environment, each ended by a zero, an empty one between them. */
export const dump = program({
  imports: ['fd_write', 'args_get', 'args_sizes_get', 'environ_get', 'environ_sizes_get'],
  text: plain,
  body: `${write('(i32.const 1024)', `(i32.const ${plain.length})`)}
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $args_get (i32.const 2048) (i32.const 8192)))
    ${write('(i32.const 8192)', '(i32.load (i32.const 20))')}
    ${write('(i32.const 12)', '(i32.const 1)')}
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20)))
    (drop (call $environ_get (i32.const 2048) (i32.const 8192)))
    ${write('(i32.const 8192)', '(i32.load (i32.const 20))')}`,
});

export const hello = says(`${plain}hello`);
export const trap = program({ body: 'unreachable' });
export const loops = program({ body: spin });
export const loopsAfterHead = says(`${plain}so far`, { after: spin });
export const trapsAfterHead = says(`${plain}so far`, { after: 'unreachable' });
/** Takes memory until it gets no more, then traps as an allocator does. */
export const hogs = program({ body: `${grow} unreachable` });
/** The same, ending by an exit code. */
export const hogsAndExits = program({ imports: ['proc_exit'], body: `${grow} (call $proc_exit (i32.const 7))` });
export const recurses = wat('(module (memory (export "memory") 1) (func $f (export "_start") (call $f)))');
export const silent = program({ body: '' });
export const noHeaders = says('just text');
export const exits = says(`${plain}done`, { after: '(call $proc_exit (i32.const 3))', imports: ['proc_exit'] });
export const logs = says('first line\nsecond line\nno end', { fd: 2 });

/** 1,600 times 64 KiB after its head. */
export const big = program({
  imports: ['fd_write'],
  text: plain,
  body: `${write('(i32.const 1024)', `(i32.const ${plain.length})`)}
    (local.set $n (i32.const 1600))
    (loop $more
      ${write('(i32.const 65536)', '(i32.const 65536)')}
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $more (local.get $n)))`,
});
export const bigBytes = 1600 * 65_536;

/** Exits with the number of descriptors from which it could open a path of the host, in several spellings. */
export function opens(path: string): Uint8Array {
  const spellings = [path, path.slice(1), `${'../'.repeat(12)}${path.slice(1)}`];
  let at = 1024;
  const tries = spellings.map((spelling) => {
    const open = `(if (i32.eqz (call $path_open (local.get $n) (i32.const 1) (i32.const ${at}) (i32.const ${spelling.length})
      (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
      (then (local.set $r (i32.add (local.get $r) (i32.const 1)))))`;
    at += spelling.length;
    return open;
  });
  return program({
    imports: ['path_open', 'proc_exit'],
    text: spellings.join(''),
    body: `(local.set $n (i32.const 3))
      (loop $next ${tries.join('\n')}
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $n) (i32.const 32))))
      (call $proc_exit (local.get $r))`,
  });
}

/** Exits with the number of descriptors that took bytes as a socket. */
export const sends = program({
  imports: ['sock_send', 'proc_exit'],
  body: `(i32.store (i32.const 0) (i32.const 1024)) (i32.store (i32.const 4) (i32.const 4))
    (local.set $n (i32.const 0))
    (loop $next
      (if (i32.eqz (call $sock_send (local.get $n) (i32.const 0) (i32.const 1) (i32.const 0) (i32.const 8)))
        (then (local.set $r (i32.add (local.get $r) (i32.const 1)))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $n) (i32.const 32))))
    (call $proc_exit (local.get $r))`,
});
