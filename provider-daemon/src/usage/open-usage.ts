/** The reports of usage as the daemon has them: signed by its node, with the roots of the request logs. */
import type { Sender } from '@mu/client/chain/sender';
import type { TenantDesk } from '../api/tenant-desk.ts';
import type { Foundation } from '../foundation.ts';
import { signUsageReport } from '../identity/identity.ts';
import type { LeaseRunner } from '../leases/lease-runner.ts';
import { UsageReporter } from './usage-reporter.ts';

export interface UsageParts {
  readonly sender: Sender;
  readonly desk: TenantDesk;
  readonly runner: LeaseRunner;
}

export function openUsage({ config, client, journal, identity, log }: Foundation, parts: UsageParts): UsageReporter {
  const { sender, desk, runner } = parts;
  return new UsageReporter({
    client,
    sender,
    journal,
    nodeId: identity.name.nodeId,
    sign: (report) => signUsageReport(identity, report),
    takeLogRoot: (lease) => desk.takeLogRoot(lease),
    onReported: (report) => desk.reported(report),
    takeUsage: (lease, height) => runner.takeUsage(lease, height),
    totals: (lease) => runner.totals(lease),
    reportEveryBlocks: config.usage.reportEveryBlocks,
    log: log.child({ part: 'usage' }),
  });
}
