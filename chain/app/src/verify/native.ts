/** Whether signatures are verified by the native library. */
import { usesNativeSecp256k1 } from '@mu/x-auth/signatures';

/** The part of a logger that is needed here. */
export interface WarningLog {
  warn(fields: object, text: string): void;
}

/**
 * Says so where the package `secp256k1` has fallen back to JavaScript, which it does without a word: the node would be
 * right and thirty times too slow.
 * @returns whether the native library is there
 */
export function warnWithoutNative(log: WarningLog, isNative: () => boolean = usesNativeSecp256k1): boolean {
  if (isNative()) return true;
  const { platform, arch, versions } = process;
  log.warn(
    { platform, arch, node: versions.node },
    'libsecp256k1 is not loaded: signatures are verified by JavaScript, about 30 times slower, and this node may fall ' +
      'behind the chain. Install the package secp256k1 with its prebuilt library for this platform, or with a C++ ' +
      'compiler, make and Python at hand: npm rebuild secp256k1',
  );
  return false;
}
