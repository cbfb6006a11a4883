/** Renews the tables of docs/OPERATORS.md that are made from the program: commands, settings, metrics. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '@mu/app/commands/program';
import { renewReferences } from '@mu/app/node/reference';

const page = join(import.meta.dirname, '..', 'docs', 'OPERATORS.md');
writeFileSync(page, renewReferences(readFileSync(page, 'utf8'), program()));
