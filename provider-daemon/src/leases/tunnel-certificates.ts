/** Credentials of this node's ends of tunnels: one for each tunnel of a lease, kept until half of its life is over. */
import type { Surroundings } from '../identity/certificates.ts';
import type { Identity } from '../identity/identity.ts';
import { issueTunnel, type TunnelCredentials, type TunnelName, tunnelRenewalMs } from '../overlay/certificates.ts';

/** What credentials are for. */
export interface TunnelWish {
  /** Of `tunnelLabel`. */
  readonly label: string;
  /** This node's end. */
  readonly ownEnd: TunnelName;
}

/** What is needed of who this node is. */
export type Issuer = Pick<Identity, 'nodeKey'> & { readonly nodeCertificate: Pick<Identity['nodeCertificate'], 'der'> };

interface Issued {
  readonly credentials: TunnelCredentials;
  readonly by: Issuer;
}

export class TunnelCertificates {
  readonly #around: Surroundings;
  #issuer: Issuer;
  /** By lease and label. */
  readonly #issued = new Map<bigint, ReadonlyMap<string, Issued>>();

  constructor(issuer: Issuer, around: Surroundings) {
    this.#issuer = issuer;
    this.#around = around;
  }

  /** The node's certificate, or its key, is another one: what it signed before is not given out any more. */
  renew(issuer: Issuer): void {
    this.#issuer = issuer;
  }

  /**
   * By label: those that are kept, and new ones for tunnels that have none or an old one. Those of the lease's that are not
   * wished any more are forgotten.
   * @throws Error where the node's certificate is not of this node
   */
  async of(lease: bigint, wishes: readonly TunnelWish[]): Promise<ReadonlyMap<string, TunnelCredentials>> {
    const kept = this.#issued.get(lease);
    const issued = new Map<string, Issued>();
    for (const { label, ownEnd } of wishes) {
      const known = kept?.get(label);
      issued.set(label, known !== undefined && this.#isGood(known) ? known : await this.#issue(ownEnd));
    }
    this.#issued.set(lease, issued);
    return new Map([...issued].map(([label, { credentials }]) => [label, credentials]));
  }

  /** A lease is over. */
  forget(lease: bigint): void {
    this.#issued.delete(lease);
  }

  #isGood({ credentials, by }: Issued): boolean {
    return by === this.#issuer && this.#around.now() < tunnelRenewalMs(credentials);
  }

  async #issue(name: TunnelName): Promise<Issued> {
    const by = this.#issuer;
    const { nodeKey, nodeCertificate } = by;
    const credentials = await issueTunnel({ nodeKey, nodeCertificate: nodeCertificate.der, name }, this.#around);
    return { credentials, by };
  }
}
