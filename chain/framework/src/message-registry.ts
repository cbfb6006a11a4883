/** The messages that transactions may carry: codec, handler and signers by type URL. */

import { type DescMessage, getOption, type Registry } from '@bufbuild/protobuf';
import { fromBech32 } from '@mu/lib/bech32';
import { compareText } from '@mu/lib/text';
import type { MessageCodec } from './collections.ts';
import type { Context } from './context.ts';
import { errInvalidAddress } from './errors.ts';

/** A generated message type that knows its own name: ts-proto's `$type` or cosmjs-types' `typeUrl`. */
export type NamedCodec<T> = MessageCodec<T> & ({ readonly $type: string } | { readonly typeUrl: string });

/** The full name of a message type, `mu.market.v1.MsgSubmitLease`. */
export function typeNameOf(codec: NamedCodec<never> | NamedCodec<unknown>): string {
  return '$type' in codec ? codec.$type : codec.typeUrl.slice(1);
}

/** Carries out a message. Throws an AbciError to refuse it; nothing it wrote stays then. */
export type MsgHandler<Req, Res> = (ctx: Context, message: Req) => Res;

/** One registered message type. */
export interface MessageType {
  readonly typeUrl: string;
  readonly codec: NamedCodec<unknown>;
  readonly responseTypeUrl: string;
  readonly responseCodec: NamedCodec<unknown>;
  readonly handler: MsgHandler<unknown, unknown>;
  /** Addresses that must sign, in the order of the fields; repeated ones stay. */
  readonly signersOf: (message: unknown, bech32Prefix: string) => Uint8Array[];
}

/** One method of a service as ts-proto's generic definitions give it. */
export interface MethodDefinition<Req, Res> {
  readonly name: string;
  readonly requestType: NamedCodec<Req>;
  readonly responseType: NamedCodec<Res>;
}

// biome-ignore lint/suspicious/noExplicitAny: methods of one service have different types; MethodsOf gives each its own
export type Methods = Readonly<Record<string, MethodDefinition<any, any>>>;

export interface ServiceDefinition<M extends Methods = Methods> {
  readonly fullName: string;
  readonly methods: M;
}

/** The functions that serve a definition: one per method, with its request and response. */
export type Handlers<M extends Methods> = {
  readonly [K in keyof M]: M[K] extends MethodDefinition<infer Req, infer Res> ? MsgHandler<Req, Res> : never;
};

export class MessageRegistry {
  readonly #descriptors: Registry;
  readonly #byTypeUrl = new Map<string, MessageType>();

  constructor(descriptors: Registry) {
    this.#descriptors = descriptors;
  }

  /**
   * Adds the methods of a Msg service that have a handler; a message without one is not known to the chain.
   * @throws Error when a message has no signer option or is registered twice
   */
  registerMsgs<M extends Methods>(service: ServiceDefinition<M>, handlers: Partial<Handlers<M>>): void {
    for (const key of Object.keys(handlers).sort(compareText)) {
      const method = service.methods[key] as MethodDefinition<unknown, unknown>;
      const typeUrl = `/${typeNameOf(method.requestType)}`;
      if (this.#byTypeUrl.has(typeUrl)) throw new Error(`${typeUrl} is registered twice`);
      this.#byTypeUrl.set(typeUrl, {
        typeUrl,
        codec: method.requestType,
        responseTypeUrl: `/${typeNameOf(method.responseType)}`,
        responseCodec: method.responseType,
        handler: handlers[key] as MsgHandler<unknown, unknown>,
        signersOf: signerReader(this.#descriptors, typeUrl.slice(1)),
      });
    }
  }

  get(typeUrl: string): MessageType | undefined {
    return this.#byTypeUrl.get(typeUrl);
  }

  typeUrls(): string[] {
    return [...this.#byTypeUrl.keys()].sort(compareText);
  }
}

/** Reads the fields that the option `cosmos.msg.v1.signer` names, into nested messages where one is a message. */
function signerReader(descriptors: Registry, typeName: string): MessageType['signersOf'] {
  const option = descriptors.getExtension('cosmos.msg.v1.signer');
  const message = descriptors.getMessage(typeName);
  if (option === undefined || message === undefined) throw new Error(`no descriptor of ${typeName}`);
  const readerOf = (desc: DescMessage): ((value: unknown, prefix: string) => Uint8Array[]) => {
    const names = getOption(desc, option) as readonly string[];
    if (names.length === 0) throw new Error(`${desc.typeName} does not say who signs it (cosmos.msg.v1.signer)`);
    const fields = names.map((name) => {
      const field = desc.fields.find((candidate) => candidate.name === name);
      if (field === undefined) throw new Error(`${desc.typeName}: signer field ${name} does not exist`);
      return { key: field.localName, nested: field.message === undefined ? undefined : readerOf(field.message) };
    });
    return (value, prefix) =>
      fields.flatMap(({ key, nested }) => {
        const found = (value as Record<string, unknown>)[key];
        const each = Array.isArray(found) ? found : [found];
        return each.flatMap((one) =>
          nested === undefined ? [addressBytes(one as string, prefix)] : nested(one, prefix),
        );
      });
  };
  return readerOf(message);
}

/** Whether two bech32 texts name one account: a text may be all lower or all upper case (BIP 173). */
export function sameAddress(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

/** The bytes of a bech32 address of this chain. @throws AbciError invalid address (7) */
export function addressBytes(address: string, prefix: string): Uint8Array {
  if (address === '') throw errInvalidAddress.wrap('empty address string is not allowed');
  try {
    return fromBech32(address, prefix);
  } catch (error) {
    throw errInvalidAddress.wrap(error instanceof Error ? error.message : 'not an address');
  }
}
