/** In which part of a lease's life each fault point is met. */
import type { FaultPoint, PeerPoint } from '@mu/provider-daemon/faults/fault-points';

/** What the tenant is about when the process dies. */
export type Phase =
  | 'deploy'
  | 'sealed'
  | 'serve'
  | 'serve-plane'
  | 'update'
  | 'scale-up'
  | 'scale-down'
  | 'pause'
  | 'resume'
  | 'end';

/** Points that one provider meets by itself; provider-daemon/test/manifests tries the others. */
export type KillPoint = Exclude<FaultPoint, PeerPoint>;

export const phaseOf: Readonly<Record<KillPoint, Phase>> = {
  'order.heard': 'deploy',
  'bid.decided': 'deploy',
  'bid.sending': 'deploy',
  'bid.sent': 'deploy',
  'bid.committed': 'deploy',
  'lease.heard': 'deploy',
  'manifest.arriving': 'deploy',
  'manifest.head': 'deploy',
  'manifest.file': 'deploy',
  'manifest.whole': 'deploy',
  'manifest.placed': 'deploy',
  'manifest.entered': 'deploy',
  'manifest.unsealed': 'sealed',
  'lease.starting': 'deploy',
  'network.making': 'deploy',
  'network.made': 'deploy',
  'volume.reserved': 'deploy',
  'volume.made': 'deploy',
  'volume.mounted': 'deploy',
  'image.loaded': 'deploy',
  'container.created': 'deploy',
  'container.started': 'deploy',
  'container.ready': 'deploy',
  'plane.opening': 'deploy',
  'plane.opened': 'deploy',
  'plane.served': 'deploy',
  'lease.noting': 'deploy',
  'lease.noted': 'deploy',
  'confirmation.sending': 'deploy',
  'confirmation.committed': 'deploy',
  'usage.counting': 'serve',
  'usage.counted': 'serve',
  'report.signed': 'serve',
  'report.written': 'serve',
  'report.sent': 'serve',
  'report.taken': 'serve',
  'update.begun': 'update',
  'update.ready': 'update',
  'update.served': 'update',
  'update.replaced': 'update',
  'scale.up': 'scale-up',
  'scale.down': 'scale-down',
  'lease.pausing': 'pause',
  'lease.paused': 'pause',
  'lease.resuming': 'resume',
  'end.begun': 'end',
  'end.stopped': 'end',
  'end.reported': 'end',
  'end.erased': 'end',
  'end.forgotten': 'end',
  'totals.flushing': 'serve-plane',
  'totals.flushed': 'serve-plane',
  'routes.set': 'serve-plane',
};
