/** Websockets: the workload agrees to one, from then on bytes go both ways until both have ended. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { refusals } from './answers.ts';
import { decline, type Exchange } from './exchange.ts';
import { fieldsOf, passingFields } from './headers.ts';
import { Http1Call } from './http1-call.ts';
import { askWorkload } from './proxy.ts';
import type { RouteMatch } from './routes.ts';
import { FrameFollower, goingAwayFrame } from './websocket-frames.ts';

/** How long both sides may take to end after they were told to. */
const closingMs = 1_000;

export async function openWebsocket(exchange: Exchange, match: RouteMatch): Promise<void> {
  const { call, deployment, upgrade, around } = exchange;
  if (upgrade === undefined || !(call instanceof Http1Call) || match.route.to.kind !== 'workload') {
    return decline(exchange, refusals.noWebsocket);
  }
  const { websockets, meter } = deployment;
  if (websockets.size >= around.limits.websocketsPerDeployment) return decline(exchange, refusals.tooManyWebsockets);
  await askWorkload(exchange, match, (answer, socket, head) => {
    if (call.closed || upgrade.socket.destroyed) {
      socket.destroy();
      return;
    }
    // Others may have been agreed on while this one was asked for.
    if (websockets.size >= around.limits.websocketsPerDeployment) {
      socket.destroy();
      decline(exchange, refusals.tooManyWebsockets);
      return;
    }
    call.upgraded(101);
    upgrade.socket.write(agreement(answer));
    const websocket = new Websocket({
      client: upgrade.socket,
      workload: socket,
      idleMs: around.limits.websocketIdleMs,
      onPayload: (bytes) => meter.addBytes(bytes),
      onEnd: () => websockets.delete(websocket),
    });
    websocket.start(upgrade.head, head);
    websockets.add(websocket);
  });
}

function agreement(answer: IncomingMessage): Buffer {
  const fields = passingFields(fieldsOf(answer.rawHeaders)).map(([name, value]) => `${name}: ${value}`);
  const lines = ['HTTP/1.1 101 Switching Protocols', 'connection: Upgrade', 'upgrade: websocket', ...fields];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

export interface WebsocketOptions {
  readonly client: Duplex;
  readonly workload: Duplex;
  /** In ms. */
  readonly idleMs: number;
  readonly onPayload: (bytes: number) => void;
  /** Once, when both directions have ended. */
  readonly onEnd: () => void;
}

interface Direction {
  readonly from: Duplex;
  readonly to: Duplex;
  readonly follower: FrameFollower;
  /** To be put in as soon as a frame has ended. */
  readonly farewell: Buffer;
}

/** One that has been agreed on. */
export class Websocket {
  readonly #options: WebsocketOptions;
  readonly #directions: readonly [Direction, Direction];
  readonly #idle: NodeJS.Timeout;
  #leaving = false;
  #open = 2;

  constructor(options: WebsocketOptions) {
    const { client, workload } = options;
    this.#options = options;
    this.#directions = [
      { from: client, to: workload, follower: new FrameFollower(), farewell: goingAwayFrame('client') },
      { from: workload, to: client, follower: new FrameFollower(), farewell: goingAwayFrame('server') },
    ];
    this.#idle = setTimeout(() => this.goAway(), options.idleMs);
  }

  /** @param clientHead what the client sent already @param workloadHead the same of the workload */
  start(clientHead: Buffer, workloadHead: Buffer): void {
    const heads = [clientHead, workloadHead];
    for (const [index, direction] of this.#directions.entries()) {
      const { from, to } = direction;
      from.on('error', () => {});
      from.once('close', () => this.#ended());
      from.on('data', (chunk: Buffer) => this.#pass(direction, chunk));
      to.on('drain', () => from.resume());
      // The end of one direction leaves the other open: what is still to come arrives.
      from.once('end', () => to.end());
      if (heads[index]!.length > 0) this.#pass(direction, heads[index]!);
      from.resume();
    }
  }

  /** Tells both sides that the gateway goes away (1001), at the next end of a frame; a moment later the connection ends. */
  goAway(): void {
    if (this.#leaving) return;
    this.#leaving = true;
    for (const direction of this.#directions) this.#bidFarewell(direction);
    setTimeout(() => this.destroy(), closingMs).unref();
  }

  destroy(): void {
    for (const { from } of this.#directions) from.destroy();
  }

  #pass(direction: Direction, chunk: Buffer): void {
    const { from, to, follower, farewell } = direction;
    // After the farewell nothing more may follow in this direction.
    if (this.#leaving && follower.hasClosed) return;
    this.#options.onPayload(follower.push(chunk));
    this.#idle.refresh();
    if (!to.write(chunk)) from.pause();
    if (this.#leaving) this.#bidFarewell({ from, to, follower, farewell });
  }

  #bidFarewell({ to, follower, farewell }: Direction): void {
    if (!follower.isBetweenFrames || follower.hasClosed || !to.writable) return;
    follower.push(farewell);
    to.write(farewell);
  }

  #ended(): void {
    this.#open -= 1;
    if (this.#open === 1) setTimeout(() => this.destroy(), closingMs).unref();
    if (this.#open > 0) return;
    clearTimeout(this.#idle);
    this.#options.onEnd();
  }
}
