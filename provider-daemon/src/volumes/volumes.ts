/**
 * Volumes (design §7): file systems of fixed size in files, mounted by loop devices. A volume is local to one lease; it
 * survives restarts, updates, want of funds and notice, is kept for a while after the lease's end, then erased.
 */

/** Which volume. */
export interface VolumeId {
  /** The lease's number, as text. */
  readonly deployment: string;
  readonly service: string;
  readonly instance: number;
  readonly name: string;
}

export interface Volumes {
  /**
   * Makes and mounts a volume, or finds it as it is.
   * @returns the folder of the host that is given to the container
   * @throws WorkloadError `failed` where the disk has no room for it, `invalid` where it stands with another size
   */
  ensure(
    id: VolumeId,
    options: { readonly bytes: number; readonly uid: number; readonly gid: number },
  ): Promise<string>;
  /** Bytes in use; 0 where it does not stand. */
  usedBytes(id: VolumeId): Promise<bigint>;
  /** The lease is over: its volumes are unmounted now and erased when `retentionMs` have passed. */
  retire(deployment: string, retentionMs: number): Promise<void>;
  /** Bytes of volumes whose lease is over and that are not erased yet. */
  retiredBytes(): Promise<bigint>;
  /** Unmounts a lease's volumes, which stay: the lease may live. */
  letGo(deployment: string): Promise<void>;
  /** Erases what is due. To be called from time to time. @throws the first trouble, once all that could be erased is */
  sweep(): Promise<void>;
  /** Leases of which volumes stand here, retired ones included. */
  list(): Promise<readonly string[]>;
}
