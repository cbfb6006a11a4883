/**
 * Loaded first (`--import`) by every thread of a sandbox process. wasmer-js neither lets the first argument of a program
 * be chosen, nor completes its writes, nor tells how large its memory was when it trapped; all three are had where it
 * instantiates a guest.
 */
import { BroadcastChannel, getEnvironmentData, isMainThread } from 'node:worker_threads';
import { GuestLink, guestLinkKey, guestMemoryChannel } from './guest-link.ts';
import { completeWrite, type FdWrite } from './guest-write.ts';

interface Memory {
  readonly buffer: ArrayBuffer;
}
type Imports = Record<string, Record<string, unknown>>;
interface Instance {
  readonly exports: Readonly<Record<string, unknown>>;
}
type InstanceConstructor = new (module: object, imports?: Imports) => Instance;

const namespace = 'wasi_snapshot_preview1';
const engine = globalThis as unknown as { WebAssembly: { Instance: InstanceConstructor } };

function watchGuests(link: GuestLink): void {
  let last: { number: number; memory: WeakRef<Memory> } | undefined;
  engine.WebAssembly.Instance = new Proxy(engine.WebAssembly.Instance, {
    construct(target, [module, imports]: [object, Imports | undefined]) {
      const slot: { memory?: Memory } = {};
      const wasi = imports?.[namespace];
      // Read now: the arguments belong to the call that this guest is begun for.
      const own =
        wasi === undefined
          ? imports
          : { ...imports, [namespace]: { ...wasi, ...argumentsOf(link, slot), ...writes(wasi, slot) } };
      const instance = new target(module, own);
      if (typeof instance.exports['_start'] === 'function') {
        slot.memory = instance.exports['memory'] as Memory;
        last = { number: link.beginGuest(), memory: new WeakRef(slot.memory) };
      }
      return instance;
    },
  });
  const channel = new BroadcastChannel(guestMemoryChannel);
  channel.unref();
  channel.onmessage = () => {
    const memory = last?.number === link.lastGuest ? last.memory.deref() : undefined;
    if (memory !== undefined) channel.postMessage(memory.buffer.byteLength);
  };
}

function writes(wasi: Record<string, unknown>, slot: { memory?: Memory }): Record<string, unknown> {
  const original = wasi['fd_write'];
  if (typeof original !== 'function') return {};
  return { fd_write: completeWrite(original as FdWrite, () => new DataView(slot.memory!.buffer)) };
}

/** WASI's args_sizes_get and args_get over the shared arguments; 21 is EFAULT. */
function argumentsOf(link: GuestLink, slot: { memory?: Memory }): Record<string, unknown> {
  const { count, bytes } = link.getArguments();
  const guarded = (write: (view: DataView, all: Uint8Array) => void): number => {
    try {
      const buffer = slot.memory!.buffer;
      write(new DataView(buffer), new Uint8Array(buffer));
      return 0;
    } catch {
      return 21;
    }
  };
  return {
    args_sizes_get: (countAt: number, sizeAt: number) =>
      guarded((view) => {
        view.setUint32(countAt >>> 0, count, true);
        view.setUint32(sizeAt >>> 0, bytes.length, true);
      }),
    args_get: (pointersAt: number, textAt: number) =>
      guarded((view, all) => {
        all.set(bytes, textAt >>> 0);
        let start = 0;
        for (let i = 0; i < count; i++) {
          view.setUint32((pointersAt >>> 0) + 4 * i, (textAt >>> 0) + start, true);
          start = bytes.indexOf(0, start) + 1;
        }
      }),
  };
}

const shared = getEnvironmentData(guestLinkKey);
if (!isMainThread && shared instanceof SharedArrayBuffer) watchGuests(new GuestLink(shared));
