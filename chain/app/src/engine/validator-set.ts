/**
 * The validators of a height with their turns to propose, as CometBFT 0.38 computes them (types/validator_set.go).
 * Sets are immutable: a change gives a new one.
 */
import { compareBytes, equalBytes, toHex } from '@mu/lib/bytes';
import { addressOfKey, maxTotalPower, validatorsHash } from '@mu/lib/comet-validators';
import type { ValidatorUpdate } from 'cosmjs-types/tendermint/abci/types';
import { type Validator, ValidatorSet as ValidatorSetProto } from 'cosmjs-types/tendermint/types/validator';

const maxInt64 = (1n << 63n) - 1n;
const minInt64 = -(1n << 63n);
/** Priorities lie within twice the total power. */
const priorityWindow = 2n;

export class ValidatorSet {
  /** By power, greatest first; equal ones by address. */
  readonly validators: readonly Validator[];
  readonly #proposer: Uint8Array | undefined;

  constructor(validators: readonly Validator[], proposer?: Uint8Array) {
    this.validators = validators;
    this.#proposer = proposer;
  }

  /** The first set of a chain. @throws Error on powers of zero, duplicates or too much power */
  static from(updates: readonly ValidatorUpdate[]): ValidatorSet {
    const removal = updates.find(({ power }) => power === 0n);
    if (removal !== undefined) throw new Error('a first validator set cannot contain a voting power of 0');
    const set = new ValidatorSet([]).update(updates);
    return set.validators.length === 0 ? set : set.increment();
  }

  static decode(bytes: Uint8Array): ValidatorSet {
    const set = ValidatorSetProto.decode(bytes);
    return new ValidatorSet(set.validators, set.proposer?.address);
  }

  encode(): Uint8Array {
    const proposer = this.proposer;
    return ValidatorSetProto.encode({
      validators: [...this.validators],
      totalVotingPower: 0n,
      ...(proposer === undefined ? {} : { proposer }),
    }).finish();
  }

  get totalPower(): bigint {
    return this.validators.reduce((sum, { votingPower }) => sum + votingPower, 0n);
  }

  /** Whose turn it is. */
  get proposer(): Validator | undefined {
    const address = this.#proposer;
    return address === undefined ? mostPrior(this.validators) : this.find(address);
  }

  find(address: Uint8Array): Validator | undefined {
    return this.validators.find((validator) => equalBytes(validator.address, address));
  }

  /** Root over keys and powers, for headers. */
  hash(): Uint8Array {
    return validatorsHash(this.validators);
  }

  /** The set for the next height: everybody's priority grows by its power, the proposer's falls by the total. */
  increment(): ValidatorSet {
    const total = this.totalPower;
    const raised = centred(rescaled(this.validators, priorityWindow * total)).map((validator) => ({
      ...validator,
      proposerPriority: clip(validator.proposerPriority + validator.votingPower),
    }));
    const chosen = mostPrior(raised)!;
    const next = raised.map((validator) =>
      validator === chosen ? { ...chosen, proposerPriority: clip(chosen.proposerPriority - total) } : validator,
    );
    return new ValidatorSet(next, chosen.address);
  }

  /**
   * The set after the application's changes; a power of 0 removes.
   * @throws Error on duplicates, unknown removals, negative powers, an empty result or too much power
   */
  update(updates: readonly ValidatorUpdate[]): ValidatorSet {
    if (updates.length === 0) return this;
    const changes = updates.map(({ pubKey, power }) => ({ pubKey, power, address: addressOfKey(pubKey) }));
    this.#checkChanges(changes);
    const kept = new Map(this.validators.map((validator) => [toHex(validator.address), validator]));
    for (const { address, power } of changes) {
      if (power === 0n && !kept.has(toHex(address))) {
        throw new Error(`failed to find validator ${toHex(address).toUpperCase()} to remove`);
      }
    }
    const fresh = -newcomerPriority(this.#powerBeforeRemovals(changes));
    for (const { address, power, pubKey } of changes) {
      if (power === 0n) continue;
      const proposerPriority = kept.get(toHex(address))?.proposerPriority ?? fresh;
      kept.set(toHex(address), { address, pubKey, votingPower: power, proposerPriority });
    }
    for (const { address, power } of changes) if (power === 0n) kept.delete(toHex(address));
    if (kept.size === 0) throw new Error('applying the validator changes would result in empty set');
    const list = [...kept.values()];
    const total = list.reduce((sum, { votingPower }) => sum + votingPower, 0n);
    const next = centred(rescaled(list, priorityWindow * total));
    return new ValidatorSet(next.toSorted(byPower), this.#proposer);
  }

  #checkChanges(changes: readonly { address: Uint8Array; power: bigint }[]): void {
    const seen = new Set<string>();
    for (const { address, power } of changes) {
      if (power < 0n) throw new Error(`voting power can't be negative: ${power}`);
      if (power > maxTotalPower) throw new Error(`voting power can't be higher than ${maxTotalPower}, got ${power}`);
      const name = toHex(address);
      if (seen.has(name)) throw new Error(`duplicate entry ${name.toUpperCase()} in validator changes`);
      seen.add(name);
    }
  }

  /** Total power with all updates and no removals, from which newcomers start behind everybody else. */
  #powerBeforeRemovals(changes: readonly { address: Uint8Array; power: bigint }[]): bigint {
    let total = this.totalPower;
    let removed = 0n;
    for (const { address, power } of changes) {
      const before = this.find(address)?.votingPower ?? 0n;
      if (power === 0n) removed += before;
      else total += power - before;
    }
    if (total - removed > maxTotalPower) throw new Error(`total voting power exceeds maximum ${maxTotalPower}`);
    return total;
  }
}

/** 1.125 times the total: who leaves and comes back gains no earlier turn. */
function newcomerPriority(total: bigint): bigint {
  return total + (total >> 3n);
}

function byPower(a: Validator, b: Validator): number {
  if (a.votingPower !== b.votingPower) return a.votingPower > b.votingPower ? -1 : 1;
  return compareBytes(a.address, b.address);
}

/** The highest priority; of equal ones the lower address. */
function mostPrior(validators: readonly Validator[]): Validator | undefined {
  let best: Validator | undefined;
  for (const validator of validators) {
    if (best === undefined || validator.proposerPriority > best.proposerPriority) best = validator;
    else if (
      validator.proposerPriority === best.proposerPriority &&
      compareBytes(validator.address, best.address) < 0
    ) {
      best = validator;
    }
  }
  return best;
}

/** Priorities divided, towards zero, until they lie within the window. */
function rescaled(validators: readonly Validator[], window: bigint): readonly Validator[] {
  if (window <= 0n || validators.length === 0) return validators;
  const priorities = validators.map(({ proposerPriority }) => proposerPriority);
  const highest = priorities.reduce((a, b) => (a > b ? a : b));
  const lowest = priorities.reduce((a, b) => (a < b ? a : b));
  const spread = highest - lowest;
  if (spread <= window) return validators;
  const ratio = (spread + window - 1n) / window;
  return validators.map((validator) => ({ ...validator, proposerPriority: validator.proposerPriority / ratio }));
}

/** Priorities moved so that their average, rounded down, is zero. */
function centred(validators: readonly Validator[]): readonly Validator[] {
  if (validators.length === 0) return validators;
  const sum = validators.reduce((total, { proposerPriority }) => total + proposerPriority, 0n);
  const count = BigInt(validators.length);
  const average = sum >= 0n || sum % count === 0n ? sum / count : sum / count - 1n;
  return validators.map((validator) => ({
    ...validator,
    proposerPriority: clip(validator.proposerPriority - average),
  }));
}

function clip(value: bigint): bigint {
  if (value > maxInt64) return maxInt64;
  return value < minInt64 ? minInt64 : value;
}
