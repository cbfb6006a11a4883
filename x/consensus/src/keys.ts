/** The one key of the store `consensus`, byte by byte the SDK's (x/consensus/keeper). */
import { utf8 } from '@mu/lib/bytes';

export const moduleName = 'consensus';
export const storeName = 'consensus';

/** → tendermint.types.ConsensusParams */
export const paramsKey: Uint8Array = utf8('Consensus');
