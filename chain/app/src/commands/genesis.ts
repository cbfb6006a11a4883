/** `mud genesis`: the file from which a chain begins. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Genesis } from '../node/genesis.ts';
import { homeOf, print, type Register, say } from './shared.ts';

export const registerGenesis: Register = (mud) => {
  const genesis = mud.command('genesis').description('the genesis file');
  genesis
    .command('add-account <address> <coins>')
    .description('give an account coins, like 1000umu')
    .action(addAccount);
  genesis
    .command('bulk-add-accounts <file>')
    .description(
      'accounts from a file: a line each, "address coins" or {"address":…,"coins":…}; a million is no matter',
    )
    .action(bulkAddAccounts);
  genesis
    .command('add-validator <public-key>')
    .description("add a validator by its node's `mud comet show-validator`; - reads it from stdin")
    .option('--power <number>', 'its share of the votes', '10')
    .option('--name <name>', 'its name for people', '')
    .action(addValidator);
  genesis
    .command('remove-validator <address-or-name>')
    .description('take a validator away, like the one that `mud init` put there')
    .action(removeValidator);
  genesis
    .command('set-authority <address>')
    .description('name the account that plans upgrades and changes parameters, until there is governance')
    .action(setAuthority);
  genesis
    .command('validate [file]')
    .description('say what is wrong with a genesis, in CometBFT’s or the SDK’s form')
    .action(validate);
};

async function change(command: Command, edit: (genesis: Genesis) => Genesis): Promise<Genesis> {
  const { readGenesis, writeGenesis } = await import('../node/genesis.ts');
  const file = homeOf(command).genesis;
  const changed = edit(readGenesis(file));
  writeGenesis(file, changed);
  return changed;
}

async function addAccount(address: string, coins: string, _flags: object, command: Command): Promise<void> {
  const { addAccount: add } = await import('../node/genesis.ts');
  await change(command, (genesis) => add(genesis, address, coins));
}

async function bulkAddAccounts(file: string, _flags: object, command: Command): Promise<void> {
  const { addAccounts } = await import('../node/genesis-bulk.ts');
  print({ accounts_added: addAccounts(homeOf(command).genesis, file) });
}

async function addValidator(
  key: string,
  flags: { readonly power: string; readonly name: string },
  command: Command,
): Promise<void> {
  const { addValidator: add } = await import('../node/genesis-validators.ts');
  const pubKey = (key === '-' ? readFileSync(0, 'utf8') : key).trim();
  const { validators } = await change(command, (genesis) => add(genesis, { ...flags, pubKey }));
  print({ validator: validators.at(-1)?.address, validators: validators.length });
}

async function removeValidator(which: string, _flags: object, command: Command): Promise<void> {
  const { removeValidator: remove } = await import('../node/genesis-validators.ts');
  const { validators } = await change(command, (genesis) => remove(genesis, which));
  print({ validators: validators.length });
}

async function setAuthority(address: string, _flags: object, command: Command): Promise<void> {
  const { setAuthority: set } = await import('../node/genesis.ts');
  await change(command, (genesis) => set(genesis, address));
}

async function validate(file: string | undefined, _flags: object, command: Command): Promise<void> {
  const [{ readGenesisParts }, { requireValid }] = await Promise.all([
    import('../node/genesis-file.ts'),
    import('../node/genesis-check.ts'),
  ]);
  const path = file ?? homeOf(command).genesis;
  const { genesis, state } = readGenesisParts(path);
  for (const warning of requireValid(genesis, Date.now(), path, state)) say(`warning: ${warning}`);
  print({ genesis: path, chain_id: genesis.chain_id, validators: genesis.validators.length, valid: true });
}
