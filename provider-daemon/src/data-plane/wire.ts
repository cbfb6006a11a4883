/**
 * Messages between daemon and data plane: a JSON text a line, over a Unix socket that only their user can open. A request
 * carries an id, its answer the same one; log lines come without.
 */
import type { WorkloadFailure } from '../workloads/driver.ts';

/** Of one message, at most; a lease with a thousand routes has some 200 KB. */
export const maxMessageBytes = 16 * 1024 * 1024;

/** Changes whenever a message does: programs of different versions do not talk past each other. */
export const wireVersion = 5;

export interface Request {
  readonly id: number;
  readonly method: string;
  readonly params: readonly unknown[];
}

export type Reply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: { readonly message: string; readonly reason?: WorkloadFailure } };

/** A line of a workload's log. */
export interface LogEvent {
  readonly log: {
    readonly lease: string;
    readonly service: string;
    readonly stream: 'stdout' | 'stderr' | 'system' | 'request';
    readonly line: string;
  };
}

export const encode = (message: Request | Reply | LogEvent): string => `${JSON.stringify(message)}\n`;

/** Cuts what comes into messages. */
export class MessageReader {
  #rest: Buffer[] = [];
  #length = 0;

  /** @throws Error for a message beyond the limit, or one that is not JSON */
  push(chunk: Buffer): unknown[] {
    const messages: unknown[] = [];
    let from = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, from)) {
      messages.push(JSON.parse(Buffer.concat([...this.#rest, chunk.subarray(from, end)]).toString()));
      this.#rest = [];
      this.#length = 0;
      from = end + 1;
    }
    const tail = chunk.subarray(from);
    this.#length += tail.length;
    if (this.#length > maxMessageBytes) throw new Error(`a message of more than ${maxMessageBytes} bytes`);
    if (tail.length > 0) this.#rest.push(tail);
    return messages;
  }
}
