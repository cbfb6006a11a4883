/** The chain's consensus parameters, kept as the SDK keeps them. */
import type { FullConsensusParams, ParamStore } from '@mu/framework/consensus-params';
import type { Context } from '@mu/framework/context';
import { ConsensusParams } from 'cosmjs-types/tendermint/types/params';
import { paramsKey, storeName } from './keys.ts';

export class ConsensusKeeper implements ParamStore {
  get(ctx: Context): FullConsensusParams {
    const bytes = ctx.store(storeName).get(paramsKey);
    if (bytes === undefined) throw new Error('the consensus parameters are read before genesis has set them');
    const { block, evidence, validator, version, abci } = ConsensusParams.decode(bytes);
    if (block === undefined || evidence === undefined || validator === undefined) {
      throw new Error('the stored consensus parameters are incomplete');
    }
    // Chains of before these sections were stored without them (SDK: "initialize version params with zero value").
    return {
      block,
      evidence,
      validator,
      version: version ?? { app: 0n },
      abci: abci ?? { voteExtensionsEnableHeight: 0n },
    };
  }

  set(ctx: Context, params: FullConsensusParams): void {
    ctx.store(storeName).set(paramsKey, ConsensusParams.encode(params).finish());
  }

  /** The number that block headers carry as their application's version, from the next block on. */
  setProtocolVersion(ctx: Context, app: bigint): void {
    this.set(ctx, { ...this.get(ctx), version: { app } });
  }
}
