/** An infrastructure as a stack file describes it: where, from whom, how much, at which price. */
import { compute, name, serviceKinds } from './common-schema.ts';
import { count, dictionary, flag, list, oneOf, price, record, text, whole } from './fields.ts';

const maxU64 = (1n << 64n) - 1n;

/** Metrics' names on the chain. */
const metric = () => text('a metric', 'a name like function-invocations', /^[a-z][a-z0-9-]{0,63}$/);
const address = (what: string) => text(what, 'a bech32 address', /^[a-z][a-z0-9]{0,82}1[02-9ac-hj-np-z]{38,90}$/);

/** Standbys of one infrastructure, at most. */
export const maxStandbys = 4;

const resource = record('a resource', {
  compute,
  price: price('a price per block'),
  collateral: whole('a collateral', 0n, (1n << 256n) - 1n).optional(),
  count: count('a number of replicas', 1, 10_000).optional(),
});

export const infrastructure = record('an infrastructure', {
  name: name('the name of an infrastructure'),
  region: text('a region', 'the name of a region', /^[a-z0-9][a-z0-9._-]{0,63}$/),
  provider: address('a provider').optional(),
  excluded_providers: list('excluded providers', address('a provider'), 64).optional(),
  persist: flag('persist').optional(),
  share: oneOf('whom the key of the secrets is shared with', ['lease', 'all']).optional(),
  /** Further leases that hold the manifest and run nothing (standby.ts). */
  standby: count('a number of standbys', 0, maxStandbys).optional(),
  /** Of each of them; a tenth of the infrastructure's where it is left out. */
  standby_price: price('a price per block').optional(),
  services: list(
    'the services of an infrastructure',
    text('a type of service', Object.values(serviceKinds).join(', '), /^[a-z][a-z0-9-]{0,63}$/),
    32,
  ).optional(),
  attributes: dictionary(
    'attributes',
    /^[a-z0-9./-]{1,64}$/,
    'lower-case letters, digits, . / and -, at most 64',
    text('an attribute', 'a text of at most 128 printable ASCII characters', /^[\x20-\x7e]{1,128}$/),
  ).optional(),
  audited_by: list('auditors', address('an auditor'), 16).optional(),
  resources: list('resources', resource, 16, 1),
  usage_limits: list(
    'usage limits',
    record('a usage limit', {
      metric: metric(),
      max_price: price('a price'),
      per: whole('the number of base units of a price', 1n, maxU64).optional(),
      max_quantity_per_block: whole('a quantity per block', 1n, maxU64),
    }),
    64,
  ).optional(),
  expected_usage: list(
    'expected usage',
    record('an expected usage', {
      metric: metric(),
      quantity_per_block: whole('a quantity per block', 1n, maxU64),
    }),
    64,
  ).optional(),
});
