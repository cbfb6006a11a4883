/** The operators' commands of `mu-provider`; what each needs is loaded when it is called. */
import { type Command, Option } from 'commander';
import type { ProviderConfig } from '../../config/schema.ts';
import type { Shown } from './show.ts';
import type { Withdrawn } from './withdraw.ts';

type ConfigOf = (command: Command) => ProviderConfig;

interface FormFlags {
  readonly output: 'json' | 'text';
}

const jsonOf = (value: unknown): string =>
  JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? part.toString() : part));

function print({ value, text }: Shown, { output }: FormFlags): void {
  process.stdout.write(`${output === 'text' ? text() : jsonOf(value)}\n`);
}

/** Adds them to the program. @param configOf reads the config that a command's flags name */
export function addOperatorCommands(program: Command, configOf: ConfigOf): void {
  const add = (name: string, description: string, under = program): Command =>
    under
      .command(name)
      .description(description)
      .addOption(
        new Option('-o, --output <form>', 'json, or text for people').choices(['json', 'text']).default('json'),
      );
  add('status', 'what the chain knows of this provider, and how its daemon is').action(
    async (flags: FormFlags, command: Command) => {
      const { showStatus } = await import('./show.ts');
      print(await showStatus(configOf(command)), flags);
    },
  );
  add('leases', 'leases, their workloads, and what they use').action(async (flags: FormFlags, command: Command) => {
    const { showLeases } = await import('./show.ts');
    print(await showLeases(configOf(command)), flags);
  });
  add('inventory', 'what is offered, leased, reserved by bids, and free').action(
    async (flags: FormFlags, command: Command) => {
      const { showInventory } = await import('./show.ts');
      print(await showInventory(configOf(command)), flags);
    },
  );
  add('drain', 'take no new leases, keep those that stand; lasts over restarts')
    .option('--off', 'take new leases again', false)
    .action(async (flags: FormFlags & { readonly off: boolean }, command: Command) => {
      const { drain } = await import('./drain.ts');
      print(await drain(configOf(command), !flags.off), flags);
    });
  add('withdraw', 'leave the market: drain, give notice of each lease, end them, leave the registry')
    .option('--yes', 'do it; else it is only said what would be done', false)
    .option('--wait', 'go on until all of it is done', false)
    .action(async (flags: FormFlags & WithdrawFlags, command: Command) => {
      print(await leave(configOf(command), flags), flags);
    });
  addRotations(program, add, configOf);
  add('doctor', 'find what is wrong, and what to do').action((flags: FormFlags, command: Command) =>
    examine(() => configOf(command), flags),
  );
}

function addRotations(
  program: Command,
  add: (name: string, description: string, under?: Command) => Command,
  configOf: ConfigOf,
): void {
  const rotate = program
    .command('rotate')
    .description('replace a key or a root; asked again, it goes on where it stands');
  const kinds = {
    root: 'a new root certificate, beside the old one until nothing is served under that',
    node: 'a new node key, which makes this machine a new node; the daemon has to be ended meanwhile',
    encryption: 'a new key that manifests are sealed to; the old one opens what is sealed to it',
  } as const;
  for (const kind of ['root', 'node', 'encryption'] as const) {
    add(kind, kinds[kind], rotate)
      .option('--yes', 'do it; else it is only said what would be done', false)
      .option('--wait', 'go on until all of it is done', false)
      .action(async (flags: FormFlags & WithdrawFlags, command: Command) => {
        const { rotateByCommand } = await import('../../rotation/command.ts');
        print(await rotateByCommand(configOf(command), kind, flags), flags);
      });
  }
}

interface WithdrawFlags {
  readonly yes: boolean;
  readonly wait: boolean;
}

async function leave(config: ProviderConfig, { yes, wait }: WithdrawFlags): Promise<Shown> {
  const [{ connectChain, senderOf }, { withdraw, standingOf, wordsOf }, { nextStep }, { selfOf }, { drain }] =
    await Promise.all([
      import('../../setup/connect.ts'),
      import('./withdraw.ts'),
      import('./withdraw-plan.ts'),
      import('./provider-chain.ts'),
      import('./drain.ts'),
    ]);
  const { provider } = selfOf(config).name;
  const client = await connectChain(config);
  try {
    if (!yes) {
      const standing = await standingOf({ client, provider });
      const stands = `${standing.leases.length} leases and ${standing.openBids.length} open bids stand`;
      throw new Error(
        `nothing was done: say --yes to leave the market. ${stands}; first: ${wordsOf(nextStep(standing))}`,
      );
    }
    await drain(config, true);
    const step = (text: string): void => void process.stderr.write(`${text}\n`);
    const sender = await senderOf(config, client, 'owner');
    const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
    const value = await withdraw({ client, sender, provider, wait, pause, onStep: step });
    return { value, text: () => textOf(value) };
  } finally {
    client.disconnect();
  }
}

function textOf({ waiting, deposit_returns_at: deposit = 0n }: Withdrawn): string {
  if (waiting !== undefined) {
    const when = waiting.height > 0n ? ` at height ${waiting.height}` : '';
    return `not yet: ${waiting.why}. Keep the daemon running, and ask again${when}, or with --wait`;
  }
  return deposit > 0n ? `left the market; the deposit returns at height ${deposit}` : 'left the market';
}

/** Ends with code 1 where anything fails; a config that cannot be read is the first thing to be found. */
async function examine(configOf: () => ProviderConfig, flags: FormFlags): Promise<void> {
  const [{ configFinding, diagnose, diagnosisText }, { hostProbes }] = await Promise.all([
    import('../doctor/doctor.ts'),
    import('../doctor/host-probes.ts'),
  ]);
  const { config, finding } = configFinding(configOf);
  const probes = config && hostProbes(config);
  const found = config && probes ? await diagnose(config, probes) : { ok: false, findings: [] };
  probes?.close();
  const diagnosis = { ok: found.ok, findings: [finding, ...found.findings] };
  print({ value: diagnosis, text: () => diagnosisText(diagnosis) }, flags);
  if (!diagnosis.ok) process.exitCode = 1;
}
