/** The grammar of a module: what `src/module.ts` of every folder in `x/` exports. */
import type { Registry } from '@bufbuild/protobuf';
import type { Span } from '@mu/lib/json-parts';
import { messageToJson } from '@mu/lib/proto-json';
import type { Context } from './context.ts';
import { type GenesisIntake, GenesisReader, takeUp } from './genesis-parts.ts';
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
  /** The same two from the bytes of JSON, which may be too large to be parsed in one. */
  validateParts?(bytes: Buffer, span: Span): void;
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

/** A genesis that is one protobuf message. */
interface MessageGenesis<T> {
  readonly descriptors: Registry;
  readonly codec: NamedCodec<T>;
  readonly defaults: () => T;
  readonly export: (ctx: Context) => T;
}

/** Its rules, where it is small enough to be looked at as a whole. */
interface WholeRules<T> {
  /** @throws Error with the path of what is wrong */
  readonly validate: (state: T) => void;
  readonly init: (ctx: Context, state: T) => void;
}

/** Its rules, where it has lists of what there may be millions of. */
interface PartRules<T> {
  /** fields that are handed over a part at a time, in this order */
  readonly lists: readonly (keyof T & string)[];
  /** Takes up one genesis. @param ctx where it is written to; without one it is checked only */
  readonly intake: (ctx: Context | undefined) => GenesisIntake<T>;
}

/** Genesis of a module whose genesis is one protobuf message: JSON in the SDK's flavour, unknown keys refused. */
export function protoGenesis<T>(options: MessageGenesis<T> & (WholeRules<T> | PartRules<T>)): ModuleGenesis {
  const { descriptors, codec } = options;
  const { lists, intake } = 'intake' in options ? options : inOne(options);
  const reader = new GenesisReader(descriptors, codec, lists);
  const typeName = typeNameOf(codec as NamedCodec<unknown>);
  const print = (state: T): Json => messageToJson(descriptors, typeName, codec.encode(state).finish()) as Json;
  return {
    defaults: () => print(options.defaults()),
    validate: (json) => takeUp(intake(undefined), reader.ofJson(json)),
    init: (ctx, json) => takeUp(intake(ctx), reader.ofJson(json)),
    validateParts: (bytes, span) => takeUp(intake(undefined), reader.ofBytes(bytes, span)),
    initParts: (ctx, bytes, span) => takeUp(intake(ctx), reader.ofBytes(bytes, span)),
    export: (ctx) => print(options.export(ctx)),
  };
}

/** Rules for a whole as rules for parts of which there are none. */
function inOne<T>({ validate, init }: WholeRules<T>): PartRules<T> {
  const intake = (ctx: Context | undefined): GenesisIntake<T> => ({
    begin(state) {
      validate(state);
      if (ctx !== undefined) init(ctx, state);
    },
    part: () => undefined,
    end: () => undefined,
  });
  return { lists: [], intake };
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
