/** One request and what it has to do with: its deployment, limits, counters. */
import type { Duplex } from 'node:stream';
import type { WorkloadLog } from '../workloads/driver.ts';
import type { Admission, Slots } from './admission.ts';
import { type Refusal, refuse } from './answers.ts';
import type { BodyBudget } from './body.ts';
import type { Call } from './call.ts';
import type { GatewayLimits } from './limits.ts';
import type { GatewayService, RouteMatch, RouteTable } from './routes.ts';
import type { Target } from './target.ts';
import type { UpstreamAgents } from './upstream-agents.ts';
import type { Balancer } from './upstreams.ts';
import type { GatewayMeter } from './usage.ts';
import type { Websockets } from './websockets.ts';

/** A deployment's part of the gateway. */
export interface Deployment {
  service: GatewayService;
  table: RouteTable;
  readonly meter: GatewayMeter;
  readonly slots: Slots;
  readonly bodies: BodyBudget;
  /** By the name of the workload. */
  readonly balancers: Map<string, Balancer>;
  readonly websockets: Websockets;
}

/** What all exchanges share. */
export interface Surroundings {
  readonly limits: GatewayLimits;
  readonly admission: Admission;
  readonly agents: UpstreamAgents;
  readonly log: WorkloadLog;
  readonly now: () => number;
}

export interface Exchange {
  readonly call: Call;
  readonly target: Target;
  /** Without a deployment's prefix, as the client spelled it. */
  readonly path: string;
  /** What was taken off the path; empty where nothing was. */
  readonly prefix: string;
  readonly deployment: Deployment;
  readonly around: Surroundings;
  /** The client asks to go on as a websocket: the connection's bytes from then on. */
  readonly upgrade?: { readonly socket: Duplex; readonly head: Buffer };
}

/** Runs work in one of the deployment's places, or refuses. */
export async function inPlace(exchange: Exchange, work: () => Promise<void>): Promise<void> {
  const { around, deployment, call } = exchange;
  const entered = around.admission.enter(deployment.slots);
  const refusal = entered instanceof Promise ? await entered : entered;
  if (refusal !== undefined) return decline(exchange, refusal);
  try {
    if (!call.closed) await work();
  } finally {
    around.admission.leave(deployment.slots);
  }
}

/** The name of the function or the workload that a route leads to, with its deployment: for log lines. */
export function calleeOf({ deployment }: Exchange, { route }: RouteMatch) {
  return { deployment: deployment.service.deployment, service: route.to.name };
}

export function countIn({ call, deployment }: Exchange, bytes: number): void {
  call.bodyBytes += bytes;
  deployment.meter.addBytes(bytes);
}

export function countOut({ call, deployment }: Exchange, bytes: number): void {
  call.answerBytes += bytes;
  deployment.meter.addBytes(bytes);
}

/** Refuses; a body that is still being sent is not waited for. */
export function decline(exchange: Exchange, refusal: Refusal): void {
  const { call } = exchange;
  if (!call.bodyComplete && call.hasBody) call.last = true;
  exchange.deployment.meter.addBytes(refuse(call, refusal));
}
