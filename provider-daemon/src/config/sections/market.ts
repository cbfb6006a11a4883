/** What is offered, what is asked for it, and how bids are made. */
import { Dec } from '@mu/lib/dec';
import { gpuPrices } from '../gpus.ts';
import * as kind from '../kinds.ts';
import { required, type Section, setting } from '../setting.ts';

const region = kind.textLike('a region that the chain knows', /^[a-z0-9][a-z0-9._-]{0,63}$/);
const service = kind.textLike('a type of service like mu-function', /^[a-z0-9][a-z0-9._-]{0,63}$/);
const account = kind.textLike('an address like mu1…', /^[a-z][a-z0-9]{1,100}$/);

export const offer = {
  doc: 'What is offered. An order that asks for more is not bid for.',
  settings: {
    regions: required(kind.listOf(region, 1), 'Regions that are served; the first is where this node stands.'),
    services: setting(
      kind.listOf(service, 1),
      ['mu-db', 'mu-function', 'mu-gateway'],
      'Types of services that are offered.',
    ),
    attributes: setting(kind.attributes, [], 'Facts that orders may ask for.'),
  },
} satisfies Section;

export const pricing = {
  doc: 'What is asked for a replica, in umu per block.',
  settings: {
    cpu: setting(kind.decimal, Dec.fromString('0.05'), 'For a thousandth of a core.'),
    memoryMib: setting(kind.decimal, Dec.fromString('0.01'), 'For a MiB of memory.'),
    diskGib: setting(kind.decimal, Dec.fromString('0.1'), 'For a GiB of disk.'),
    gpu: setting(
      kind.decimal,
      Dec.fromString('500'),
      'For a graphics processor whose model is not among the next ones.',
    ),
    gpuModels: setting(gpuPrices, [], 'For a graphics processor, by vendor and model.'),
    floor: setting(kind.decimal, Dec.fromString('1'), 'The least that is asked for a replica.'),
    script: setting(
      kind.optionalPath,
      '',
      'A program that is asked for the price of each order instead, by JSON on stdin and stdout; empty: none.',
    ),
    scriptTimeoutMs: setting(kind.whole(10, 60_000), 2_000, 'Longest run of the program, in milliseconds.'),
    scriptJobs: setting(kind.whole(1, 64), 4, 'How many of these programs run at a time.'),
  },
} satisfies Section;

export const usage = {
  doc: 'What is asked for usage, and how often it is reported.',
  settings: {
    prices: setting(kind.prices, [], 'Prices by metric, in umu for so many base units.'),
    reportEveryBlocks: setting(kind.count(1n), 20n, 'Blocks between two usage reports of a lease.'),
  },
} satisfies Section;

export const bidding = {
  doc: 'How bids are made and leases kept.',
  settings: {
    maxCollateral: setting(kind.count(0n), 100_000_000n, 'Most collateral that one bid may lock, in umu.'),
    maxTotalCollateral: setting(
      kind.count(0n),
      10_000_000_000n,
      'Most collateral that all open bids and leases together may lock, in umu.',
    ),
    maxOpenBids: setting(
      kind.whole(1, 1_000_000),
      500,
      'Most bids that may be open at a time; the chain has a limit of its own.',
    ),
    allowOwners: setting(kind.listOf(account), [], 'Owners of deployments that alone are served; empty: everybody.'),
    denyOwners: setting(kind.listOf(account), [], 'Owners of deployments that are not served.'),
    confirmEveryBlocks: setting(
      kind.count(1n),
      10n,
      'Blocks between two confirmations of a lease; well below the chain’s limit.',
    ),
  },
} satisfies Section;
