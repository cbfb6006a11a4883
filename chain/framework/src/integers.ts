/**
 * Integers in messages. A field of scalar `cosmos.Int` is a decimal text of at most 256 bits; anything else does not
 * decode (design §5 "Amounts", ASA-2024-010), so that no code behind the decoder meets another one. A sign is let
 * through: an amount below zero decodes, as in the SDK, and is refused with the code of the place where it is used.
 */
import { type DescField, type DescMessage, getOption, type Registry } from '@bufbuild/protobuf';

const integerPattern = /^(?:0|-?[1-9][0-9]{0,77})$/;
const bound = 2n ** 256n;

/** One field that holds integers, or messages that hold some. */
interface Step {
  readonly key: string;
  readonly inner: Steps | undefined;
}
type Steps = Step[];

export class IntegerCheck {
  readonly #registry: Registry;
  readonly #byType = new Map<string, Steps>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /**
   * @param typeName of the message that `value` was decoded as
   * @throws Error naming the field that holds no integer of at most 256 bits
   */
  check(typeName: string, value: unknown): void {
    const desc = this.#registry.getMessage(typeName);
    if (desc === undefined) throw new Error(`no descriptor of ${typeName}`);
    walk(this.#stepsOf(desc), value, typeName);
  }

  #stepsOf(desc: DescMessage): Steps {
    const known = this.#byType.get(desc.typeName);
    if (known !== undefined) return known;
    const steps: Steps = [];
    // Registered before it is filled: a message may hold one of its own type.
    this.#byType.set(desc.typeName, steps);
    for (const field of desc.fields) {
      if (field.message !== undefined) {
        steps.push({ key: field.localName, inner: this.#stepsOf(field.message) });
      } else if (this.#isInteger(field)) {
        steps.push({ key: field.localName, inner: undefined });
      }
    }
    return steps;
  }

  #isInteger(field: DescField): boolean {
    const scalar = this.#registry.getExtension('cosmos_proto.scalar');
    return scalar !== undefined && getOption(field, scalar) === 'cosmos.Int';
  }
}

function walk(steps: Steps, value: unknown, place: string): void {
  for (const { key, inner } of steps) {
    const found = (value as Record<string, unknown>)[key];
    const each: readonly unknown[] = Array.isArray(found) ? found : found === undefined ? [] : [found];
    for (const one of each) {
      if (inner !== undefined) walk(inner, one, `${place}.${key}`);
      else requireInteger(one as string, `${place}.${key}`);
    }
  }
}

function requireInteger(text: string, place: string): void {
  // An absent integer is the empty text; whoever needs one refuses it.
  if (text === '') return;
  if (!integerPattern.test(text)) throw new Error(`${place} is not an integer of at most 256 bits`);
  const value = BigInt(text);
  if (value >= bound || value <= -bound) throw new Error(`${place} is above 256 bits`);
}
