/**
 * What links a lease's workloads with those of the deployment's other infrastructures, as the data plane is told: tunnels to
 * other nodes, and neighbours, leases of the same deployment on this machine. Plain data that goes through a socket: numbers
 * of 64 bits are texts, bytes are base64.
 */
import type { WorkloadName } from '../overlay/admission.ts';
import type { TunnelCredentials } from '../overlay/certificates.ts';
import type { ContainerPort } from '../workloads/driver.ts';

/**
 * A connection to a workload of another infrastructure, as a caller knows it: `<workload>/<connection>`. Several providers
 * may answer it, each by a link of its own.
 */
export type FarName = string;

/** What the chain and the manifest say of a tunnel's peer: `AdmissionFacts` as plain data. */
export interface ServedFacts {
  readonly roots: readonly {
    readonly certificate: string;
    readonly validFromHeight: string;
    readonly validToHeight: string;
  }[];
  readonly node?: {
    readonly publicKey: string;
    readonly validFromHeight: string;
    readonly validToHeight: string;
    readonly removedHeight: string;
  };
  readonly leases: readonly {
    readonly provider: string;
    readonly infrastructure: string;
    readonly standing: 'active' | 'out_of_funds' | 'broken' | 'closed';
    /** Its provider confirms that the workloads run: whoever waits for them tries again. */
    readonly isRunning: boolean;
  }[];
}

/** The other end of a tunnel; `TunnelName` as plain data. */
export interface ServedEnd extends WorkloadName {
  readonly chainId: string;
  readonly provider: string;
  readonly nodeId: string;
  readonly owner: string;
  readonly dseq: string;
}

/** One tunnel of a lease, with all that is needed to hold it without the chain. */
export interface ServedTunnel {
  /** Of `tunnelLabel`: its name at both ends. */
  readonly label: string;
  readonly role: 'caller' | 'callee';
  /** Name of the declared connection. */
  readonly connection: string;
  readonly protocol: ContainerPort['protocol'];
  /** Of the callee's instances. */
  readonly port: number;
  readonly own: WorkloadName;
  readonly peer: ServedEnd;
  /** Where the peer's provider listens; absent: it is only waited for. */
  readonly dial?: { readonly host: string; readonly port: number };
  readonly credentials: TunnelCredentials;
  readonly facts: ServedFacts;
}

/** A callee that another lease of this machine serves; where it answers, and whom, is that lease's to say (`ServedOffer`). */
export interface ServedNeighbour {
  readonly far: FarName;
  readonly protocol: ContainerPort['protocol'];
  /** The other lease. */
  readonly lease: string;
  /** Who calls. */
  readonly caller: WorkloadName;
}

/** A workload of a lease that others of this machine may call: as its manifest says, as with the peer of a tunnel. */
export interface ServedOffer {
  readonly far: FarName;
  readonly protocol: ContainerPort['protocol'];
  readonly service: string;
  readonly port: number;
  readonly callers: readonly WorkloadName[];
}

/** All links of one lease. */
export interface ServedLinks {
  /** A caller tries those of one far name in this order. */
  readonly tunnels: readonly ServedTunnel[];
  readonly neighbours: readonly ServedNeighbour[];
  /** Absent: no lease of this machine may call. */
  readonly offers?: readonly ServedOffer[];
}

/** The newest proved height, and when it was proved, in milliseconds since 1970. */
export interface ServedView {
  readonly height: string;
  readonly verifiedAtMs: number;
}

/** Of a callee's workload and the name of its connection: names have no `/`. */
export const farName = (workload: string, connection: string): FarName => `${workload}/${connection}`;
