/** What a derivation works from and what it gives: facts of the market, the user's choices, the order. */
import type { Dec } from '@mu/lib/dec';
import type { DeploymentInfrastructure, UsageLimit } from '@mu/proto/deployment';
import type { MetricFact, PriceListFact } from './usage-limits.ts';

/** What a provider last asked for an infrastructure, in umu per block. */
export interface Ask {
  readonly provider: string;
  readonly region: string;
  readonly total: Dec;
}

/** What the market looks like, from queries at one height. */
export interface MarketFacts {
  /** x/provider's `regions`. */
  readonly regions: readonly string[];
  /** x/provider's `metrics`. */
  readonly metrics: readonly MetricFact[];
  /** The newest bid of each provider in each region. */
  readonly asks: readonly Ask[];
  /** The latest price list of each active provider. */
  readonly priceLists: readonly PriceListFact[];
  /** x/billing's parameters. */
  readonly minRunwayBlocks: bigint;
  readonly usageWindowBlocks: bigint;
  readonly minDeposit: bigint;
  /** x/market's bound on the collateral of one replica; 0 for none. */
  readonly maxCollateral: bigint;
}

/** What the user chose; flags win over the config file. */
export interface Choices {
  readonly region?: string;
  /** The most that the whole of `main` may cost, in umu per block. */
  readonly maxPrice?: Dec;
  /** In umu. */
  readonly deposit?: bigint;
  readonly usageLimits?: readonly UsageLimit[];
  /** How many blocks' price a provider locks as collateral where the stack does not say; 100 by default. */
  readonly collateralBlocks?: bigint;
  /** Whether providers without a lease of `main` hold the key of its secrets too; `lease` by default. */
  readonly share?: 'lease' | 'all';
}

/** Where a service runs. */
export interface Placement {
  readonly infrastructure: string;
  readonly share: 'lease' | 'all';
  /** Names of the stack's services, in its order. */
  readonly services: readonly string[];
}

/** A choice that was made for the user or by him, to be shown before anything is signed. */
export interface DerivedChoice {
  readonly what: string;
  readonly value: string;
  /** `--region`, `config`, `the only region`, … */
  readonly from: string;
}

/** What is to be ordered. */
export interface DerivedDeployment {
  readonly infrastructure: DeploymentInfrastructure[];
  readonly placements: readonly Placement[];
  /** Σ price × count over everything, in umu per block. */
  readonly pricePerBlock: Dec;
  /** What the escrow must hold at least, in umu. */
  readonly reserve: bigint;
  /** In umu. */
  readonly deposit: bigint;
  readonly choices: readonly DerivedChoice[];
}

export type DeriveErrorCode =
  | 'region_missing'
  | 'region_unknown'
  | 'price_missing'
  | 'price_zero'
  | 'price_twice'
  | 'metric_unknown'
  | 'gpu'
  | 'too_small'
  | 'deposit_too_small';

/** Why nothing can be ordered yet; the message says what to do. */
export class DeriveError extends Error {
  override readonly name = 'DeriveError';
  readonly code: DeriveErrorCode;
  /** With `price_missing`: what the region's providers last asked, cheapest first. */
  readonly asks: readonly Ask[];

  constructor(code: DeriveErrorCode, message: string, asks: readonly Ask[] = []) {
    super(message);
    this.code = code;
    this.asks = asks;
  }
}
