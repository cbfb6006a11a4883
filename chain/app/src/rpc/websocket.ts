/**
 * The websocket: every method, one after another per connection, and subscriptions. The first answer to `subscribe` is an
 * empty result; each event comes with the same id and the query.
 */
import type { RawData, WebSocket } from 'ws';
import type { EngineEvent } from '../engine/event-bus.ts';
import { type EventMap, Query } from '../engine/query/query.ts';
import { answerRequest } from './calls.ts';
import { eventDataJson } from './event-shapes.ts';
import { goJson } from './go-json.ts';
import { errorText, parseJson, RpcError, type RpcId, readRequest, successText } from './jsonrpc.ts';
import { maxQueryLength, type RpcContext } from './method.ts';
import { paramsFromJson } from './params.ts';

/** Bounds of subscriptions. */
export interface SubscriptionLimits {
  /** Connections that have one. */
  clients: number;
  /** Subscriptions of one connection. */
  perClient: number;
  /** Bytes that may wait for a connection that reads slowly; then it is closed. */
  bufferedBytes: number;
}

/** CometBFT's numbers. */
export const defaultSubscriptionLimits: SubscriptionLimits = {
  clients: 100,
  perClient: 5,
  bufferedBytes: 16 * 1024 * 1024,
};

/** Requests of one connection that may wait for their turn. */
const maxQueuedRequests = 100;
/** CometBFT pings at nine tenths of the 30 seconds after which it gives up. */
const pingMs = 27_000;

/** Data of an event in JSON: the same for every subscriber, so it is made once. */
const dataTexts = new WeakMap<EngineEvent, string>();

function dataText(event: EngineEvent): string {
  const known = dataTexts.get(event);
  if (known !== undefined) return known;
  const text = goJson(eventDataJson(event));
  dataTexts.set(event, text);
  return text;
}

export class Connection {
  readonly #socket: WebSocket;
  readonly #context: RpcContext;
  readonly #limits: SubscriptionLimits;
  readonly #client: string;
  readonly #ping: NodeJS.Timeout;
  #turn: Promise<void> = Promise.resolve();
  #queued = 0;
  #isAlive = true;

  /** @param client a name that no other connection has */
  constructor(socket: WebSocket, context: RpcContext, limits: SubscriptionLimits, client: string) {
    this.#socket = socket;
    this.#context = context;
    this.#limits = limits;
    this.#client = client;
    socket.on('message', (data) => this.#receive(data));
    socket.on('pong', () => {
      this.#isAlive = true;
    });
    // An error is followed by a close, which cleans up.
    socket.on('error', () => undefined);
    socket.on('close', () => this.#closed());
    this.#ping = setInterval(() => this.#checkAlive(), pingMs);
  }

  #checkAlive(): void {
    if (!this.#isAlive) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }

  #closed(): void {
    clearInterval(this.#ping);
    const { bus } = this.#context.engine;
    if (bus.subscriptionCount(this.#client) > 0) bus.unsubscribeAll(this.#client);
  }

  #receive(data: RawData): void {
    this.#isAlive = true;
    this.#queued += 1;
    // Reading goes on when some have been answered; until then the sender is held up by TCP.
    if (this.#queued >= maxQueuedRequests) this.#socket.pause();
    this.#turn = this.#turn
      .then(() => this.#answer(data.toString()))
      .finally(() => {
        this.#queued -= 1;
        if (this.#queued < maxQueuedRequests && this.#socket.isPaused) this.#socket.resume();
      });
  }

  async #answer(text: string): Promise<void> {
    let id: RpcId | undefined;
    try {
      const request = readRequest(parseJson(text));
      id = request.id;
      if (id === undefined) return;
      if (this.#isSubscription(request.method)) {
        this.#subscription(request.method, id, request.params);
        return;
      }
      this.#send((await answerRequest(this.#context, { ...request, id })).text);
    } catch (error) {
      this.#send(errorText(id, error));
    }
  }

  #isSubscription(method: string): boolean {
    return method === 'subscribe' || method === 'unsubscribe' || method === 'unsubscribe_all';
  }

  #subscription(method: string, id: RpcId, params: unknown): void {
    const { bus } = this.#context.engine;
    if (method === 'unsubscribe_all') {
      bus.unsubscribeAll(this.#client);
    } else {
      const { query = '' } = paramsFromJson({ query: 'string' }, params);
      if (method === 'subscribe') {
        this.#subscribe(id, query);
        return;
      }
      bus.unsubscribe(this.#client, parseQuery(query));
    }
    this.#send(successText(id, {}));
  }

  #subscribe(id: RpcId, query: string): void {
    const { bus } = this.#context.engine;
    const { clients, perClient } = this.#limits;
    const own = bus.subscriptionCount(this.#client);
    if (own === 0 && bus.clientCount >= clients) throw new Error(`max_subscription_clients ${clients} reached`);
    if (own >= perClient) throw new Error(`max_subscriptions_per_client ${perClient} reached`);
    if (query.length > maxQueryLength) throw new Error('maximum query length exceeded');
    const head = `{"jsonrpc":"2.0","id":${goJson(id)},"result":{"query":${goJson(query)},"data":`;
    bus.subscribe(this.#client, parseQuery(query), (event: EngineEvent, attributes: EventMap) => {
      this.#sendEvent(id, `${head}${dataText(event)},"events":${goJson(attributes)}}}`);
    });
    this.#send(successText(id, {}));
  }

  #sendEvent(id: RpcId, text: string): void {
    if (this.#socket.bufferedAmount > this.#limits.bufferedBytes) {
      const slow = RpcError.server('subscription was canceled (reason: slow client)');
      this.#socket.send(errorText(id, slow));
      this.#closed();
      this.#socket.close(1008, 'slow client');
      return;
    }
    this.#send(text);
  }

  #send(text: string): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(text);
  }
}

function parseQuery(text: string): Query {
  try {
    return Query.parse(text);
  } catch (error) {
    throw new Error(`failed to parse query: ${(error as Error).message}`);
  }
}
