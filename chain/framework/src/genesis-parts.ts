/**
 * Genesis of a module as its rules see it: all but its long lists first, then these a part at a time. So the genesis of a
 * million accounts is never in memory as a million messages; a small one goes the same way, in one part.
 */
import type { DescMessage, JsonValue, Registry } from '@bufbuild/protobuf';
import { itemParts, members, parseSpan, type Span } from '@mu/lib/json-parts';
import { jsonToMessage, ProtoJsonError } from '@mu/lib/proto-json';
import { type NamedCodec, typeNameOf } from './message-registry.ts';

/**
 * Takes up one genesis: checks what comes, and writes it where it was given a context. What an error leaves behind is
 * nobody's: InitChain fails as a whole, and its stores belong to no version. Of the items that have passed only what later
 * ones are compared with is kept, in a compact form.
 */
export interface GenesisIntake<T> {
  /**
   * @param rest all but the lists that come by parts, which are empty here
   * @throws Error with the path of what is wrong
   */
  begin(rest: T): void;
  /**
   * @param part nothing but items of one of the lists
   * @param from the index of the first of them in the whole list
   * @throws Error with the path of what is wrong, in the whole list
   */
  part(part: T, from: number): void;
  /** What only all items together show. @throws Error with the path of what is wrong */
  end(): void;
}

/** A genesis on its way to an intake. */
export interface GenesisParts<T> {
  readonly rest: T;
  readonly parts: Iterable<{ readonly part: T; readonly from: number }>;
}

/** Hands a genesis over. @throws Error with the path of what is wrong */
export function takeUp<T>(intake: GenesisIntake<T>, { rest, parts }: GenesisParts<T>): void {
  intake.begin(rest);
  for (const { part, from } of parts) intake.part(part, from);
  intake.end();
}

/** A list from this size on is read by parts of it; their objects fit into the collector's young generation. */
const partBytes = 1_048_576;

type Fields = { [field: string]: unknown };

/** Reads the genesis of a module from JSON, in the SDK's flavour: unknown keys are refused. */
export class GenesisReader<T> {
  readonly #registry: Registry;
  readonly #codec: NamedCodec<T>;
  readonly #typeName: string;
  readonly #lists: readonly string[];

  /** @param lists fields that are handed over by parts, in this order */
  constructor(registry: Registry, codec: NamedCodec<T>, lists: readonly string[]) {
    this.#registry = registry;
    this.#codec = codec;
    this.#typeName = typeNameOf(codec as NamedCodec<unknown>);
    this.#lists = lists;
  }

  /** @throws ProtoJsonError */
  ofJson(json: JsonValue): GenesisParts<T> {
    const rest = this.#parse(json);
    const parts = this.#lists.map((list) => {
      const part = this.#parse({});
      (part as Fields)[list] = (rest as Fields)[list];
      (rest as Fields)[list] = [];
      return { part, from: 0 };
    });
    return { rest, parts };
  }

  /** The same of bytes, which may be more than can be parsed in one. @throws SyntaxError, ProtoJsonError */
  ofBytes(bytes: Buffer, span: Span): GenesisParts<T> {
    if (span.end - span.start < partBytes) return this.ofJson(parseSpan(bytes, span) as JsonValue);
    const long: { readonly key: string; readonly span: Span }[] = [];
    const small: [string, JsonValue][] = [];
    for (const [key, value] of lastOfEach(bytes, span)) {
      const isLong = bytes[value.start] === 0x5b && value.end - value.start >= partBytes;
      // What is long stands as an empty list, so that unknown keys and those given twice are found at once.
      small.push([key, isLong ? [] : (parseSpan(bytes, value) as JsonValue)]);
      if (isLong) long.push({ key, span: value });
    }
    const { rest, parts } = this.ofJson(Object.fromEntries(small));
    const streamed = long.filter(({ key }) => this.#lists.includes(this.#fieldOf(key)));
    for (const one of long) if (!streamed.includes(one)) this.#append(rest, bytes, one);
    return { rest, parts: this.#inOrder(parts, bytes, streamed) };
  }

  /** The parts of all lists, list by list. */
  *#inOrder(
    short: Iterable<{ readonly part: T; readonly from: number }>,
    bytes: Buffer,
    long: readonly { readonly key: string; readonly span: Span }[],
  ): IterableIterator<{ readonly part: T; readonly from: number }> {
    const known = [...short];
    for (const [index, list] of this.#lists.entries()) {
      const found = long.find(({ key }) => this.#fieldOf(key) === list);
      if (found === undefined) yield known[index]!;
      else yield* this.#partsOf(bytes, found);
    }
  }

  *#partsOf(
    bytes: Buffer,
    { key, span }: { readonly key: string; readonly span: Span },
  ): IterableIterator<{ readonly part: T; readonly from: number }> {
    let from = 0;
    for (const items of itemParts(bytes, span, partBytes)) {
      yield { part: this.#parse({ [key]: items as JsonValue[] }, from), from };
      from += items.length;
    }
  }

  /** A long list of those that are handed over whole: read by parts all the same, for the sake of memory. */
  #append(rest: T, bytes: Buffer, long: { readonly key: string; readonly span: Span }): void {
    const all = (rest as Fields)[this.#fieldOf(long.key)] as unknown[];
    for (const { part } of this.#partsOf(bytes, long)) {
      for (const item of (part as Fields)[this.#fieldOf(long.key)] as unknown[]) all.push(item);
    }
  }

  /** The message's field of a key of the JSON, which is the field's name in the .proto file or in camel case. */
  #fieldOf(key: string): string {
    const { fields } = this.#registry.getMessage(this.#typeName) as DescMessage;
    return fields.find(({ name, jsonName }) => name === key || jsonName === key)?.jsonName ?? key;
  }

  /** @param from the index of the first item, where the JSON is a part of a list */
  #parse(json: JsonValue, from = 0): T {
    try {
      return this.#codec.decode(jsonToMessage(this.#registry, this.#typeName, json));
    } catch (error) {
      throw error instanceof ProtoJsonError ? error.inList(from) : error;
    }
  }
}

/** Members by their keys; of a key that stands twice the last, as JSON.parse has it. */
function lastOfEach(bytes: Buffer, span: Span): Map<string, Span> {
  const found = new Map<string, Span>();
  for (const { key, ...value } of members(bytes, span)) found.set(key, value);
  return found;
}
