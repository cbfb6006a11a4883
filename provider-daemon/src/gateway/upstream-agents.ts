/** Connections to instances of workloads. */
import { Agent } from 'node:http';
import type { GatewayLimits } from './limits.ts';

/** Idle connections that are kept to one instance. */
const idlePerInstance = 64;

/** Handed on to `net.connect`. */
const halfOpen = { allowHalfOpen: true };

export class UpstreamAgents {
  /** Kept open between requests. */
  readonly requests: Agent;
  /** One for each websocket; either side may end its half first. */
  readonly upgrades: Agent;

  constructor({ upstreamKeepAliveMs }: Pick<GatewayLimits, 'upstreamKeepAliveMs'>) {
    this.requests = new Agent({
      keepAlive: true,
      maxFreeSockets: idlePerInstance,
      scheduling: 'lifo',
      timeout: upstreamKeepAliveMs,
    });
    this.upgrades = new Agent({ keepAlive: false, ...halfOpen });
  }

  close(): void {
    this.requests.destroy();
    this.upgrades.destroy();
  }
}
