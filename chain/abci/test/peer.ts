/** The engine's end of a connection, byte by byte: for tests that say what a real client never says. */
import { connect, type Socket } from 'node:net';
import type { DeepPartial } from 'cosmjs-types/helpers';
import { Request, Response } from 'cosmjs-types/tendermint/abci/types';
import { parseAddress } from '../src/address.ts';
import { FrameReader } from '../src/frame.ts';

/** Frames as CometBFT writes them: by the generated code, independent of what is tested. */
export function frameOf(request: DeepPartial<Request>): Buffer {
  return delimited(Request.encode(Request.fromPartial(request)).finish());
}

export function delimited(body: Uint8Array): Buffer {
  const prefix: number[] = [];
  let length = body.length;
  for (; length >= 0x80; length >>>= 7) prefix.push((length & 0x7f) | 0x80);
  return Buffer.concat([Uint8Array.from([...prefix, length]), body]);
}

export class Peer {
  readonly socket: Socket;
  readonly replies: Response[] = [];
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
  readonly #frames = new FrameReader();
  #wanted: { count: number; reached: () => void } | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    socket.on('data', (chunk) => {
      this.#frames.push(chunk);
      for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
        this.replies.push(Response.decode(frame));
      }
      if (this.#wanted !== undefined && this.replies.length >= this.#wanted.count) this.#wanted.reached();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve());
  }

  static async open(address: string): Promise<Peer> {
    const socket = connect(parseAddress(address));
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('connect', resolve);
    socket.once('error', reject);
    await promise;
    return new Peer(socket);
  }

  /** All replies, once there are so many. @throws Error when the connection closes before */
  async take(count: number): Promise<Response[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted = { count, reached: resolve };
    if (this.replies.length >= count) resolve();
    await Promise.race([promise, this.closed]);
    if (this.replies.length < count) throw new Error(`closed after ${this.replies.length} of ${count} replies`);
    return this.replies;
  }
}
