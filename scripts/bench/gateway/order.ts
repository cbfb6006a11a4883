/** From an order on the chain to the first answer of a container: a whole network, as the demo has it. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { must, Network } from '@mu/e2e/network';

const example = resolve(import.meta.dirname, '..', '..', '..', 'examples', 'shop');
const settings = { '--offer-services': 'mu-db,mu-function,mu-gateway,mu-workload' };

export interface OrderTimes {
  /** From the transaction until `mucli` shows the address. */
  readonly addressMs: number;
  /** From the transaction until a container has answered. */
  readonly answerMs: number;
}

/** With blocks of one second. */
export async function measureOrder(): Promise<OrderTimes> {
  const folder = mkdtempSync(join(tmpdir(), 'mu-bench-order-'));
  const network = new Network({ folder, chainId: `mu-bench-${randomBytes(3).toString('hex')}`, blockIntervalMs: 1000 });
  try {
    await network.initChain();
    const user = await network.initUser();
    const provider = await network.initProvider({
      name: 'provider',
      price: { cpu: '0.05', memoryMib: '0.01' },
      settings,
    });
    for (const address of [user, provider.owner, provider.operator]) await network.addAccount(address);
    await network.startChain();
    await network.untilHeight(1);
    await network.registerProvider(provider);
    await network.startProvider(provider);
    const stack = network.path('stack.yaml');
    const text = readFileSync(join(example, 'stack.yaml'), 'utf8');
    writeFileSync(
      stack,
      text
        .replaceAll('manifest:build', `manifest:${join(example, 'build')}`)
        .replace('../login', resolve(example, '..', 'login')),
    );
    const { stdout } = await must(network.mucli(['tx', 'deployment', 'create', stack, '--yes', '--output', 'json']));
    const created = JSON.parse(stdout) as { first_address_ms: number; endpoints: { endpoint: string }[] };
    const asked = performance.now();
    const answer = await fetch(`${created.endpoints[0]?.endpoint}/cgi-bin/visit`);
    if (answer.status !== 200) throw new Error(`the container answered ${answer.status}: ${await answer.text()}`);
    await answer.text();
    return { addressMs: created.first_address_ms, answerMs: created.first_address_ms + performance.now() - asked };
  } finally {
    await network.stop();
  }
}
