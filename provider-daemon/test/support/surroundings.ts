import { createHash } from 'node:crypto';
import type { Surroundings } from '../../src/identity/certificates.ts';

/** A fixed clock, now unless told otherwise (node:tls checks certificates by the real one), and counted randomness. */
export function counted(nowMs = Date.now()): Surroundings {
  let calls = 0;
  return {
    now: () => nowMs,
    random: (length) =>
      new Uint8Array(createHash('shake256', { outputLength: length }).update(String(calls++)).digest()),
  };
}
