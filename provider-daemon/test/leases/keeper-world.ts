import type { ChainClient, CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import type { Sender } from '@mu/client/chain/sender';
import { DeploymentState } from '@mu/proto/deployment';
import { type CloseReason, Lease, LeaseState, Order } from '@mu/proto/market';
import { pino } from 'pino';
import type { Journal, LeaseRecord, ManifestRecord } from '../../src/journal/journal.ts';
import { LeaseKeeper } from '../../src/leases/lease-keeper.ts';
import type { LeaseRunner } from '../../src/leases/lease-runner.ts';
import type { ManifestStore } from '../../src/manifests/manifest-store.ts';
import type { UsageReporter } from '../../src/usage/usage-reporter.ts';

const provider = 'mu1provider';

/** An active lease of this provider, of the deployment with the same number. */
export const lease = (number: bigint, change: Partial<Lease> = {}): Lease =>
  Lease.fromPartial({
    number,
    provider,
    order: { owner: 'mu1owner', dseq: number, infrastructure: 0, round: 1 },
    state: LeaseState.LEASE_STATE_ACTIVE,
    createdHeight: 5n,
    paidThrough: 5n,
    ...change,
  });

/** A lease that ended at height 8. */
export const ended = (number: bigint, reason: CloseReason, state: LeaseState = LeaseState.LEASE_STATE_CLOSED): Lease =>
  lease(number, { state, closeReason: reason, closedHeight: 8n });

/** A manifest that is held, revision 1. */
export const record = (dseq: bigint): ManifestRecord => ({
  owner: 'mu1owner',
  dseq,
  revision: 1n,
  folder: '',
  version: new Uint8Array(32),
  infrastructures: ['main'],
});

/** A lease keeper, and all that is around it in memory: what happened is read here, and what is to happen is set here. */
export class KeeperWorld {
  onChain: Lease[] = [];
  held: ManifestRecord[] = [];
  started: LeaseRecord[] = [];
  /** Deployments that stand on the chain, and are active. */
  deployed: bigint[] = [];
  sent: { typeUrl: string; value: unknown }[] = [];
  ran: string[] = [];
  fails = false;
  /** how long a start takes */
  starting: Promise<void> = Promise.resolve();
  engineIsAway = false;
  diskIsFull = false;
  diskIsBroken = false;
  /** what stands sealed on the chain, and of which deployments it was asked for */
  sealed: ManifestRecord | Error | Promise<undefined> | undefined;
  asked: bigint[] = [];
  /** leases whose usage was looked at, to be reported */
  ticked: bigint[] = [];
  readonly keeper: LeaseKeeper;

  constructor() {
    this.keeper = new LeaseKeeper({
      provider,
      client: this.#client() as unknown as ChainClient,
      sender: this.#sender() as unknown as Sender,
      journal: { leases: this.#journal() } as unknown as Journal,
      manifests: this.#manifests() as unknown as ManifestStore,
      runner: this.#runner() as unknown as LeaseRunner,
      usage: this.#usage() as unknown as UsageReporter,
      rules: { confirmEveryBlocks: 10n },
      serveGraceBlocks: 100n,
      onEnd: (number) => this.ran.push(`end ${number}`),
      takeSealed: (_owner, dseq) => {
        this.asked.push(dseq);
        return this.sealed instanceof Error ? Promise.reject(this.sealed) : Promise.resolve(this.sealed);
      },
      log: pino({ level: 'silent' }),
    });
  }

  lastSent(): unknown {
    return this.sent.at(-1)?.value;
  }

  /** Lets what was sent be answered. */
  async settle(): Promise<void> {
    await this.keeper.settled();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #client() {
    return {
      market: {
        order: () => Promise.resolve({ order: Order.fromPartial({ spec: { name: 'main' } }) }),
        lease: ({ number }: { number: bigint }) => {
          const found = this.onChain.find((one) => one.number === number);
          if (found === undefined) return Promise.reject(new ChainError('no such lease', { code: 38, notFound: true }));
          return Promise.resolve({ lease: found });
        },
        leases: (of: { provider: string; owner: string; dseq: bigint }) =>
          Promise.resolve({
            leases: this.onChain.filter((one) => one.provider === of.provider && one.order?.dseq === of.dseq),
          }),
      },
      deployment: {
        deployment: ({ dseq }: { dseq: bigint }) => {
          if (!this.deployed.includes(dseq))
            return Promise.reject(new ChainError('none', { code: 38, notFound: true }));
          return Promise.resolve({ deployment: { state: DeploymentState.DEPLOYMENT_STATE_ACTIVE } });
        },
      },
    };
  }

  #sender() {
    return {
      address: 'mu1operator',
      sendAndWait: (messages: { typeUrl: string; value: unknown }[]) => {
        if (this.fails) return Promise.reject(new Error('away'));
        this.sent.push(...messages);
        return Promise.resolve({ height: 9, data: new Uint8Array() } as CommittedTx);
      },
    };
  }

  #journal() {
    return {
      get: () => undefined,
      all: () => this.started,
      put: () => undefined,
      delete: (number: bigint) => {
        this.started = this.started.filter((one) => one.lease !== number);
      },
    };
  }

  #runner() {
    return {
      poll: () => (this.diskIsFull ? Promise.reject(new Error('no space left')) : Promise.resolve()),
      sweep: async (isOver: (lease: bigint) => Promise<boolean>) => {
        for (const number of [1n, 2n, 3n, 4n]) if (await isOver(number)) this.ran.push(`swept ${number}`);
      },
      start: async (place: { lease: bigint }, _lease: Lease, { revision }: { revision: bigint }) => {
        this.ran.push(`start ${place.lease}/${revision}`);
        await this.starting;
        return ['http://a'];
      },
      stop: (number: bigint) => {
        this.ran.push(`stop ${number}`);
        return this.engineIsAway ? Promise.reject(new Error('the engine is away')) : Promise.resolve();
      },
      erase: () => Promise.resolve(),
    };
  }

  #usage() {
    return {
      tick: ({ number }: Lease) => {
        this.ticked.push(number);
        return this.diskIsFull ? Promise.reject(new Error('no space left')) : Promise.resolve();
      },
      finish: () => Promise.resolve(),
      owing: () => [],
    };
  }

  #manifests() {
    return {
      list: () => this.held,
      record: ({ dseq }: ManifestRecord) => this.held.find((one) => one.dseq === dseq),
      remove: (one: ManifestRecord) => {
        if (this.diskIsBroken) throw new Error('EIO');
        this.held = this.held.filter((other) => other !== one);
      },
      keepUntil: (one: ManifestRecord, eraseAt: bigint | undefined) => {
        const { eraseAt: _before, ...rest } = one;
        const kept = { ...rest, ...(eraseAt === undefined ? {} : { eraseAt }) };
        this.held = this.held.map((other) => (other === one ? kept : other));
      },
      inGrace: () => this.held.filter(({ eraseAt }) => eraseAt !== undefined),
    };
  }
}
