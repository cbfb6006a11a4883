/** How a deployment stands, as text: pure, from what the chain and the providers say. */

import type { RotateMark } from '@mu/client/deployment/rotate';
import type { LeaseStatusAnswer } from '@mu/client/provider/provider-client';
import { table } from '@mu/lib/columns';
import { type Lease, LeaseState, type Order, OrderState } from '@mu/proto/market';
import { rotateText } from './rotate.ts';
import { counted, wordOf } from './words.ts';

/** A live lease, and what its provider says. */
export interface LeaseStanding {
  readonly lease: Lease;
  /** Name of the infrastructure. */
  readonly infrastructure: string;
  /** Undefined where the provider did not answer. */
  readonly answer: LeaseStatusAnswer | undefined;
  /** Why it did not. */
  readonly trouble?: string;
}

export interface DeploymentStanding {
  readonly dseq: bigint;
  readonly name: string;
  readonly state: string;
  /** Revision of the manifest on the chain. */
  readonly revision: bigint;
  readonly leases: readonly LeaseStanding[];
  /** Orders that nobody has yet. */
  readonly open: readonly Order[];
  /** Secrets that are to be changed. */
  readonly rotate: readonly RotateMark[];
}

type Service = LeaseStatusAnswer['services'][number];
type Instance = Service['instances'][number];

/** The whole answer. */
export function statusText(standing: DeploymentStanding): string {
  const { dseq, name, state, revision, leases } = standing;
  const head = `deployment ${dseq} "${name}" is ${state}, revision ${revision}`;
  const rows = leases.flatMap(rowsOf);
  const reasons = whyNot(standing);
  return [
    head,
    ...(rows.length === 0
      ? []
      : ['', table(['LEASE', 'INFRASTRUCTURE', 'SERVICE', 'KIND', 'READY', 'RESTARTS', 'STATE'], rows)]),
    ...leases.flatMap(({ lease, answer }) =>
      (answer?.endpoints ?? lease.endpoints).map((one) => `  answers at ${one}`),
    ),
    ...leases.flatMap(giversText),
    ...(reasons.length === 0 ? [] : ['', ...reasons]),
  ].join('\n');
}

/** Names that are said; the others are counted. */
const mostNamed = 3;

/** Where the manifest came from peers: that its user has handed it over needs no words. */
function giversText({ lease, answer }: LeaseStanding): string[] {
  const from = answer?.manifest_from ?? 'user';
  if (from === 'user') return [];
  const named = from.slice(0, mostNamed).join(', ');
  const more = from.length > mostNamed ? ` and ${from.length - mostNamed} more` : '';
  return [`  lease ${lease.number} has its manifest from ${named}${more}`];
}

function rowsOf({ lease, infrastructure, answer }: LeaseStanding): string[][] {
  const own = [lease.number.toString(), infrastructure];
  const services = answer?.services ?? [];
  if (services.length === 0) return [[...own, '', '', '', '', answer?.work ?? wordOf(LeaseState, lease.state)]];
  return services.map((service) => [...own, service.service, service.kind, ...instanceCells(service, answer)]);
}

function instanceCells({ kind, instances }: Service, answer: LeaseStatusAnswer | undefined): string[] {
  if (kind === 'gateway' || kind === 'database') return ['', '', answer?.work ?? ''];
  const ready = instances.filter(({ state }) => state === 'ready').length;
  const restarts = instances.reduce((sum, one) => sum + one.restarts, 0);
  const states = [...new Set(instances.map(({ state }) => state.replace('_', ' ')))].join(', ');
  return [`${ready}/${instances.length}`, String(restarts), states === '' ? (answer?.work ?? '') : states];
}

/** Why something does not run as it should, and what to do, a sentence each. */
export function whyNot({ dseq, revision, leases, open, state, rotate }: DeploymentStanding): string[] {
  const orders = open.map(
    ({ id, spec }) =>
      `${spec?.name ?? id?.infrastructure}: no provider has it yet; \`mucli market\` shows the order and its bids`,
  );
  const nobody = leases.length === 0 && open.length === 0 && state === 'active';
  return [
    ...orders,
    ...(nobody ? [`nothing is ordered and no lease is live: \`mucli tx deployment update\` orders anew`] : []),
    ...leases.flatMap((one) => leaseTrouble(one, { dseq, revision })),
    ...rotateText(rotate),
  ];
}

function leaseTrouble(
  { lease, infrastructure, answer, trouble }: LeaseStanding,
  { dseq, revision }: { readonly dseq: bigint; readonly revision: bigint },
): string[] {
  const say = (text: string): string => `${infrastructure} (lease ${lease.number}): ${text}`;
  if (lease.state === LeaseState.LEASE_STATE_OUT_OF_FUNDS) {
    return [say(`paused, the escrow is empty; \`mucli tx deployment deposit ${dseq} AMOUNT\` lets it go on`)];
  }
  if (answer === undefined) return [say(`its provider ${lease.provider} does not answer: ${trouble ?? ''}`)];
  const failed = answer.failed_revision ?? answer.revision;
  const lines = answer.services.flatMap(({ service, instances }) =>
    instances.flatMap((instance) => instanceTrouble(service, instance).map(say)),
  );
  const progress = answer.progress.at(-1);
  switch (answer.work) {
    case 'waiting':
      return [say(`its provider waits for the manifest: \`mucli deployment send-manifest ${dseq}\``)];
    case 'failed':
      return [say(`revision ${failed} cannot be started: ${answer.reason ?? ''}`), ...lines];
    case 'paused':
      return [say('paused by its provider for want of funds')];
    case 'starting':
    case 'updating':
      return [say(`${answer.work}${progress === undefined ? '' : `: ${progress.service} ${progress.line}`}`), ...lines];
    default:
      if (answer.reason !== undefined)
        lines.unshift(say(`revision ${failed} was rolled back, the one before runs on: ${answer.reason}`));
      else if (answer.revision < revision)
        lines.unshift(
          say(`runs revision ${answer.revision}: \`mucli deployment send-manifest ${dseq}\` brings ${revision}`),
        );
      return lines;
  }
}

function instanceTrouble(service: string, { index, state, restarts, last_end: end, note }: Instance): string[] {
  const where = `${service} instance ${index}`;
  const why = end === undefined ? '' : `; it ended last by ${end}`;
  const times = restarts === 0 ? '' : ` after ${counted(restarts, 'restart')}`;
  const lines = note === undefined ? [] : [`${where}: ${note}`];
  if (state === 'ready') return restarts > 0 && end !== undefined ? [...lines, `${where} runs${times}${why}`] : lines;
  return [...lines, `${where} is ${state.replace('_', ' ')}${times}${why}`];
}

export const isOpen = ({ state }: Order): boolean => state === OrderState.ORDER_STATE_OPEN;
