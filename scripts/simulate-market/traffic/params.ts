/** What the authority changes while everything goes on. */
import { Dec } from '@mu/lib/dec';
import { MsgUpdateParams as UpdateBilling } from '@mu/proto/billing';
import { MsgUpdateParams as UpdateDeployment } from '@mu/proto/deployment';
import { MsgUpdateParams as UpdateMarket } from '@mu/proto/market';
import { MsgUpdateParams as UpdateProvider } from '@mu/proto/provider';
import { accounts } from '../model/world.ts';
import { type Plan, type Scene, say, senderOf } from './scene.ts';

const atomics = (text: string): string => Dec.fromString(text).atomicsString();

type Change = (scene: Scene) => object;

const big =
  (field: string, least: bigint, most: bigint): Change =>
  ({ chance }) => ({ [field]: chance.big(least, most) });
const small =
  (field: string, least: number, most: number): Change =>
  ({ chance }) => ({ [field]: chance.from(least, most) });
const one =
  (field: string, texts: readonly string[]): Change =>
  ({ chance }) => ({ [field]: chance.pick(texts) });

const market: readonly Change[] = [
  big('minAuctionBlocks', 2n, 6n),
  small('maxBidsPerOrder', 1, 5),
  small('maxOpenBids', 1, 12),
  small('maxActiveLeases', 2, 14),
  big('confirmationBlocks', 1n, 9n),
  big('reconfirmationBlocks', 2n, 14n),
  small('maxInjectedItems', 0, 6),
  small('maxInjectedCost', 2, 12),
  one('collateralUserShare', ['0', '0.5', '1', '0.777777777777777777', '1.1'].map(atomics)),
  big('youngLeaseBlocks', 0n, 10n),
  big('leaveNoticeBlocks', 1n, 12n),
  big('graceBlocks', 1n, 12n),
  big('manifestTimeoutBlocks', 1n, 8n),
  one('interestRate', ['0', '0.3', '1', '1.000000000000000001'].map(atomics)),
  one('maxInterestPerYear', ['0', '50', '1000']),
  big('blocksPerYear', 10n, 200n),
  one('maxCollateral', ['500', '199', '50']),
];

const billing: readonly Change[] = [
  one('minDeposit', ['0', '1', '30', '100']),
  big('minRunwayBlocks', 0n, 20n),
  big('usageWindowBlocks', 0n, 15n),
  one('commissionRate', ['0', '0.05', '0.5', '0.999999999999999999', '1'].map(atomics)),
  small('maxDepositors', 1, 4),
  small('maxClosingsPerBlock', 1, 3),
  ({ actors }) => ({ commissionRate: atomics('0.1'), commissionAccount: actors.treasury.address }),
  () => ({ commissionAccount: accounts.fee_collector }),
];

const provider: readonly Change[] = [
  big('unbondingBlocks', 0n, 15n),
  small('maxNodes', 1, 4),
  ({ chance, world }) => ({
    deposit: { ...world.single('provider').deposit, amount: `${chance.pick([0, 3000, 6000])}` },
  }),
];

const deployment: readonly Change[] = [
  small('maxInfrastructures', 0, 4),
  small('maxActiveDeployments', 1, 8),
  one('sealedManifestFeePerByte', ['0', '1', '10']),
  small('maxSealedManifestBytes', 0, 100),
];

/** One change in one module; mostly by who may. */
export function params(scene: Scene): Plan {
  const { chance, world, actors } = scene;
  const authority = senderOf(scene, actors.authority.address);
  const draw = chance.below(10);
  const changed = <T>(codec: Parameters<typeof say<T>>[1], standing: object, changes: readonly Change[]): Plan =>
    say(authority, codec, { authority, params: { ...standing, ...chance.pick(changes)(scene) } });
  if (draw < 5) return changed(UpdateMarket, world.single('market'), market);
  if (draw < 8) return changed(UpdateBilling, world.single('billing'), billing);
  if (draw < 9) return changed(UpdateProvider, world.single('provider'), provider);
  return changed(UpdateDeployment, world.single('deployment'), deployment);
}
