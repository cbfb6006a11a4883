/** mucli deployment …, mucli logs: what runs, seen and touched from outside. */
import { Command } from 'commander';
import { run } from './run.ts';

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];
const ownerOption = ['--owner <address>', 'owner of the deployment; yourself where absent'] as const;

/** mucli deployment …. */
export function tenantCommand(): Command {
  const deployment = new Command('deployment').description('what runs');
  deployment
    .command('status <dseq>')
    .description('all leases of a deployment, their services and instances, and why something does not run')
    .option(...ownerOption)
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/status.ts')).showStatus(session, dseq, flags as never),
      ),
    );
  deployment
    .command('metrics <dseq>')
    .description('processor, memory, network and disk of each instance, and usage that is not billed yet')
    .option(...ownerOption)
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/status.ts')).showMetrics(session, dseq, flags as never),
      ),
    );
  withLogOptions(deployment.command('logs <dseq>').description('log lines of all leases of a deployment'))
    .option(...ownerOption)
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/logs.ts')).showDeploymentLogs(session, dseq, flags as never),
      ),
    );
  deployment
    .command('events <dseq>')
    .description('what happened to the leases of a deployment, in order')
    .option('-f, --follow', 'go on as things happen')
    .option(...ownerOption)
    .action(
      run(async (session, [dseq = ''], flags) =>
        (await import('./commands/logs.ts')).showEvents(session, dseq, flags as never),
      ),
    );
  deployment.addCommand(execCommand());
  deployment.addCommand(scaleCommand());
  deployment
    .command('send-manifest <dseq>')
    .description('deliver the manifest again to every holder of a lease that lacks it')
    .action(
      run(async (session, [dseq = '']) => (await import('./commands/deployment.ts')).sendManifest(session, dseq)),
    );
  return deployment;
}

function execCommand(): Command {
  return new Command('exec')
    .argument('<dseq>')
    .argument('<command...>')
    .description('run a command in a container: `mucli deployment exec 7 --service web -it -- sh`')
    .option('--service <name>', 'the Workload; may be left out where there is only one')
    .option('--instance <index>', 'which instance of it, from 0', '0')
    .option('--lease <number>', 'which lease, where several have the service')
    .option('-i, --stdin', 'hand the standard input on')
    .option('-t, --tty', 'with a terminal')
    .option(...ownerOption)
    .action(
      run(async (session, words, flags) =>
        (await import('./commands/exec.ts')).execInDeployment(session, words, flags as never),
      ),
    );
}

function scaleCommand(): Command {
  return new Command('scale')
    .argument('<dseq>')
    .argument('<counts...>')
    .description('other numbers of instances, like web=3; more is bought where there is no room')
    .option('--timeout <blocks>', 'blocks to wait for providers to run it', '60')
    .option('--yes', 'sign without asking')
    .action(
      run(async (session, words, flags) =>
        (await import('./commands/scale.ts')).scaleDeployment(session, words, flags as never),
      ),
    );
}

/** mucli logs LEASE. */
export function logsCommand(): Command {
  return withLogOptions(new Command('logs').argument('<lease>').description('log lines of one lease')).action(
    run(async (session, [lease = ''], flags) =>
      (await import('./commands/logs.ts')).showLogs(session, lease, flags as never),
    ),
  );
}

function withLogOptions(command: Command): Command {
  return command
    .option('-f, --follow', 'go on as lines come')
    .option('--tail <lines>', 'how many old lines; 100, or with --since all')
    .option('--since <time>', 'lines from then on: 90s, 5m, 2h, 1d ago, or a time like 2026-01-31T12:00:00Z')
    .option('--service <name>', 'of this service alone')
    .option('--stream <stream>', 'stdout, stderr, system or request; more than once for several', collect);
}
