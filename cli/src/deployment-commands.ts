/** Commands that sign for deployments, leases and providers. */
import { Command } from 'commander';
import { run, settingOption } from './run.ts';

/** tx MODULE MESSAGE: any message of a module, by its fields as options, a JSON file, or both. */
export function messageCommand(module: string): Command {
  return new Command(module)
    .argument('[words...]')
    .description(`any message of the ${module} module; without a name they are listed`)
    .allowUnknownOption()
    .action(run(async (session, words) => (await import('./commands/message.ts')).sendMessage(session, module, words)));
}

/** tx deployment …: what one wants to run. */
export function deploymentCommand(): Command {
  const deployment = messageCommand('deployment').description('what you want to run; any message of the module');
  deployment
    .command('create <stack>')
    .description('submit a stack file, deliver its manifest, end with the address')
    .option(...settingOption('region'))
    .option(...settingOption('max_price'))
    .option('--dseq <number>', 'sequence of the deployment; the next one where absent')
    .option('--deposit <amount>', 'first deposit into the escrow, in base units')
    .option('--timeout <blocks>', 'blocks to wait for a bid', '60')
    .option('--seal', 'put the manifest on the chain, sealed to the one provider that the stack chooses')
    .option('--watch', 'stay, and deliver the manifest again whenever a new provider takes over')
    .option('--detach', 'end as soon as the manifest is handed over: providers give it to one another')
    .option('--yes', 'sign without asking')
    .action(
      run(async (session, [stack = ''], flags) =>
        (await import('./commands/create.ts')).createDeployment(session, stack, flags as never),
      ),
    );
  deployment
    .command('update <stack>')
    .description('change a deployment by its stack file; shows what is ordered anew, and delivers the new manifest')
    .option(...settingOption('region'))
    .option(...settingOption('max_price'))
    .option('--dseq <number>', 'sequence of the deployment; the active one of the name in the stack where absent')
    .option('--timeout <blocks>', 'blocks to wait for providers to run it', '60')
    .option('--seal', 'put a new manifest on the chain, sealed to the one provider that the stack chooses')
    .option('--detach', 'end as soon as the manifest is handed over: providers give it to one another')
    .option('--yes', 'sign without asking')
    .action(
      run(async (session, [stack = ''], flags) =>
        (await import('./commands/update.ts')).updateDeployment(session, stack, flags as never),
      ),
    );
  deployment
    .command('cancel <dseq>')
    .description('end a deployment and its leases')
    .action(
      run(async (session, [dseq = '']) => (await import('./commands/deployment.ts')).cancelDeployment(session, dseq)),
    );
  const ways = {
    deposit: 'add coins to the escrow',
    withdraw: 'take coins out of the escrow: your share, above the reserve while it is open',
  } as const;
  for (const way of ['deposit', 'withdraw'] as const) {
    deployment
      .command(`${way} <dseq> <amount>`)
      .description(ways[way])
      .option('--owner <address>', 'owner of the deployment; yourself where absent')
      .action(
        run(async (session, [dseq = '', amount = ''], flags) =>
          (await import('./commands/deployment.ts')).moveEscrow(session, way, {
            dseq,
            amount,
            owner: flags['owner'] as string | undefined,
          }),
        ),
      );
  }
  return deployment;
}

/** tx lease …: the end of a lease. */
export function leaseCommand(): Command {
  const lease = new Command('lease').description('leases that you have, or that your provider holds');
  lease
    .command('close <number>')
    .description('end a lease')
    .option(
      '--reason <reason>',
      'by-user, not-serving; of a provider: provider-notice, provider-at-once, policy, …',
      'by-user',
    )
    .action(
      run(async (session, [number = ''], flags) =>
        (await import('./commands/lease.ts')).closeLease(session, number, flags['reason'] as string),
      ),
    );
  lease
    .command('announce-leave <number>')
    .description('a provider says that it leaves a lease; where it persists, a replacement is looked for at once')
    .action(
      run(async (session, [number = '']) => (await import('./commands/lease.ts')).announceLeave(session, number)),
    );
  return lease;
}

/** tx provider …: what providers and auditors say. */
export function providerMessages(): Command {
  const provider = messageCommand('provider');
  provider
    .command('attest <provider> [attributes...]')
    .description('state attributes of a provider as an auditor, like tier=gold; they replace what you stated before')
    .option('--withdraw', 'take back what you stated')
    .action(
      run(async (session, [owner = '', ...attributes], flags) =>
        (await import('./commands/provider.ts')).attest(session, owner, attributes, flags['withdraw'] === true),
      ),
    );
  return provider;
}
