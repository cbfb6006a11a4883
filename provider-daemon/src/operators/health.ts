/** Whether a provider does what it is there for, from what it knows. Pure. */
import type { Expiry } from './expiry.ts';
import type { EngineState, NodeFacts, PlaneFacts, ViewFacts } from './facts.ts';

export interface HealthInput {
  readonly nowMs: number;
  readonly node: NodeFacts | undefined;
  /** why the node does not answer; undefined while it does */
  readonly nodeTrouble: string | undefined;
  readonly view: ViewFacts | undefined;
  /** trust.max_view_age_s */
  readonly maxViewAgeMs: number;
  readonly plane: PlaneFacts | undefined;
  /** undefined where no containers are offered */
  readonly engine: EngineState | undefined;
  readonly offersContainers: boolean;
  /** blocks since the oldest confirmation became due, 0 where none is late */
  readonly lateBlocks: bigint;
  readonly expiries: readonly Expiry[];
  /** the watch has told of a whole block */
  readonly hasSeenBlock: boolean;
}

export interface HealthCheck {
  readonly name: 'chain' | 'view' | 'data_plane' | 'engine' | 'confirmations' | 'certificates';
  readonly ok: boolean;
  /** how it stands, for people */
  readonly message: string;
}

export interface Health {
  readonly ok: boolean;
  readonly checks: readonly HealthCheck[];
}

/** Without a new block for so long the chain, or the link to it, stands still. */
export const maxBlockAgeMs = 120_000;
/** A confirmation may wait for a block or two; later than this it is in danger. */
export const maxLateBlocks = 10n;

export function health(input: HealthInput): Health {
  const checks = [
    chainCheck(input),
    viewCheck(input),
    planeCheck(input),
    ...engineCheck(input),
    confirmationCheck(input),
    certificateCheck(input),
  ];
  return { ok: checks.every(({ ok }) => ok), checks };
}

/** It has read the chain and can serve: what a start waits for. */
export function isReady({ hasSeenBlock, plane }: HealthInput): boolean {
  return hasSeenBlock && plane?.up === true;
}

function chainCheck({ node, nodeTrouble, nowMs }: HealthInput): HealthCheck {
  const name = 'chain';
  if (node === undefined) return { name, ok: false, message: nodeTrouble ?? 'the node has not answered yet' };
  const ageMs = nowMs - node.blockTimeMs;
  const age = `block ${node.height} is ${seconds(ageMs)} old`;
  if (nodeTrouble !== undefined) return { name, ok: ageMs <= maxBlockAgeMs, message: `${age}; ${nodeTrouble}` };
  if (node.catchingUp) return { name, ok: false, message: `the node catches up with the chain; ${age}` };
  return { name, ok: ageMs <= maxBlockAgeMs, message: age };
}

function viewCheck({ view, maxViewAgeMs, nowMs }: HealthInput): HealthCheck {
  const name = 'view';
  if (view === undefined) return { name, ok: false, message: 'no block has been proved yet' };
  const ageMs = nowMs - view.blockTimeMs;
  const message = `the newest proved block, ${view.height}, is ${seconds(ageMs)} old; at most ${seconds(maxViewAgeMs)} are taken`;
  return { name, ok: ageMs <= maxViewAgeMs, message };
}

function planeCheck({ plane }: HealthInput): HealthCheck {
  const name = 'data_plane';
  if (plane?.up !== true)
    return { name, ok: false, message: 'the data plane does not answer: requests are not served' };
  return { name, ok: true, message: `process ${plane.pid} serves` };
}

function engineCheck({ engine, offersContainers }: HealthInput): HealthCheck[] {
  if (!offersContainers) return [];
  const name = 'engine';
  if (engine?.up === true) return [{ name, ok: true, message: 'the container engine answers' }];
  const why = engine === undefined ? 'it has not been asked yet' : engine.reason;
  return [{ name, ok: false, message: `the container engine does not answer: ${why}` }];
}

function confirmationCheck({ lateBlocks }: HealthInput): HealthCheck {
  const message =
    lateBlocks === 0n ? 'leases are confirmed in time' : `a lease should have been confirmed ${lateBlocks} blocks ago`;
  return { name: 'confirmations', ok: lateBlocks <= maxLateBlocks, message };
}

function certificateCheck({ expiries }: HealthInput): HealthCheck {
  const due = expiries.filter(({ level }) => level !== 'fine').map(({ text }) => text);
  return {
    name: 'certificates',
    ok: expiries.every(({ level }) => level !== 'over'),
    message: due.length === 0 ? 'all hold' : due.join('; '),
  };
}

const seconds = (ms: number): string => `${Math.max(0, Math.round(ms / 1000))} s`;
