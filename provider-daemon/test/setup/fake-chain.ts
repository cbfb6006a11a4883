/** A registry that keeps what messages say, in a block each, by the rules of x/provider that registration and rotation lean on. */
import type { EncodeObject } from '@cosmjs/proto-signing';
import type { CommittedTx } from '@mu/client/chain/chain-client';
import { ChainError } from '@mu/client/chain/errors';
import { equalBytes } from '@mu/lib/bytes';
import { Deployment } from '@mu/proto/deployment';
import { Lease } from '@mu/proto/market';
import {
  type EncryptionKey,
  type MetricPrice,
  type MsgAddNode,
  type MsgPublishPriceList,
  type MsgRegisterProvider,
  type MsgRemoveNode,
  type MsgUpdateProvider,
  Node,
  PriceList,
  Provider,
  ProviderState,
} from '@mu/proto/provider';
import type { RotationChain } from '../../src/rotation/rotation.ts';

export class FakeChain {
  blocks = 100;
  record: Provider | undefined;
  nodes: Node[] = [];
  readonly lists: MetricPrice[][] = [];
  deployments: Deployment[] = [];
  leases: Lease[] = [];
  /** type names of all messages that were taken, and who signed */
  readonly took: string[] = [];

  /** As the programs ask it: each look is a block later. */
  get client(): RotationChain {
    const { provider, ...others } = this.#queries();
    return { height: () => Promise.resolve(++this.blocks), provider, ...others } as unknown as RotationChain;
  }

  #queries() {
    return {
      provider: {
        provider: () => {
          if (this.record === undefined) return Promise.reject(missing());
          return Promise.resolve({ provider: structuredClone(this.record) });
        },
        priceList: ({ version }: { version: bigint }) =>
          Promise.resolve({ priceList: PriceList.fromPartial({ prices: this.lists[Number(version) - 1] ?? [] }) }),
        nodes: () => Promise.resolve({ nodes: structuredClone(this.nodes), pagination: undefined }),
      },
      deployment: { deployments: () => Promise.resolve({ deployments: this.deployments, pagination: undefined }) },
      market: {
        lease: ({ number }: { number: bigint }) =>
          Promise.resolve({ lease: this.leases.find((lease) => lease.number === number) }),
      },
      billing: { usage: () => Promise.resolve({ records: [] }) },
    };
  }

  sender(address: string) {
    return {
      address,
      sendAndWait: (messages: readonly EncodeObject[]): Promise<CommittedTx> => {
        for (const { typeUrl, value } of messages)
          this.#take(typeUrl.slice(typeUrl.lastIndexOf('.') + 1), value, address);
        return Promise.resolve({ height: ++this.blocks, hash: 'AA' } as CommittedTx);
      },
    };
  }

  #take(name: string, value: unknown, signer: string): void {
    const { owner = signer } = value as { owner?: string };
    if (owner !== signer) throw new Error(`${name} is ${owner}'s to sign, not ${signer}'s`);
    switch (name) {
      case 'MsgRegisterProvider':
        this.#register(value as MsgRegisterProvider);
        break;
      case 'MsgUpdateProvider':
        this.#checkKeys((value as MsgUpdateProvider).encryptionKeys);
        this.record = Provider.fromPartial({ ...this.#active(), ...(value as MsgUpdateProvider) });
        break;
      case 'MsgPublishPriceList':
        this.#publish((value as MsgPublishPriceList).prices);
        break;
      case 'MsgAddNode': {
        const { owner: provider, ...node } = value as MsgAddNode;
        if (this.nodes.some(({ nodeId }) => nodeId === node.nodeId)) throw new Error('node exists already');
        this.nodes.push(Node.fromPartial({ ...node, provider }));
        break;
      }
      case 'MsgRemoveNode': {
        const { nodeId, reason } = value as MsgRemoveNode;
        this.nodes = this.nodes.map((node) =>
          node.nodeId === nodeId ? { ...node, removedHeight: BigInt(this.blocks), removalReason: reason } : node,
        );
        break;
      }
      default:
        break;
    }
    this.took.push(name);
  }

  #register(message: MsgRegisterProvider): void {
    if (this.record !== undefined && this.record.state !== ProviderState.PROVIDER_STATE_GONE)
      throw new Error('provider is registered already');
    this.#checkKeys(message.encryptionKeys);
    const { prices, ...stated } = message;
    this.record = Provider.fromPartial({
      ...stated,
      priceListVersion: this.record?.priceListVersion ?? 0n,
      state: ProviderState.PROVIDER_STATE_ACTIVE,
    });
    if (prices.length > 0) this.#publish(prices);
  }

  #publish(prices: readonly MetricPrice[]): void {
    if (prices.length === 0) throw new Error('a list has at least one price');
    this.lists.push([...prices]);
    this.record = { ...this.#active(), priceListVersion: BigInt(this.lists.length) };
  }

  #active(): Provider {
    if (this.record?.state !== ProviderState.PROVIDER_STATE_ACTIVE) throw new Error('provider is not active');
    return this.record;
  }

  /** An id is for one key for ever, and the highest stays until a higher one comes. */
  #checkKeys(keys: readonly EncryptionKey[]): void {
    const before = this.record?.encryptionKeys ?? [];
    const last = Math.max(-1, ...before.map(({ keyId }) => keyId));
    for (const { keyId, publicKey } of keys) {
      const standing = before.find((one) => one.keyId === keyId);
      if (standing === undefined ? keyId <= last : !equalBytes(standing.publicKey, publicKey))
        throw new Error(`key_id ${keyId} is for one key only`);
    }
    if (last >= 0 && keys.every(({ keyId }) => keyId < last)) throw new Error('the last encryption key stays');
  }
}

function missing(): ChainError {
  return new ChainError('not found', { code: 5, notFound: true });
}

export const deploymentSealedTo = (provider: string, keyId: number): Deployment =>
  Deployment.fromPartial({ id: { owner: 'mu1tenant', dseq: 7n }, sealedManifest: { provider, keyId } });

export const leaseOf = (number: bigint, closedHeight = 0n): Lease =>
  Lease.fromPartial({ number, createdHeight: 40n, closedHeight });
