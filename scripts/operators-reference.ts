/** Renews the tables of docs/OPERATORS.md and docs/PROVIDER.md that are made from the programs: commands, settings, limits, metrics. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { program } from '@mu/app/commands/program';
import { renewReferences } from '@mu/app/node/reference';
import { renewReferences as renewProvider } from '@mu/provider-daemon/operators/reference';
import { program as providerProgram } from '@mu/provider-daemon/program';

const root = join(import.meta.dirname, '..');

function renew(name: string, renewed: (page: string) => string): void {
  const page = join(root, 'docs', name);
  writeFileSync(page, renewed(readFileSync(page, 'utf8')));
}

renew('OPERATORS.md', (page) => renewReferences(page, program()));
const limitsSource = readFileSync(join(root, 'provider-daemon', 'src', 'gateway', 'limits.ts'), 'utf8');
renew('PROVIDER.md', (page) => renewProvider(page, { program: providerProgram(), limitsSource }));
