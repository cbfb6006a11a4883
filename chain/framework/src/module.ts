/** The grammar of a module: what `src/module.ts` of every folder in `x/` exports. */
import type { Registry } from '@bufbuild/protobuf';
import { itemParts, members, parseSpan, type Span } from '@mu/lib/json-parts';
import { jsonToMessage, messageToJson } from '@mu/lib/proto-json';
import type { Context } from './context.ts';
import { type MessageRegistry, type NamedCodec, typeNameOf } from './message-registry.ts';
import type { QueryRouter } from './query-router.ts';

/** JSON as `JSON.parse` gives it. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Something that must always hold; checked after every block in tests and simulations. */
export interface Invariant {
  /** `MKT-1`, as in the module's README */
  readonly name: string;
  /** What is broken, or undefined when it holds. Reads everything: never called in production. */
  check(ctx: Context): string | undefined;
}

/** Genesis of a module, in the JSON of its genesis message. */
export interface ModuleGenesis {
  defaults(): Json;
  /** @throws Error with the path of what is wrong and the allowed values */
  validate(json: Json): void;
  init(ctx: Context, json: Json): void;
  /** The same from the bytes of JSON that is too large to be parsed in one. */
  initParts?(ctx: Context, bytes: Buffer, span: Span): void;
  export(ctx: Context): Json;
}

/** One step of a module, from one consensus version to the next. */
export interface Migration {
  /** the version before it; it leads to `from + 1` */
  readonly from: bigint;
  run(ctx: Context): void;
}

export interface AppModule {
  /** `market`; also the key in genesis `app_state` */
  readonly name: string;
  /** the SDK's store name: `acc` for auth, else the name */
  readonly storeName: string;
  readonly consensusVersion: bigint;
  readonly genesis: ModuleGenesis;
  readonly invariants: readonly Invariant[];
  registerMsgs(registry: MessageRegistry): void;
  registerQueries(router: QueryRouter): void;
  /** steps from older consensus versions, run at an upgrade by `runMigrations` */
  readonly migrations?: readonly Migration[];
  /**
   * Before all else of a block; its events carry no mode. It may change the consensus parameters of the block. What it
   * throws stops the node.
   */
  preBlock?(ctx: Context): void;
  beginBlock?(ctx: Context): void;
  endBlock?(ctx: Context): void;
}

/** A list from this size on is read by parts of it. */
const largeListBytes = 4 * 1_048_576;

/** Genesis of a module whose genesis is one protobuf message: JSON in the SDK's flavour, unknown keys refused. */
export function protoGenesis<T>(options: {
  readonly descriptors: Registry;
  readonly codec: NamedCodec<T>;
  readonly defaults: () => T;
  /** @throws Error with the path of what is wrong */
  readonly validate: (state: T) => void;
  readonly init: (ctx: Context, state: T) => void;
  readonly export: (ctx: Context) => T;
}): ModuleGenesis {
  const { descriptors, codec } = options;
  const typeName = typeNameOf(codec as NamedCodec<unknown>);
  const parse = (json: Json): T => codec.decode(jsonToMessage(descriptors, typeName, json));
  const print = (state: T): Json => messageToJson(descriptors, typeName, codec.encode(state).finish()) as Json;
  return {
    defaults: () => print(options.defaults()),
    validate: (json) => options.validate(parse(json)),
    init(ctx, json) {
      const state = parse(json);
      options.validate(state);
      options.init(ctx, state);
    },
    initParts(ctx, bytes, span) {
      const state = parseByParts(bytes, span, parse);
      options.validate(state);
      options.init(ctx, state);
    },
    export: (ctx) => print(options.export(ctx)),
  };
}

/**
 * The message of a JSON object whose lists are read a part at a time: what JSON.parse makes of a list of a million is
 * several times what the messages take.
 */
function parseByParts<T>(bytes: Buffer, span: Span, parse: (json: Json) => T): T {
  const rest: { [key: string]: Json } = {};
  const lists: { readonly key: string; readonly parts: Iterable<unknown[]> }[] = [];
  for (const { key, ...value } of members(bytes, span)) {
    if (value.end - value.start < largeListBytes) rest[key] = parseSpan(bytes, value) as Json;
    else lists.push({ key, parts: itemParts(bytes, value, largeListBytes) });
  }
  const state = parse(rest) as { [field: string]: unknown };
  for (const { key, parts } of lists) {
    for (const part of parts) {
      const read = parse({ [key]: part as Json[] }) as { readonly [field: string]: unknown };
      for (const field of Object.keys(read)) {
        const [items, all] = [read[field], state[field]];
        // Of a message with nothing but this list, every other list is empty.
        if (Array.isArray(items) && Array.isArray(all)) for (const item of items) all.push(item);
      }
    }
  }
  return state as T;
}

/** Genesis of a module that has nothing to say in it: `{}`. */
export function emptyGenesis(name: string, init: (ctx: Context) => void = () => undefined): ModuleGenesis {
  return {
    defaults: () => ({}),
    validate(json) {
      const empty = typeof json === 'object' && json !== null && !Array.isArray(json) && Object.keys(json).length === 0;
      if (!empty) throw new Error(`app_state.${name} is {}: the module has no genesis of its own`);
    },
    init(ctx, json) {
      this.validate(json);
      init(ctx);
    },
    export: () => ({}),
  };
}
