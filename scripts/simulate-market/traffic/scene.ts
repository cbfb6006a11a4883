/** What those who make messages up look at: the model, the actors, and chance. */
import type { Chance } from '../chance.ts';
import type { Encoded } from '../model/model.ts';
import { denom, type World } from '../model/world.ts';
import type { Wallet } from '../real/wallets.ts';
import type { Actors } from '../scenario.ts';

export interface Scene {
  readonly chance: Chance;
  readonly actors: Actors;
  readonly world: World;
  /** everybody who can sign */
  readonly wallets: readonly Wallet[];
}

/** What somebody wants to say; the transaction is made of it. */
export interface Plan {
  readonly sender: string;
  readonly messages: readonly Encoded[];
}

interface Codec<T> {
  readonly $type: string;
  fromPartial(fields: object): T;
  encode(message: T): { finish(): Uint8Array };
}

export function encode<T>(codec: Codec<T>, fields: object): Encoded {
  return { typeUrl: `/${codec.$type}`, value: codec.encode(codec.fromPartial(fields)).finish() };
}

/** A plan of one message. */
export function say<T>(sender: string, codec: Codec<T>, fields: object): Plan {
  return { sender, messages: [encode(codec, fields)] };
}

export const coin = (amount: bigint, of = denom): { denom: string; amount: string } => ({
  denom: of,
  amount: `${amount}`,
});

/** Mostly the one who may, now and then anybody. */
export function senderOf({ chance, wallets }: Scene, right: string): string {
  return chance.once(25) ? chance.pick(wallets).address : right;
}

/** Changes of a message that make it wrong in one thing. */
export type Twist<T> = (fields: T, scene: Scene) => Partial<T>;

/** Twists a message now and then. */
export function twisted<T extends object>(scene: Scene, fields: T, twists: readonly Twist<T>[]): T {
  if (!scene.chance.once(9)) return fields;
  return { ...fields, ...scene.chance.pick(twists)(fields, scene) };
}

/** A price in atomics: whole umu, tenths, or something that never comes out even. */
export function price({ chance }: Scene, mostUmu: number): string {
  const whole = BigInt(chance.from(0, mostUmu)) * 10n ** 18n;
  const rest = chance.pick([0n, 100_000_000_000_000_000n, 333_333_333_333_333_333n, 999_999_999_999_999_999n, 1n]);
  return `${whole + rest === 0n ? 10n ** 18n : whole + rest}`;
}
