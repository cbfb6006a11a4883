/** What a refusal is: a message in a situation, and the code and text that answer it. */
import { readFileSync } from 'node:fs';
import { registeredErrors } from '@mu/framework/errors';
import type { Wish } from '../mu-chain.ts';
import type { Stage, StageName } from './stages.ts';

export const modules = ['provider', 'deployment', 'market', 'billing'] as const;
export type ModuleName = (typeof modules)[number];

/** Makes the message; what it says may depend on where the chain stands. */
export type Make = (at: Stage) => Wish;

/** A code of the table's own module, or one of another codespace by name. */
export type Refusal = number | `${ModuleName | 'sdk'} ${number}`;

export interface Row {
  readonly module: ModuleName;
  readonly codespace: string;
  readonly code: number;
  readonly what: string;
  readonly stage: StageName;
  readonly make: Make;
}

/** A line of a table: the code, what is wrong, the message. */
export type Line = readonly [Refusal, string, Make];

/** Lines of one module that are run in one situation. */
export function rows(module: ModuleName, stage: StageName, lines: readonly Line[]): Row[] {
  return lines.map(([refusal, what, make]) => {
    const [codespace, code] = typeof refusal === 'number' ? [module, `${refusal}`] : refusal.split(' ');
    return { module, codespace: codespace as string, code: Number(code), what, stage, make };
  });
}

/** One thing that has a limit: the message with so much of it. */
export interface Limit {
  readonly module: ModuleName;
  readonly refusal: Refusal;
  readonly what: string;
  readonly most: number;
  /** further amounts that are refused, beside one over */
  readonly far?: readonly number[];
  readonly make: (at: Stage, amount: number) => Wish;
}

/** The rows that a limit refuses: one over, and far over. */
export function overLimit({ module, refusal, what, most, far = [], make }: Limit): Row[] {
  const lines = [most + 1, ...far].map((amount): Line => [refusal, `${amount} ${what}`, (at) => make(at, amount)]);
  return rows(module, 'limits', lines);
}

const readmes = new Map<ModuleName, string>();

/** A module's README. */
export function readmeOf(module: ModuleName): string {
  const text =
    readmes.get(module) ?? readFileSync(new URL(`../../../../../x/${module}/README.md`, import.meta.url), 'utf8');
  readmes.set(module, text);
  return text;
}

/** The table under `## Errors` of a module's README: text by code. */
export function readmeErrors(module: ModuleName): Map<number, string> {
  const readme = readmeOf(module);
  const section = readme.split(/^## /m).find((part) => part.startsWith('Errors')) ?? '';
  const lines = section.matchAll(/^\| +(\d+) +\| (.+?) +\|$/gm);
  return new Map(Array.from(lines, ([, code, text]) => [Number(code), text as string]));
}

/** How the text of a refusal ends: as the README says, or for the SDK's codes as they are registered. */
export function textOf({ codespace, code }: Row): string {
  const own = modules.find((module) => module === codespace);
  const text = own === undefined ? sdkText(code) : readmeErrors(own).get(code);
  if (text === undefined) throw new Error(`nobody says what ${codespace} ${code} is`);
  return text;
}

function sdkText(code: number): string | undefined {
  return registeredErrors().find(([codespace, known]) => codespace === 'sdk' && known === code)?.[2];
}
