/**
 * What runs a module inside a sandbox process. The process knows nothing else of it, so that one engine can be replaced
 * by another.
 */
import type { FailedReason } from './engine-protocol.ts';

export interface EngineCall {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly stdin: Uint8Array;
  /** A promise holds the program back. */
  readonly stdout: (chunk: Uint8Array) => Promise<void>;
  readonly stderr: (chunk: Uint8Array) => Promise<void>;
}

export interface Engine {
  /** Of the engine and its version, for logs. */
  readonly name: string;
  /** Everything that can be done before a module is known; nothing is read from disk after it that `--permission` forbids. */
  warmUp(): Promise<void>;
  /** @throws where the module cannot be loaded */
  load(module: Uint8Array): Promise<void>;
  /**
   * One call at a time, each in a fresh instance. Resolves with the exit code.
   * @throws GuestFailure when the program did not end by itself
   */
  run(call: EngineCall): Promise<number>;
}

/** The program ended by a trap, or because its memory was not enough. */
export class GuestFailure extends Error {
  readonly reason: FailedReason;

  constructor(reason: FailedReason, message: string) {
    super(message);
    this.name = 'GuestFailure';
    this.reason = reason;
  }
}
