/** The messages that Mu's clients sign, for CosmJS: the standard ones and Mu's own. */
import { type GeneratedType, Registry } from '@cosmjs/proto-signing';
import { defaultRegistryTypes } from '@cosmjs/stargate';
import { MsgDefinition as billing } from '@mu/proto/billing';
import { MsgDefinition as deployment } from '@mu/proto/deployment';
import { MsgDefinition as market } from '@mu/proto/market';
import { MsgDefinition as provider } from '@mu/proto/provider';
import { MsgUpdateParams } from 'cosmjs-types/cosmos/consensus/v1/tx';
import { MsgCancelUpgrade, MsgSoftwareUpgrade } from 'cosmjs-types/cosmos/upgrade/v1beta1/tx';

/** A generated message type of Mu. */
interface MuType {
  readonly $type: string;
}

/** Mu's messages as [type URL, codec]. */
export function muTypes(): [string, GeneratedType][] {
  return [provider, deployment, market, billing].flatMap((service) =>
    Object.values(service.methods).map(({ requestType }): [string, GeneratedType] => [
      `/${(requestType as MuType).$type}`,
      requestType as unknown as GeneratedType,
    ]),
  );
}

/** Messages of standard modules that CosmJS has no place for in its defaults. */
export function standardTypes(): [string, GeneratedType][] {
  return [MsgSoftwareUpgrade, MsgCancelUpgrade, MsgUpdateParams].map((type): [string, GeneratedType] => [
    type.typeUrl,
    type,
  ]);
}

/** A CosmJS registry that knows all messages of a Mu chain. */
export function createRegistry(): Registry {
  return new Registry([...defaultRegistryTypes, ...standardTypes(), ...muTypes()]);
}

/** A message to sign: its type is named by its codec, so the two cannot disagree. */
export function toEncodeObject<T>(
  codec: MuType & { fromPartial(value: Partial<T>): T },
  value: Partial<T>,
): { typeUrl: string; value: T } {
  return { typeUrl: `/${codec.$type}`, value: codec.fromPartial(value) };
}
