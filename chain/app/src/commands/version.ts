/** `mud version`. */
import type { Register } from './shared.ts';

export const registerVersion: Register = (mud) => {
  mud
    .command('version')
    .description('what this program is, and with what it works together')
    .option('--json', 'all of it, as JSON', false)
    .action(version);
};

async function version({ json }: { readonly json: boolean }): Promise<void> {
  const { programVersion } = await import('../node/version.ts');
  const all = programVersion();
  const text = json
    ? JSON.stringify(all)
    : Object.entries(all)
        .filter(([, value]) => value !== '')
        .map(([key, value]) => `${key}: ${value}`)
        .join('\n');
  process.stdout.write(`${text}\n`);
}
