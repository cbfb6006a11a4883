/** What the light client refuses, in kinds that programs match on; the texts are for people. */

/** Which step refused. The first four are the verdicts of CometBFT's `light` package. */
export type LightErrorKind =
  /** what is trusted is older than the trusting period (ErrOldHeaderExpired) */
  | 'expired'
  /** a header or its commit is not valid (ErrInvalidHeader) */
  | 'invalid_header'
  /** too little of the trusted validators signed; a header between them may help (ErrNewValSetCantBeTrusted) */
  | 'untrusted_validators'
  /** a commit or a pair of headers that no further header can mend (other errors of light.Verify) */
  | 'unverifiable'
  /** nobody answered */
  | 'unavailable'
  /** the node does not have that height, or no longer */
  | 'no_block'
  /** the node has not reached that height yet */
  | 'height_too_high'
  /** an answer that is not of the form asked for */
  | 'malformed'
  /** a block that contradicts itself (ErrBadLightBlock) */
  | 'bad_block'
  /** an answer about something else than what was asked */
  | 'wrong_answer'
  /** what the node shows is not what the configuration trusts */
  | 'trust_mismatch'
  /** a witness has another, valid header: somebody attacks (ErrLightClientAttack) */
  | 'attack'
  /** no witness could confirm a header (ErrFailedHeaderCrossReferencing) */
  | 'no_witness'
  /** a view that is older than the caller takes */
  | 'stale'
  /** a value or its absence is not proved by a verified header */
  | 'invalid_proof'
  /** the trusted store cannot be read */
  | 'store'
  /** options that contradict themselves */
  | 'config';

/** What in it was wrong. */
export type LightFault =
  | 'chain_id'
  | 'version'
  | 'height'
  | 'time'
  | 'future_time'
  | 'header'
  | 'header_hash'
  | 'last_block_hash'
  | 'validators'
  | 'validators_hash'
  | 'next_validators_hash'
  | 'commit'
  | 'commit_height'
  | 'commit_size'
  | 'block_id'
  | 'validator_address'
  | 'signature'
  | 'double_vote'
  | 'voting_power'
  | 'trust_level'
  | 'genesis'
  | 'proof_missing'
  | 'proof_form'
  | 'proof_key'
  | 'proof_value'
  | 'proof_root'
  | 'proof_neighbours'
  | 'code'
  | 'answer';

export interface LightErrorFacts {
  readonly kind: LightErrorKind;
  readonly fault?: LightFault;
  /** height of the block it is about */
  readonly height?: bigint;
  /** who said it: the address of a node */
  readonly source?: string;
  readonly cause?: unknown;
}

/** A refusal of the light client. Match on kind and fault, never on the text. */
export class LightError extends Error {
  readonly kind: LightErrorKind;
  readonly fault: LightFault | undefined;
  readonly height: bigint | undefined;
  readonly source: string | undefined;

  constructor(message: string, facts: LightErrorFacts) {
    super(message, facts.cause === undefined ? {} : { cause: facts.cause });
    this.name = 'LightError';
    this.kind = facts.kind;
    this.fault = facts.fault;
    this.height = facts.height;
    this.source = facts.source;
  }

  /** The same error, named after who caused it; a name that is there already stays. */
  from(source: string): LightError {
    if (this.source !== undefined) return this;
    return new LightError(`${source}: ${this.message}`, {
      kind: this.kind,
      source,
      ...(this.fault === undefined ? {} : { fault: this.fault }),
      ...(this.height === undefined ? {} : { height: this.height }),
      cause: this,
    });
  }

  /** An error that does not speak against the node that caused it. */
  get benign(): boolean {
    return this.kind === 'unavailable' || this.kind === 'no_block' || this.kind === 'height_too_high';
  }
}

/** Too little power behind a commit. */
export class NotEnoughPowerError extends LightError {
  readonly got: bigint;
  /** the sum must be above it */
  readonly needed: bigint;

  constructor(got: bigint, needed: bigint, facts: LightErrorFacts) {
    super(`validators with a power of ${got} signed, more than ${needed} is needed`, {
      fault: 'voting_power',
      ...facts,
    });
    this.got = got;
    this.needed = needed;
  }
}
