/** The first message of either side: what a connection is for. Nothing else is taken before both have said it. */
import { equalBytes } from '@mu/lib/bytes';
import type { Timers } from '../overlay/timers.ts';
import type { ManifestName, WireMessage } from '../swarm/messages.ts';
import { swarmProtocol } from '../swarm/wire.ts';
import type { PeerConnection, PeerHandler } from './connection.ts';
import { peerLimits } from './limits.ts';

export type Hello = Extract<WireMessage, { type: 'hello' }>;

export function helloOf(name: ManifestName): Hello {
  const { chainId, owner, dseq, revision, version } = name;
  return { type: 'hello', protocol: swarmProtocol, chainId, owner, dseq, revision, version };
}

export function isSameManifest(one: ManifestName, other: ManifestName): boolean {
  return (
    one.chainId === other.chainId &&
    one.owner === other.owner &&
    one.dseq === other.dseq &&
    one.revision === other.revision &&
    equalBytes(one.version, other.version)
  );
}

/** Refuses all: of a connection that nobody listens to yet, or any more. */
export const deaf: PeerHandler = {
  begun: () => 'refuse',
  message: () => {},
  skipped: () => {},
  closed: () => {},
};

export interface AwaitedHello {
  readonly timers: Timers;
  /**
   * It came; what follows is refused until the connection has another handler, so that one message is all that a stranger
   * can make us read.
   */
  came(hello: Hello): void;
  /** The connection ended, or was ended, before. */
  failed(why: string): void;
}

/** Waits for the other side's hello, for so long at most. */
export function awaitHello(connection: PeerConnection, { timers, came, failed }: AwaitedHello): void {
  const stop = timers.after(peerLimits.helloMs, () =>
    connection.close(`no hello within ${peerLimits.helloMs / 1000} s`),
  );
  connection.handler = {
    ...deaf,
    begun: (type) => (type === 'hello' ? 'keep' : 'refuse'),
    message: (message) => {
      stop();
      connection.handler = deaf;
      came(message as Hello);
    },
    closed: (why) => {
      stop();
      failed(why);
    },
  };
}
