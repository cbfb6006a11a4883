/** The link to the chain: node, proofs, clock, money, registration. */

import { hasRoot } from '@mu/client/light/connect';
import { equalBytes } from '@mu/lib/bytes';
import { messageOf } from '@mu/lib/error-message';
import { ProviderState } from '@mu/proto/provider';
import { feesOf, transactionsAhead } from '../../bidding/fees.ts';
import type { ProviderConfig } from '../../config/schema.ts';
import type { Identity } from '../../identity/identity.ts';
import { gatewayUri, hostUri } from '../../setup/places.ts';
import { nextPrices } from '../../setup/register.ts';
import { maxBlockAgeMs } from '../health.ts';
import { type Check, fail, ok, type Verdict, warn, worst } from './finding.ts';
import type { ChainEntries, Probes } from './probes.ts';

/** Certificates are backdated by 5 minutes: beyond that others refuse them. */
export const badClockMs = 60_000;
export const looseClockMs = 5_000;

export const chainCheck: Check = {
  name: 'chain',
  async look({ chain }, probes) {
    let node: Awaited<ReturnType<Probes['node']>>;
    try {
      node = await probes.node();
    } catch (error) {
      return fail(`no node answers at ${chain.rpcUrl}: ${messageOf(error)}`, 'start it, or set chain.rpc_url');
    }
    if (node.chainId !== chain.id) {
      return fail(`the node is of chain ${node.chainId}, not ${chain.id}`, 'set chain.rpc_url or chain.id');
    }
    if (node.catchingUp) {
      return fail(`the node is at block ${node.height} and catches up`, 'wait until it is done, or use another node');
    }
    const age = probes.now() - node.blockTimeMs;
    const text = `block ${node.height} of ${chain.id} is ${Math.round(age / 1000)} s old`;
    if (age <= maxBlockAgeMs) return ok(text);
    return fail(text, 'the chain stands, the node is cut off from it, or this machine’s clock is wrong');
  },
};

export const trustCheck: Check = {
  name: 'trust',
  async look({ trust, chain }) {
    const named = 'set trust.genesis_hash, or trust.height and trust.hash: `mucli trust` shows them';
    if (trust.node) {
      const isOwn = /^https?:\/\/(127\.|\[::1\]|localhost)/.test(chain.rpcUrl);
      if (isOwn) return ok('the node on this machine is believed (trust.node)');
      return warn(`the node at ${chain.rpcUrl} is believed without proofs (trust.node)`, named);
    }
    if (trust.height > 0n && trust.hash === '') return fail('trust.height is set without trust.hash', named);
    if (trust.height === 0n && trust.hash !== '') return fail('trust.hash is set without trust.height', named);
    return hasRoot(trust) ? ok('a root of trust is named') : fail('nothing is known to check the node by', named);
  },
};

export const proofCheck: Check = {
  name: 'proofs',
  async look({ trust }, probes) {
    if (trust.node) return undefined;
    try {
      const { height, blockTimeMs } = await probes.provedBlock();
      const ageS = Math.round((probes.now() - blockTimeMs) / 1000);
      const text = `block ${height}, ${ageS} s old, is proved`;
      if (ageS <= trust.maxViewAgeS) return ok(text);
      return fail(`${text}: too old to give anything out`, 'see the chain’s state, or raise trust.max_view_age_s');
    } catch (error) {
      return fail(
        `the chain cannot be proved: ${messageOf(error)}`,
        'check trust.genesis_hash, trust.height and trust.hash against a source that you trust; an old root may be beyond trust.period_hours',
      );
    }
  },
};

export const clockCheck: Check = {
  name: 'clock',
  async look(_config, probes) {
    const { clock, blockTimeMs } = await probes.node();
    const now = probes.now();
    // Blocks are of the past: only one from the future says something.
    const behindBlock = blockTimeMs - now;
    const off = clock === undefined ? 0 : beyond(now - clock.ms, clock.withinMs);
    const [value, source] =
      behindBlock > Math.abs(off) ? [-behindBlock, 'the newest block'] : [off, 'the node’s clock'];
    const size = Math.abs(value);
    if (clock === undefined && behindBlock <= 0)
      return ok('not before the newest block; the node tells no time of its own');
    const text = `${(size / 1000).toFixed(1)} s ${value < 0 ? 'behind' : 'ahead of'} ${source}`;
    if (size <= looseClockMs) return ok(size === 0 ? 'as the node’s' : text);
    const hint =
      'let the clock of this machine be set from the network (chrony, systemd-timesyncd); or the node’s is wrong';
    return size > badClockMs ? fail(text, hint) : warn(text, hint);
  },
};

/** What is certain of a difference that was measured so exactly. */
function beyond(differenceMs: number, withinMs: number): number {
  const certain = Math.max(0, Math.abs(differenceMs) - withinMs);
  return differenceMs < 0 ? -certain : certain;
}

export const fundsCheck: Check = {
  name: 'funds',
  async look(config, probes) {
    const { entries, operator, owner } = await own(config, probes);
    const fee = feesOf(1n, config.chain.gasPrice);
    const { balances, provider, deposit } = entries;
    const { denom } = config.chain;
    const verdicts: Verdict[] = [];
    if (provider === undefined && balances.owner < deposit + fee) {
      verdicts.push(
        fail(
          `the owner has ${balances.owner} ${denom}, a registration locks ${deposit} and costs a fee`,
          `send at least ${deposit + fee} ${denom} to ${owner}`,
        ),
      );
    }
    const has = `the operator has ${balances.operator} ${denom}`;
    const send = `send coins to ${operator}`;
    if (balances.operator < fee * transactionsAhead.least) {
      verdicts.push(
        fail(
          `${has}, not enough for ${transactionsAhead.least} transactions`,
          `${send}: without fees leases are not confirmed, and break`,
        ),
      );
    } else if (balances.operator < fee * transactionsAhead.enough) {
      verdicts.push(warn(`${has}, not enough for ${transactionsAhead.enough} transactions`, send));
    } else if (balances.operator < config.bidding.maxCollateral) {
      verdicts.push(
        warn(
          `${has}; one bid may lock up to ${config.bidding.maxCollateral} (bidding.max_collateral)`,
          `${send}, or lower bidding.max_collateral: orders that ask for more are not bid for`,
        ),
      );
    }
    return worst(verdicts.length > 0 ? verdicts : [ok(`${has}, the owner ${balances.owner} ${denom}`)]);
  },
};

export const registrationCheck: Check = {
  name: 'registration',
  async look(config, probes) {
    const { entries, identity, operator } = await own(config, probes);
    const { provider } = entries;
    if (provider === undefined) return fail('the provider is not on the chain', 'run `mu-provider register`');
    if (provider.state !== ProviderState.PROVIDER_STATE_ACTIVE) {
      return fail('the provider has left the registry', 'run `mu-provider register` once the deposit has returned');
    }
    const differences = [...statedDifferences(config, entries, operator), ...identityDifferences(identity, entries)];
    if (differences.length > 0) {
      return fail(
        `the chain says otherwise than the config: ${differences.join('; ')}`,
        'run `mu-provider register`, which tells the chain what the config says, or set the config to what the chain says',
      );
    }
    return worst([...nodeVerdicts(config, identity, entries), ...priceVerdicts(config, entries)]);
  },
};

function statedDifferences(config: ProviderConfig, { provider }: ChainEntries, operator: string): string[] {
  const { hostUri: host, gatewayUri: gateway, regions = [], services = [], attributes = [] } = provider ?? {};
  const payout = config.keys.payout === '' ? provider?.owner : config.keys.payout;
  const text = (list: readonly string[]): string => [...list].sort((a, b) => (a < b ? -1 : 1)).join(',');
  const pairs = (list: readonly { key: string; value: string }[]): string[] =>
    list.map(({ key, value }) => `${key}=${value}`);
  const mayAct = provider?.owner === operator || provider?.operators.includes(operator) === true;
  return [
    ...(host === hostUri(config) ? [] : [`host_uri is ${host}, not ${hostUri(config)}`]),
    ...(gateway === gatewayUri(config) ? [] : [`gateway_uri is ${gateway}, not ${gatewayUri(config)}`]),
    ...(text(regions) === text(config.offer.regions) ? [] : [`regions are ${text(regions)}`]),
    ...(text(services) === text(config.offer.services) ? [] : [`services are ${text(services)}`]),
    ...(text(pairs(attributes)) === text(pairs(config.offer.attributes)) ? [] : ['attributes differ']),
    ...(payout === provider?.payoutAddress ? [] : [`payout goes to ${provider?.payoutAddress}, not to ${payout}`]),
    ...(mayAct ? [] : [`${operator} is none of its operators`]),
  ];
}

function identityDifferences(identity: Identity, { provider }: ChainEntries): string[] {
  const { roots = [], encryptionKeys = [], nodeAuthorityKey = new Uint8Array() } = provider ?? {};
  const hasRoot = roots.some(({ certificate }) => equalBytes(certificate, identity.rootCertificate));
  const hasKey = encryptionKeys.some(({ publicKey }) => equalBytes(publicKey, identity.encryptionPublicKey));
  return [
    ...(hasRoot ? [] : ['the root certificate is not among its roots']),
    ...(hasKey ? [] : ['the encryption key is not among its keys']),
    ...(equalBytes(nodeAuthorityKey, identity.authorityPublicKey) ? [] : ['the node authority is another one']),
  ];
}

function nodeVerdicts(config: ProviderConfig, identity: Identity, { node }: ChainEntries): Verdict[] {
  const { nodeId } = identity.name;
  if (node === undefined) return [fail(`node ${nodeId} is not on the chain`, 'run `mu-provider register`')];
  if (node.removedHeight > 0n) {
    return [
      fail(
        `node ${nodeId} was removed at height ${node.removedHeight}`,
        'an id is used once: `mu-provider rotate node --yes` makes this machine a new node',
      ),
    ];
  }
  if (!equalBytes(node.publicKey, identity.nodePublicKey)) {
    return [
      fail(
        `node ${nodeId} stands on the chain with another key`,
        'use the identity’s folder of that node, or make a new node with `mu-provider rotate node --yes`',
      ),
    ];
  }
  const [region = ''] = config.offer.regions;
  if (node.region !== region) {
    return [
      warn(
        `node ${nodeId} stands on the chain in region ${node.region}, in the config in ${region}`,
        'let the first of offer.regions be where the node stands',
      ),
    ];
  }
  return [ok(`as the config says; node ${nodeId} up to height ${node.validToHeight}`)];
}

function priceVerdicts(config: ProviderConfig, { priceList }: ChainEntries): Verdict[] {
  if (nextPrices(config, priceList?.prices ?? []) === undefined) return [];
  return [
    fail(
      `prices of usage differ from those on the chain (version ${priceList?.version ?? 0})`,
      'run `mu-provider register` to publish them',
    ),
  ];
}

async function own(config: ProviderConfig, probes: Probes) {
  const identity = await probes.identity();
  const operator = await probes.unlock(config.keys.operator);
  const { provider: owner, nodeId } = identity.name;
  return { identity, operator, owner, entries: await probes.entries(owner, operator, nodeId) };
}
