/** Commands that show the market, providers and bills. */
import { Command } from 'commander';
import { run } from './run.ts';

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

/** mucli market: the order book. */
export function marketCommand(): Command {
  return new Command('market')
    .description('the order book: who asks for what, who bids, and the leases')
    .option('--region <region>', 'of this region alone')
    .option('--order <id>', 'one order with all its bids: OWNER/DSEQ/INFRASTRUCTURE/ROUND')
    .option('--limit <number>', 'how many orders and leases', '20')
    .option('--all', 'all of them')
    .action(
      run(async (session, _args, flags) => (await import('./commands/market.ts')).showMarket(session, flags as never)),
    );
}

/** mucli bill DSEQ, mucli bill verify DSEQ. */
export function billCommand(): Command {
  const bill = new Command('bill')
    .argument('<dseq>')
    .description('every line of a deployment’s bill, with its evidence')
    .option('--owner <address>', 'owner of the deployment; yourself where absent')
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/bill.ts')).showBill(session, dseq, flags['owner'] as string | undefined),
      ),
    );
  bill
    .command('verify <dseq>')
    .description('recompute the bill without trust: from proved leases, price lists and nodes')
    .option('--owner <address>', 'owner of the deployment; yourself where absent')
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/bill.ts')).verifyBill(session, dseq, flags['owner'] as string | undefined),
      ),
    );
  return bill;
}

/** mucli runway DSEQ. */
export function runwayCommand(): Command {
  return new Command('runway')
    .argument('<dseq>')
    .description('how long the funds of a deployment last')
    .option('--owner <address>', 'owner of the deployment; yourself where absent')
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/runway.ts')).showRunway(session, dseq, flags['owner'] as string | undefined),
      ),
    );
}

/** mucli provider list. */
export function providerCommand(): Command {
  const provider = new Command('provider').description('who offers servers');
  provider
    .command('list')
    .description('active providers; by price, the cheapest first, where a metric is named')
    .option('--region <region>', 'that serve this region')
    .option('--attribute <key=value>', 'that state this of themselves; more than once for all of them', collect)
    .option('--metric <metric>', 'that sell this metric')
    .option('--max-price <price>', 'for at most this, in umu')
    .option('--per <units>', 'base units that --max-price is for', '1')
    .option('--state <state>', 'active, leaving, gone', 'active')
    .option('--limit <number>', 'how many', '100')
    .option('--page-key <key>', 'go on where a page ended')
    .option('--all', 'all of them')
    .action(
      run(async (session, _args, flags) =>
        (await import('./commands/provider.ts')).listProviders(session, flags as never),
      ),
    );
  return provider;
}
