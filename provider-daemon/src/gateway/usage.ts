/** Counts what passes through the gateway for one deployment. */

export interface GatewayUsage {
  /** Every request for the deployment, whatever its answer. */
  readonly requests: bigint;
  /** Bytes of request bodies taken and of response bodies given; headers are not counted. */
  readonly bytes: bigint;
}

export class GatewayMeter {
  #requests = 0n;
  #bytes = 0n;
  #taken: GatewayUsage = { requests: 0n, bytes: 0n };

  addRequest(): void {
    this.#requests += 1n;
  }

  addBytes(count: number): void {
    this.#bytes += BigInt(count);
  }

  /** Never falls. */
  total(): GatewayUsage {
    return { requests: this.#requests, bytes: this.#bytes };
  }

  /** What came since the last time. */
  take(): GatewayUsage {
    const total = this.total();
    const before = this.#taken;
    this.#taken = total;
    return { requests: total.requests - before.requests, bytes: total.bytes - before.bytes };
  }
}
