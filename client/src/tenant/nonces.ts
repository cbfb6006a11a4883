/** The nonces that have been used, for as long as a request with one could still be fresh. */
import { TenantError } from './errors.ts';

export interface NonceSet {
  /**
   * Records a nonce. @param forgetMs when a request with it can no longer be fresh
   * @throws TenantError `replayed`, or `busy` when there is no room: to forget early would let replays in
   */
  use(publicKey: string, nonce: string, forgetMs: number, nowMs: number): void;
}

/**
 * A bounded set in memory. Each key has a room of its own, so that one tenant cannot use up another one's. A daemon that
 * has restarted knows no nonces: it refuses what was signed before its start (`notBeforeMs` of verifyRequest).
 */
export function createNonceSet(limits: { perKey: number; keys: number } = { perKey: 10_000, keys: 10_000 }): NonceSet {
  const used = new Map<string, Map<string, number>>();
  const sweep = (nonces: Map<string, number>, nowMs: number): void => {
    for (const [nonce, forgetMs] of nonces) if (forgetMs < nowMs) nonces.delete(nonce);
  };
  const sweepAll = (nowMs: number): void => {
    for (const [key, nonces] of used) {
      sweep(nonces, nowMs);
      if (nonces.size === 0) used.delete(key);
    }
  };
  return {
    use(publicKey, nonce, forgetMs, nowMs) {
      if (!used.has(publicKey) && used.size >= limits.keys) sweepAll(nowMs);
      const nonces = used.get(publicKey) ?? new Map<string, number>();
      if ((nonces.get(nonce) ?? -1) >= nowMs)
        throw new TenantError('replayed', 'this request has been made before: sign it anew');
      if (nonces.size >= limits.perKey) sweep(nonces, nowMs);
      if (nonces.size >= limits.perKey || (!used.has(publicKey) && used.size >= limits.keys)) {
        throw new TenantError('busy', 'too many requests: wait a minute');
      }
      nonces.set(nonce, forgetMs);
      used.set(publicKey, nonces);
    },
  };
}
