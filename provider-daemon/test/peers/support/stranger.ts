/** Who speaks to a peer's listener by hand. */
import { once } from 'node:events';
import { connect, type TLSSocket } from 'node:tls';
import { helloOf } from '../../../src/peers/hello.ts';
import { peerProtocol } from '../../../src/peers/tls.ts';
import { MessageReader } from '../../../src/swarm/message-reader.ts';
import type { ManifestName, WireMessage } from '../../../src/swarm/messages.ts';
import { encodeMessage } from '../../../src/swarm/wire.ts';
import { chainId } from '../../overlay/support/providers.ts';
import type { TestManifest } from './manifests.ts';

export class Stranger {
  readonly socket: TLSSocket;
  /** What was said to it. */
  readonly heard: WireMessage[] = [];
  /** The same as it came over the line, deciphered. */
  readonly raw: Buffer[] = [];
  bytes = 0;
  isOver = false;
  readonly #reader = new MessageReader();

  constructor(socket: TLSSocket) {
    this.socket = socket;
    socket
      .on('data', (chunk: Uint8Array) => {
        this.bytes += chunk.length;
        this.raw.push(Buffer.from(chunk));
        this.heard.push(...this.#reader.push(chunk));
      })
      .on('error', () => {})
      .on('close', () => {
        this.isOver = true;
      });
  }

  say(...messages: readonly WireMessage[]): void {
    for (const message of messages) this.socket.write(encodeMessage(message));
  }

  of<Kind extends WireMessage['type']>(type: Kind): Extract<WireMessage, { type: Kind }>[] {
    return this.heard.filter((one): one is Extract<WireMessage, { type: Kind }> => one.type === type);
  }
}

/** A handshake with these credentials, or none. */
export async function stranger(
  port: number,
  credentials: { readonly key?: string; readonly cert?: string },
): Promise<Stranger> {
  const common = { minVersion: 'TLSv1.3', ALPNProtocols: [peerProtocol], rejectUnauthorized: false } as const;
  const socket = connect({ ...common, ...credentials, host: '127.0.0.1', port });
  const made = new Stranger(socket);
  await once(socket, 'secureConnect');
  return made;
}

export function nameOf({ key, version }: TestManifest): ManifestName {
  return { chainId, ...key, version };
}

export const helloFor = (manifest: TestManifest, change: Partial<ManifestName> = {}) =>
  helloOf({ ...nameOf(manifest), ...change });
