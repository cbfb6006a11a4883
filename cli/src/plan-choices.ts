/** What a stack leaves open, as the user chose it; what came of it is shown, and asked about, before anything is signed. */
import type { ManifestHead } from '@mu/client/manifest/head';
import type { Choices, DerivedDeployment } from '@mu/client/stack/derive-types';
import { wholeNumber } from './arguments.ts';
import { CliError, usageError } from './errors.ts';
import { replacementWords } from './plan-words.ts';
import type { Session } from './session.ts';

/** As they stand on the command line. */
export interface ChoiceFlags {
  readonly region?: string;
  readonly maxPrice?: string;
  readonly deposit?: string;
}

/** What the user chose of what a stack leaves open. @throws CliError for a price that is none */
export async function choicesOf(session: Session, options: ChoiceFlags): Promise<{ flags: Choices; config: Choices }> {
  const { parsePrice } = await import('@mu/client/stack/units');
  const priceOf = (text: string | undefined, where: string): Pick<Choices, 'maxPrice'> => {
    if (text === undefined || text === '') return {};
    const maxPrice = parsePrice(text);
    if (maxPrice === undefined)
      throw usageError(`${where}: "${text}" is no price; write umu per block as a decimal above 0`);
    return { maxPrice };
  };
  const regionOf = (text: string | undefined): Pick<Choices, 'region'> =>
    text === undefined || text === '' ? {} : { region: text };
  const deposit =
    options.deposit === undefined
      ? {}
      : { deposit: wholeNumber(options.deposit.replace(new RegExp(`${session.config.denom}$`), ''), '--deposit') };
  return {
    flags: { ...regionOf(options.region), ...priceOf(options.maxPrice, '--max-price'), ...deposit },
    config: { ...regionOf(session.config.region), ...priceOf(session.config.max_price, 'max_price') },
  };
}

/** Says what will be ordered, where each choice comes from, and what becomes of it when a provider goes. */
export function showPlan(session: Session, derived: DerivedDeployment, head: ManifestHead): void {
  session.output.step('This is what will be ordered:');
  for (const { what, value, from } of derived.choices) session.output.step(`  ${what}: ${value} (${from})`);
  session.output.step(`  in all at most ${derived.pricePerBlock.toPlain()} ${session.config.denom} per block`);
  for (const words of replacementWords(derived, head)) session.output.step(words);
}

/** @throws CliError when the user says no */
export async function confirm(): Promise<void> {
  const { confirm: ask } = await import('@inquirer/prompts');
  if (!(await ask({ message: 'Sign and send it?', default: true }))) throw new CliError('nothing was sent');
}
