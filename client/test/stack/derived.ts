import { Dec } from '@mu/lib/dec';
import { deriveDeployment } from '../../src/stack/derive.ts';
import { type Choices, DeriveError, type MarketFacts } from '../../src/stack/derive-types.ts';
import { read, sample } from './sample.ts';

/** Umu of a decimal number. */
export const dec = (text: string) => Dec.fromString(text);

/** A market with three providers, of which two serve eu-west. */
export const market: MarketFacts = {
  regions: ['eu-west'],
  metrics: [
    { name: 'function-invocations', service: 'mu-function', maxPerBlock: 0n },
    { name: 'gateway-bytes', service: 'mu-gateway', maxPerBlock: 4096n },
    { name: 'storage-requests', service: 'mu-store', maxPerBlock: 0n },
  ],
  asks: [
    { provider: 'mu1dear', region: 'eu-west', total: dec('9.5') },
    { provider: 'mu1cheap', region: 'eu-west', total: dec('4') },
    { provider: 'mu1far', region: 'us-east', total: dec('1') },
  ],
  priceLists: [
    { provider: 'a', regions: ['eu-west'], prices: [{ metric: 'function-invocations', price: dec('2'), per: 1000n }] },
    { provider: 'b', regions: ['eu-west'], prices: [{ metric: 'function-invocations', price: dec('4'), per: 1000n }] },
    { provider: 'c', regions: ['us-east'], prices: [{ metric: 'function-invocations', price: dec('900'), per: 1n }] },
  ],
  minRunwayBlocks: 100n,
  usageWindowBlocks: 50n,
  minDeposit: 10n,
  maxCollateral: 0n,
};

/** What is ordered for a stack, the sample where none is given. */
export const derive = (
  flags: Choices,
  options: { text?: string; config?: Choices; facts?: Partial<MarketFacts> } = {},
) =>
  deriveDeployment(
    read(options.text ?? sample).stack,
    { flags, config: options.config ?? {} },
    { ...market, ...options.facts },
  );

/** The error that says why nothing can be ordered. */
export function refusal(run: () => unknown): DeriveError {
  try {
    run();
  } catch (error) {
    if (error instanceof DeriveError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
