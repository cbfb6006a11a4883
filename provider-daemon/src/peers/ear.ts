/** What a peer says: which message is let in, and which part of the exchange is told of it. */
import type { SwarmEvent } from '../swarm/events.ts';
import type { SwarmMachine } from '../swarm/machine.ts';
import type { MessageSink, Verdict } from '../swarm/message-reader.ts';
import type { SwarmMessage, WireMessage } from '../swarm/messages.ts';
import { pieceMessageBytes } from '../swarm/wire.ts';
import type { HeadTransfer, TransferOptions } from './head-transfer.ts';
import type { IncomingPieces } from './incoming-pieces.ts';
import type { KeyTransfer } from './key-transfer.ts';
import { isWithinBounds, keepEarly, type Link } from './link.ts';
import type { ArrivedPiece, WithoutTime } from './piece-traffic.ts';

export interface EarOptions extends TransferOptions {
  readonly heads: HeadTransfer;
  readonly keys: KeyTransfer;
  readonly incoming: IncomingPieces;
  readonly machine: () => SwarmMachine | undefined;
  /** @returns true where the piece that has arrived is being written: its memory is given back then */
  readonly handle: (event: WithoutTime<SwarmEvent>, arrived?: ArrivedPiece) => boolean;
  /** There may be something to ask for. */
  readonly ask: () => void;
}

export class Ear {
  readonly #of: EarOptions;

  constructor(of: EarOptions) {
    this.#of = of;
  }

  /** For the connection of a peer. */
  of(link: Link): MessageSink {
    return {
      begun: (type, piece, bytes) => (type === 'piece' ? this.#piece(link, piece, bytes) : mayCome(link, type)),
      message: (message) => this.#heard(link, message),
      skipped: (type, piece) => this.#skipped(link, type, piece),
    };
  }

  #piece(link: Link, piece: number | undefined, bytes: number): Verdict {
    const { machine, carried, incoming, isHeldUp, handle } = this.#of;
    const peer = link.provider;
    if (piece === undefined || machine() === undefined) return 'refuse';
    if (isHeldUp() || machine()?.expects(peer, piece) !== true) return 'skip';
    if (bytes > pieceMessageBytes(carried()?.pieces.bytesOf(piece) ?? 0)) {
      handle({ type: 'arrived', peer, piece, verified: false });
      return 'refuse';
    }
    if (!incoming.begun(link, piece)) return 'skip';
    handle({ type: 'begun', peer, piece });
    return 'keep';
  }

  #skipped(link: Link, type: WireMessage['type'], piece: number | undefined): void {
    if (type !== 'piece' || piece === undefined) return;
    this.#of.incoming.came(link, piece)?.();
    this.#of.handle({ type: 'passed', peer: link.provider, piece });
  }

  #heard(link: Link, message: WireMessage): void {
    const { heads, keys } = this.#of;
    switch (message.type) {
      case 'hello':
        break;
      case 'get-head':
        heads.asked(link);
        break;
      case 'head':
        void heads.came(link, message.bytes);
        break;
      case 'get-keys':
        void keys.asked(link);
        break;
      case 'keys':
        void keys.answered(link, message.keys);
        break;
      case 'piece':
        this.#arrived(link, message);
        break;
      default:
        this.#swarmMessage(link, message);
    }
  }

  #swarmMessage(link: Link, message: SwarmMessage): void {
    const { options, incoming, drop, isHeldUp, handle, ask } = this.#of;
    // What the machine does not hear of it does not count either.
    if (!isWithinBounds(link, options.timers.now())) drop(link, 'flood', true);
    else if (!link.isIntroduced) {
      if (!keepEarly(link, message)) drop(link, 'bad-message', true);
      else ask();
    } else if (message.type === 'grant' && options.held().length === 0) {
      link.connection.send({ type: 'decline', piece: message.piece, busy: false });
    } else if (message.type === 'grant' && isHeldUp()) {
      link.connection.send({ type: 'decline', piece: message.piece, busy: true });
    } else {
      if (message.type === 'refuse') incoming.over(link, message.piece);
      handle({ type: 'message', peer: link.provider, message });
    }
  }

  #arrived(link: Link, { piece, aunts, bytes }: Extract<WireMessage, { type: 'piece' }>): void {
    const { options, incoming, carried, handle } = this.#of;
    const giveBack = incoming.came(link, piece) ?? ((): void => {});
    const verified = carried()?.verify(piece, { bytes, aunts }) === true;
    if (verified) options.events.moved('received', bytes.length);
    const from = link.provider;
    if (!handle({ type: 'arrived', peer: from, piece, verified }, { from, bytes, giveBack })) giveBack();
  }
}

/** What was asked for, and what may always come. */
function mayCome(link: Link, type: WireMessage['type']): Verdict {
  if (type === 'hello') return 'refuse';
  if (type === 'head') return link.headAskedMs === undefined ? 'refuse' : 'keep';
  if (type === 'keys') return link.areKeysDue ? 'keep' : 'refuse';
  return 'keep';
}
