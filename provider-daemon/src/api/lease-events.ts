/** The whole vocabulary of what a tenant is told about a lease, in the order in which it happens; the API's JSON is exactly this. */

/** How a workload came to an end, by what ran it. */
export interface InstanceEnd {
  readonly service: string;
  /** From 0. */
  readonly instance: number;
  /** `exit code 3`, `killed at its memory limit`, … */
  readonly reason: string;
}

export type LeaseEvent =
  /** A manifest has come, was checked against the chain, and is stored. */
  | {
      readonly type: 'manifest-received';
      readonly revision: string;
      /** Providers that handed it on; absent where its user did. */
      readonly from?: readonly string[];
    }
  | { readonly type: 'image-pulled'; readonly service: string; readonly image: string }
  /** The workloads run and answer, for the first time or after a pause or a restart of the provider. */
  | { readonly type: 'started'; readonly revision: string; readonly endpoints: readonly string[] }
  | { readonly type: 'updated'; readonly revision: string; readonly endpoints: readonly string[] }
  /** Nothing of the revision runs. */
  | { readonly type: 'start-failed'; readonly revision: string; readonly reason: string }
  /** A newer revision did not come up; the one before runs on. */
  | { readonly type: 'rolled-back'; readonly revision: string; readonly to: string; readonly reason: string }
  | ({ readonly type: 'instance-ended' } & InstanceEnd)
  | ({ readonly type: 'memory-kill' } & InstanceEnd)
  | { readonly type: 'restarted'; readonly service: string; readonly instance: number; readonly restarts: number }
  | { readonly type: 'unhealthy'; readonly service: string; readonly instance: number }
  | { readonly type: 'healthy'; readonly service: string; readonly instance: number }
  /** The escrow is empty: the workloads are stopped, volumes and databases stay. */
  | { readonly type: 'paused' }
  | { readonly type: 'resumed' }
  /** The chain has the provider's word that it serves: the first time, and after it was late. */
  | { readonly type: 'confirmed'; readonly height: string }
  /** The chain did not take the provider's word; it is sent again. */
  | { readonly type: 'confirmation-late' }
  | {
      readonly type: 'usage-reported';
      readonly sequence: string;
      readonly from_height: string;
      readonly to_height: string;
      /** Root of the request lines of the period, hex. */
      readonly log_root: string;
    };

export type LeaseEventType = LeaseEvent['type'];

/** Every type, for readers of the API. */
export const leaseEventTypes = [
  'manifest-received',
  'image-pulled',
  'started',
  'updated',
  'start-failed',
  'rolled-back',
  'instance-ended',
  'memory-kill',
  'restarted',
  'unhealthy',
  'healthy',
  'paused',
  'resumed',
  'confirmed',
  'confirmation-late',
  'usage-reported',
] as const satisfies readonly LeaseEventType[];
