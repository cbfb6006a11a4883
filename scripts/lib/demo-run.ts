/** What demos have in common: their flags, and an end that leaves nothing behind. */

import { parseArgs } from 'node:util';
import type { Network } from '@mu/e2e/network';
import { messageOf } from '@mu/lib/error-message';

/** The flags of `./scripts/demo --NAME`; `--help` says them and ends. @returns says a line, but with --json */
export function demoFlags(name: string): (text: string) => void {
  const { values } = parseArgs({
    options: {
      [name]: { type: 'boolean' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values['help'] === true) {
    console.log(`./scripts/demo --${name} [--json]\n  --json  print only the last line`);
    process.exit(0);
  }
  return (text) => {
    if (values['json'] !== true) console.log(text);
  };
}

/** Runs a demo, stops its network whatever happens, and prints what it comes to as one line of JSON. */
export async function runDemo(network: Network, demo: () => Promise<object>): Promise<void> {
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= network.stop();
    return stopping;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => void stop().then(() => process.exit(130)));
  try {
    const summary = await demo();
    await stop();
    console.log(JSON.stringify(summary));
  } catch (error) {
    console.error(`demo: ${messageOf(error)}`);
    for (const [name, lines] of network.lastLines()) console.error(`\nthe last lines of ${name}:\n${lines}`);
    await stop();
    process.exit(1);
  }
}
