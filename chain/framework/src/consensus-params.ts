/**
 * Consensus parameters: CometBFT's limits and its rules for a change (0.38, types/params.go), and Mu's own. An engine that
 * is handed parameters outside of its limits stops (ASA-2024-001), so that whatever writes them asks here first.
 */
import type {
  ABCIParams,
  BlockParams,
  ConsensusParams,
  EvidenceParams,
  ValidatorParams,
  VersionParams,
} from 'cosmjs-types/tendermint/types/params';
import type { Context } from './context.ts';

/** All sections; an update of the engine's leaves out what stays. */
export interface FullConsensusParams {
  readonly block: BlockParams;
  readonly evidence: EvidenceParams;
  readonly validator: ValidatorParams;
  readonly version: VersionParams;
  readonly abci: ABCIParams;
}

/** Where the application keeps its consensus parameters: in the state of a module (the SDK's ParamStore). */
export interface ParamStore {
  /** @throws Error before genesis has set them */
  get(ctx: Context): FullConsensusParams;
  set(ctx: Context, params: FullConsensusParams): void;
}

/** The largest block CometBFT knows, 100 MiB; -1 stands for it. */
export const maxBlockBytes = 104_857_600n;
/** The least `block.max_bytes` (design §5). */
export const minBlockBytes = 1_048_576n;
/**
 * Bytes of a block that evidence may not take: the transaction that the block must begin with (65,536), the header, and
 * the commit of up to 1,700 validators. Else a validator who is caught could starve the chain of what is due.
 */
export const reservedBlockBytes = 262_144n;

const knownKeyTypes = ['ed25519', 'secp256k1'];
const nanosPerSecond = 1_000_000_000n;
/** The longest duration that Go counts. */
const maxDurationNs = 2n ** 63n - 1n;

/** CometBFT's own defaults (types/params.go DefaultConsensusParams). */
export function defaultConsensusParams(): FullConsensusParams {
  return {
    block: { maxBytes: 22_020_096n, maxGas: -1n },
    evidence: { maxAgeNumBlocks: 100_000n, maxAgeDuration: { seconds: 172_800n, nanos: 0 }, maxBytes: 1_048_576n },
    validator: { pubKeyTypes: ['ed25519'] },
    version: { app: 0n },
    abci: { voteExtensionsEnableHeight: 0n },
  };
}

/** The parameters after an update that leaves out what stays. Nothing is checked here. */
export function mergeConsensusParams(
  params: FullConsensusParams,
  update: Partial<ConsensusParams> | undefined,
): FullConsensusParams {
  return {
    block: update?.block ?? params.block,
    evidence: update?.evidence ?? params.evidence,
    validator: update?.validator ?? params.validator,
    version: update?.version ?? params.version,
    abci: update?.abci ?? params.abci,
  };
}

/**
 * The parameters that a chain begins with: what genesis leaves out has CometBFT's default, and the bytes of evidence are
 * cut to what leaves the reserve (CometBFT's own default takes all of a block of 1 MiB).
 */
export function genesisConsensusParams(update: Partial<ConsensusParams> | undefined): FullConsensusParams {
  const params = mergeConsensusParams(defaultConsensusParams(), update);
  const most = blockBytes(params) - reservedBlockBytes;
  if (params.block.maxBytes < minBlockBytes || params.evidence.maxBytes <= most) return params;
  return { ...params, evidence: { ...params.evidence, maxBytes: most } };
}

/** Limit of a block in bytes. */
export function blockBytes({ block }: Pick<FullConsensusParams, 'block'>): bigint {
  return block.maxBytes === -1n ? maxBlockBytes : block.maxBytes;
}

/** Gas that all transactions of a block may want together; undefined for no limit (baseapp GetMaximumBlockGas). */
export function blockGas({ block }: Pick<FullConsensusParams, 'block'>): bigint | undefined {
  return block.maxGas > 0n ? block.maxGas : undefined;
}

/** Why CometBFT refuses these parameters, in its words (ValidateBasic); undefined when it takes them. */
export function cometProblem({ block, evidence, validator, abci }: FullConsensusParams): string | undefined {
  if (block.maxBytes === 0n) return 'block.MaxBytes cannot be 0';
  if (block.maxBytes < -1n) return `block.MaxBytes must be -1 or greater than 0. Got ${block.maxBytes}`;
  if (block.maxBytes > maxBlockBytes) return `block.MaxBytes is too big. ${block.maxBytes} > ${maxBlockBytes}`;
  if (block.maxGas < -1n) return `block.MaxGas must be greater or equal to -1. Got ${block.maxGas}`;
  if (evidence.maxAgeNumBlocks <= 0n) {
    return `evidence.MaxAgeNumBlocks must be greater than 0. Got ${evidence.maxAgeNumBlocks}`;
  }
  const age = durationNs(evidence.maxAgeDuration);
  if (age === undefined) return 'evidence.MaxAgeDuration is no duration of at most 2^63-1 nanoseconds';
  if (age <= 0n) return `evidence.MaxAgeDuration must be grater than 0 if provided, Got ${goDuration(age)}`;
  if (evidence.maxBytes > blockBytes({ block })) {
    return `evidence.MaxBytesEvidence is greater than upper bound, ${evidence.maxBytes} > ${block.maxBytes}`;
  }
  if (evidence.maxBytes < 0n) return `evidence.MaxBytes must be non negative. Got: ${evidence.maxBytes}`;
  const enableHeight = abci.voteExtensionsEnableHeight;
  if (enableHeight < 0n) return `ABCI.VoteExtensionsEnableHeight cannot be negative. Got: ${enableHeight}`;
  if (validator.pubKeyTypes.length === 0) return 'len(Validator.PubKeyTypes) must be greater than 0';
  const at = validator.pubKeyTypes.findIndex((type) => !knownKeyTypes.includes(type));
  if (at >= 0) return `params.Validator.PubKeyTypes[${at}], ${validator.pubKeyTypes[at]}, is an unknown pubkey type`;
  return undefined;
}

/** Why CometBFT refuses a change of the height that vote extensions begin at (ValidateUpdate). */
export function extensionsProblem(now: ABCIParams, next: ABCIParams | undefined, height: bigint): string | undefined {
  if (next === undefined) return undefined;
  const [before, after] = [now.voteExtensionsEnableHeight, next.voteExtensionsEnableHeight];
  if (after < 0n) return 'VoteExtensionsEnableHeight must be positive';
  if ((before <= 0n && after === 0n) || before === after) return undefined;
  if (before > 0n && after === 0n) {
    if (before > height) return undefined;
    return `vote extensions cannot be disabled once enabledold enable height: ${before}, current height ${height}`;
  }
  if (after <= height) {
    return `vote extensions cannot be updated to a past or current height, enable height: ${after}, current height ${height}`;
  }
  if (before > 0n && before <= height) {
    return `vote extensions cannot be modified once enabledenable height: ${before}, current height ${height}`;
  }
  return undefined;
}

/** Why these parameters would keep a Mu chain from going on although CometBFT takes them. */
export function starvation(params: FullConsensusParams): string | undefined {
  const { block, evidence } = params;
  if (block.maxBytes !== -1n && block.maxBytes < minBlockBytes) {
    return `block.max_bytes is ${block.maxBytes}; it must be -1 or ≥ ${minBlockBytes}`;
  }
  const most = blockBytes(params) - reservedBlockBytes;
  if (evidence.maxBytes > most) {
    return `evidence.max_bytes is ${evidence.maxBytes}; with this block.max_bytes at most ${most} leaves room for what a block must begin with`;
  }
  if (block.maxGas === 0n) return 'block.max_gas is 0: a block would take no transaction; it must be -1 or above 0';
  return undefined;
}

/** Why the keys of standing validators would be refused: a type may be added, none taken away. */
export function keyTypesProblem(now: ValidatorParams, next: ValidatorParams): string | undefined {
  const lost = now.pubKeyTypes.find((type) => !next.pubKeyTypes.includes(type));
  return lost === undefined ? undefined : `validator.pub_key_types lacks ${lost}, of which validators may have keys`;
}

/** Nanoseconds of a protobuf duration; undefined where Go takes it for none (gogoproto durationFromProto). */
function durationNs(duration: { readonly seconds: bigint; readonly nanos: number } | undefined): bigint | undefined {
  if (duration === undefined) return 0n;
  const { seconds, nanos } = duration;
  if (nanos <= -1_000_000_000 || nanos >= 1_000_000_000) return undefined;
  if ((seconds < 0n && nanos > 0) || (seconds > 0n && nanos < 0)) return undefined;
  const total = seconds * nanosPerSecond + BigInt(nanos);
  return total > maxDurationNs || total < -maxDurationNs ? undefined : total;
}

/** A duration of zero as Go prints it; another one below is told in nanoseconds. */
function goDuration(ns: bigint): string {
  return ns === 0n ? '0s' : `${ns}ns`;
}
