/** Events: what an indexer or a client learns of a block. They live and die with the branch that emitted them. */
import type { Event as AbciEvent } from 'cosmjs-types/tendermint/abci/types';

export type EventAttribute = readonly [key: string, value: string];

export interface Event {
  readonly type: string;
  readonly attributes: readonly EventAttribute[];
}

/** Collects events in the order of their emission. */
export class EventLog {
  readonly #events: Event[] = [];

  emit(type: string, attributes: readonly EventAttribute[]): void {
    this.#events.push({ type, attributes });
  }

  append(events: readonly Event[]): void {
    this.#events.push(...events);
  }

  get events(): readonly Event[] {
    return this.#events;
  }
}

/** The same event with one more attribute at its end. */
export function withAttribute(event: Event, key: string, value: string): Event {
  return { type: event.type, attributes: [...event.attributes, [key, value]] };
}

/** Events as ABCI carries them; all attributes are indexed, as the SDK does by default. */
export function toAbciEvents(events: readonly Event[]): AbciEvent[] {
  return events.map(({ type, attributes }) => ({
    type,
    attributes: attributes.map(([key, value]) => ({ key, value, index: true })),
  }));
}
