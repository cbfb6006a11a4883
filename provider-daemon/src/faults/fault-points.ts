/**
 * Points in a lease's life at which a test can end the process as a loss of power would. `MU_FAULT=<point>` has the process
 * kill itself by SIGKILL when it reaches the point, `MU_FAULT=<point>:3` when it reaches it for the third time. In
 * production nobody sets it, and a point costs one comparison.
 *
 * With `MU_FAULT_MARK=<file>` it happens once, whoever inherits the environment: who dies makes the file first, and where
 * the file is there nobody dies any more.
 */
import { writeFileSync, writeSync } from 'node:fs';

/** Every point, and the step of a lease's life that it stands for. */
export const faultPoints = {
  'order.heard': 'an order was heard of, nothing has been decided',
  'bid.decided': 'it was decided what to bid, nothing has been sent',
  'bid.sending': 'right before a bid is signed and broadcast',
  'bid.sent': 'the node has the bid, no block has',
  'bid.committed': 'the bid is in a block, the daemon has not noted it',
  'lease.heard': 'the bid has won, the lease is known here',
  'manifest.arriving': 'a tenant hands the manifest over, nothing has been read',
  'manifest.head': 'the head has been checked, no file has come',
  'manifest.file': 'a file of the manifest is on the disk',
  'manifest.whole': 'all of the manifest has come and is right, nothing names it yet',
  'manifest.placed': 'the manifest’s folder has its name, the journal has no entry of it',
  'manifest.entered': 'the journal has the entry, the tenant has no answer',
  'manifest.merged': 'files of a second delivery stand beside what was held, they do not count yet',
  'manifest.adopted': 'the folder of a manifest from peers has its name, the journal has no entry of it',
  'manifest.piece': 'a piece from a peer is on the disk, nothing says so',
  'manifest.claimed': 'a file has come whole, the journal does not know what can be started now',
  'manifest.unsealed': 'a manifest that stood sealed on the chain has been opened, it is not stored',
  'lease.starting': 'the workloads of a lease are about to be started',
  'network.making': 'the rules of a workload’s network stand, the network does not',
  'network.made': 'the network stands, the host has no addresses in it yet',
  'volume.reserved': 'the bytes of a volume are reserved, it has no file system',
  'volume.made': 'the file system of a volume stands, it has not been mounted',
  'volume.mounted': 'a volume is mounted, no container has it',
  'image.loaded': 'the engine has the image, no container is made of it',
  'container.created': 'a container is made, it has not been started',
  'container.started': 'a container has been started, it has not come up',
  'container.ready': 'a container answers, nobody has been told',
  'plane.opening': 'right before the data plane opens the ways of a lease',
  'plane.opened': 'the ways stand, the containers do not',
  'plane.served': 'the data plane serves, the daemon has noted nothing',
  'lease.noting': 'all runs, the journal has no entry of it',
  'lease.noted': 'the journal knows what runs, the chain does not',
  'confirmation.sending': 'right before a confirmation is sent',
  'confirmation.committed': 'a confirmation is in a block, the daemon has not noted it',
  'usage.counting': 'usage was taken from what runs, the journal has not got it',
  'usage.counted': 'the journal has the usage',
  'report.signed': 'a usage report is signed, the journal has not got it',
  'report.written': 'the signed report is on the disk, it has not been sent',
  'report.sent': 'the node has the report, the daemon has no answer',
  'report.taken': 'the chain has taken the report, the journal has not noted it',
  'update.begun': 'a newer revision starts beside the one that runs',
  'update.ready': 'the new instance answers, the old one is still there',
  'update.served': 'requests go to the new version, the old one has not been removed',
  'update.replaced': 'the old instance has been removed, others still have to follow',
  'scale.up': 'one more instance of a workload has been made',
  'scale.down': 'an instance too many is about to be removed',
  'lease.pausing': 'a lease is out of funds, its workloads still run',
  'lease.paused': 'the workloads of a lease without funds have been stopped',
  'lease.resuming': 'there are funds again, nothing has been started',
  'end.begun': 'a lease is over, its workloads still run',
  'end.stopped': 'the workloads of a lease that is over are gone, its last usage is not reported',
  'end.reported': 'the last report is on its way, what the lease stored is still there',
  'end.erased': 'what the lease stored is erased, the journal still knows the lease',
  'end.forgotten': 'the manifest is erased, the journal still knows the lease',
  'totals.flushing': 'data plane: totals have been added up, the disk has not got them',
  'totals.flushed': 'data plane: the disk has the totals, nobody has been told',
  'routes.set': 'data plane: the doors of a lease are open, the daemon has no answer',
} as const;

export type FaultPoint = keyof typeof faultPoints;

/** Points that only a provider with peers comes to, or one that a manifest is handed to twice. */
export const peerPoints = [
  'manifest.merged',
  'manifest.adopted',
  'manifest.piece',
  'manifest.claimed',
] as const satisfies readonly FaultPoint[];
export type PeerPoint = (typeof peerPoints)[number];

/** Points in the data plane's process; all others are in the daemon's. */
export const dataPlanePoints: ReadonlySet<FaultPoint> = new Set(['totals.flushing', 'totals.flushed', 'routes.set']);

interface Armed {
  readonly point: FaultPoint;
  /** How often it is reached still, this process's end included. */
  left: number;
  readonly mark: string | undefined;
}

const armed = armedBy(process.env);

/**
 * What an environment asks for; undefined where it asks for nothing.
 * @throws Error for a point that is none
 */
export function armedBy(env: Readonly<Record<string, string | undefined>>): Armed | undefined {
  const wish = env['MU_FAULT'];
  if (wish === undefined || wish === '') return undefined;
  const [point = '', count = '1'] = wish.split(':');
  if (!Object.hasOwn(faultPoints, point)) throw new Error(`MU_FAULT: there is no fault point ${point}`);
  if (!/^[1-9]\d{0,5}$/.test(count)) throw new Error(`MU_FAULT: ${count} is not how often a point can be reached`);
  return { point: point as FaultPoint, left: Number(count), mark: env['MU_FAULT_MARK'] };
}

/** Says that the process has come to this point. Nothing happens unless a test wants it to end here. */
export function reach(point: FaultPoint): void {
  if (armed !== undefined && armed.point === point) count(armed);
}

function count(fault: Armed): void {
  fault.left -= 1;
  if (fault.left !== 0 || !isFirst(fault)) return;
  // By a call of the system: nothing that is buffered would be written any more.
  writeSync(2, `process ${process.pid} kills itself at the fault point ${fault.point}\n`);
  process.kill(process.pid, 'SIGKILL');
}

function isFirst({ mark, point }: Armed): boolean {
  if (mark === undefined) return true;
  try {
    writeFileSync(mark, `${point}\n`, { flag: 'wx', flush: true });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}
