/** Every setting of `mu-provider`, by section: what each is stands in sections/, its names here. */
import { chain, keys, trust } from './sections/chain.ts';
import { gateway, host, metrics } from './sections/doors.ts';
import { capacity, containers, node, workloads } from './sections/machine.ts';
import { bidding, offer, pricing, usage } from './sections/market.ts';
import { manifests, network } from './sections/sharing.ts';
import type { Section, Setting } from './setting.ts';

/** The settings by section, in the order in which the file shows them. Names in the file are the same in snake_case. */
export const schema = {
  chain,
  trust,
  keys,
  node,
  offer,
  host,
  gateway,
  manifests,
  network,
  capacity,
  containers,
  workloads,
  pricing,
  usage,
  metrics,
  bidding,
} satisfies Readonly<Record<string, Section>>;

type ValueOf<S> = S extends Setting<infer T> ? T : never;
type SectionOf<S extends Section> = { readonly [K in keyof S['settings']]: ValueOf<S['settings'][K]> };

/** A checked config. */
export type ProviderConfig = { readonly [K in keyof typeof schema]: SectionOf<(typeof schema)[K]> };

/** Some of the settings. */
export type PartialConfig = { readonly [K in keyof ProviderConfig]?: Partial<ProviderConfig[K]> };

/** A setting with all its names. */
export interface NamedSetting {
  readonly section: string;
  readonly key: string;
  /** In the file: `chain.rpc_url`. */
  readonly path: string;
  /** `MU_PROVIDER_CHAIN_RPC_URL`. */
  readonly environment: string;
  /** `--chain-rpc-url`. */
  readonly flag: string;
  readonly setting: Setting<unknown>;
}

/** `rpcUrl` → `rpc_url`. */
export function snakeCase(camel: string): string {
  return camel.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** All settings in the order of the file. */
export const settings: readonly NamedSetting[] = Object.entries<Section>(schema).flatMap(
  ([section, { settings: own }]) =>
    Object.entries(own).map(([key, one]) => {
      const path = `${snakeCase(section)}.${snakeCase(key)}`;
      return {
        section,
        key,
        path,
        environment: `MU_PROVIDER_${path.replace('.', '_').toUpperCase()}`,
        flag: `--${path.replace(/[._]/g, '-')}`,
        setting: one as Setting<unknown>,
      };
    }),
);
