/**
 * fd_write that writes all. wasmer-js writes as much as its pipe takes and says so; programs written for blocking
 * streams (AssemblyScript's shim is one) never ask how much was taken, and would lose the rest.
 */

export type FdWrite = (fd: number, iovs: number, count: number, writtenAt: number) => number;

/** `view`: over the guest's memory as it is now. */
export function completeWrite(original: FdWrite, view: () => DataView): FdWrite {
  return (fd, iovsAt, count, writtenAt) => {
    const errno = original(fd, iovsAt, count, writtenAt);
    if (errno !== 0) return errno;
    const memory = view();
    const [iovs, result] = [iovsAt >>> 0, writtenAt >>> 0];
    const vectors = Array.from({ length: count }, (_, i) => ({
      at: memory.getUint32(iovs + 8 * i, true),
      length: memory.getUint32(iovs + 8 * i + 4, true),
    }));
    const wanted = vectors.reduce((sum, { length }) => sum + length, 0);
    let written = memory.getUint32(result, true);
    if (written === 0 || written >= wanted) return 0;
    // The rest goes through the first vector, which is put back: the array is the program's.
    let passed = 0;
    for (const { at, length } of vectors) {
      while (written < passed + length) {
        memory.setUint32(iovs, at + written - passed, true);
        memory.setUint32(iovs + 4, passed + length - written, true);
        const taken = original(fd, iovsAt, 1, writtenAt) === 0 ? memory.getUint32(result, true) : 0;
        if (taken === 0) break;
        written += taken;
      }
      passed += length;
      if (written < passed) break;
    }
    memory.setUint32(iovs, vectors[0]!.at, true);
    memory.setUint32(iovs + 4, vectors[0]!.length, true);
    memory.setUint32(result, written, true);
    return 0;
  };
}
