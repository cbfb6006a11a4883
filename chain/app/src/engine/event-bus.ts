/** What happens in the chain, to whom it may concern: subscriptions by query, as CometBFT's event bus has them. */
import { toHex } from '@mu/lib/bytes';
import type { Event, ExecTxResult, ResponseFinalizeBlock } from 'cosmjs-types/tendermint/abci/types';
import type { Block } from 'cosmjs-types/tendermint/types/block';
import type { BlockID, Header } from 'cosmjs-types/tendermint/types/types';
import type { Validator } from 'cosmjs-types/tendermint/types/validator';
import type { EventMap, Query } from './query/query.ts';

export type EngineEvent =
  | { type: 'NewBlock'; block: Block; blockId: BlockID; response: ResponseFinalizeBlock }
  | { type: 'NewBlockHeader'; header: Header }
  | { type: 'NewBlockEvents'; height: bigint; events: Event[]; numTxs: number }
  | { type: 'Tx'; height: bigint; index: number; tx: Uint8Array; hash: Uint8Array; result: ExecTxResult }
  | { type: 'ValidatorSetUpdates'; validators: Validator[] };

/** Called within the engine's turn: it must be quick, and an error in it is the subscriber's. */
export type Deliver = (event: EngineEvent, attributes: EventMap) => void;

interface Subscription {
  query: Query;
  /** The only type of event the query can match, where it says so. */
  type: string | undefined;
  deliver: Deliver;
}

export class EventBus {
  readonly #clients = new Map<string, Map<string, Subscription>>();

  get clientCount(): number {
    return this.#clients.size;
  }

  subscriptionCount(client: string): number {
    return this.#clients.get(client)?.size ?? 0;
  }

  /** @throws Error when the client has subscribed to the same query */
  subscribe(client: string, query: Query, deliver: Deliver): void {
    const own = this.#clients.get(client) ?? new Map<string, Subscription>();
    if (own.has(query.text)) throw new Error('already subscribed');
    const typed = query.conditions.find(({ tag, operator }) => tag === 'tm.event' && operator === '=');
    own.set(query.text, { query, type: typed?.argument?.text, deliver });
    this.#clients.set(client, own);
  }

  /** @throws Error when there is no such subscription */
  unsubscribe(client: string, query: Query): void {
    const own = this.#clients.get(client);
    if (!own?.delete(query.text)) throw new Error('subscription not found');
    if (own.size === 0) this.#clients.delete(client);
  }

  /** @throws Error when the client has no subscription */
  unsubscribeAll(client: string): void {
    if (!this.#clients.delete(client)) throw new Error('subscription not found');
  }

  publish(event: EngineEvent): void {
    let attributes: EventMap | undefined;
    for (const own of [...this.#clients.values()]) {
      for (const { query, type, deliver } of [...own.values()]) {
        if (type !== undefined && type !== event.type) continue;
        attributes ??= attributesOf(event);
        if (query.matches(attributes)) deliver(event, attributes);
      }
    }
  }
}

/** Attribute values of an event, with those that CometBFT adds. */
function attributesOf(event: EngineEvent): EventMap {
  const own = Object.create(null) as Record<string, string[]>;
  for (const { type, attributes } of abciEvents(event)) {
    if (type === '') continue;
    for (const { key, value } of attributes) {
      if (key !== '') append(own, `${type}.${key}`, value);
    }
  }
  append(own, 'tm.event', event.type);
  if (event.type === 'Tx') {
    append(own, 'tx.hash', toHex(event.hash).toUpperCase());
    append(own, 'tx.height', event.height.toString());
  }
  return own;
}

function append(map: Record<string, string[]>, name: string, value: string): void {
  const known = map[name];
  if (known === undefined) map[name] = [value];
  else known.push(value);
}

function abciEvents(event: EngineEvent): readonly Event[] {
  if (event.type === 'NewBlock') return event.response.events;
  if (event.type === 'NewBlockEvents') return event.events;
  return event.type === 'Tx' ? event.result.events : [];
}
